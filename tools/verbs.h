// The verbs of the command line, one file each. Each adds itself to the parser and, if it is the
// one that was named, sets invocation->run.

#ifndef TIDEMARK_TOOLS_VERBS_H_
#define TIDEMARK_TOOLS_VERBS_H_

#include "tools/command_line.h"

namespace tidemark::tools {

inline constexpr char kPointHelp[] =
    "POINT is a bookmark, a label, an RFC 3339 time (local time if it names no zone), unix "
    "seconds, "
    "or words such as \"5 minutes ago\". A time means the last commit at or before it.";
inline constexpr char kObjectHelp[] = "NAMESPACE/NAME of the object, such as rooms/lobby";
inline constexpr char kCommitFields[] =
    "bookmark, lsn, time, kind (\"commit\", \"restore\", \"fork\", \"promote\", \"delete\", "
    "\"undelete\"),\n"
    "page_size, page_count, bytes (of the database), pages_changed, log_bytes,\n"
    "schema_changed, alarm (or null)";

inline constexpr char kAlarmsHelp[] =
    "\"restore\": it gets the alarm that it had at the POINT; \"keep\": the one it has\n"
    "now; \"clear\": none";

void AddInit(CLI::App& app, Invocation* invocation);
void AddImport(CLI::App& app, Invocation* invocation);
void AddCopy(CLI::App& app, Invocation* invocation);
void AddExport(CLI::App& app, Invocation* invocation);
void AddSql(CLI::App& app, Invocation* invocation);
void AddShell(CLI::App& app, Invocation* invocation);
void AddLs(CLI::App& app, Invocation* invocation);
void AddLog(CLI::App& app, Invocation* invocation);
void AddDiff(CLI::App& app, Invocation* invocation);
void AddChanges(CLI::App& app, Invocation* invocation);
void AddBookmark(CLI::App& app, Invocation* invocation);
void AddLabel(CLI::App& app, Invocation* invocation);
void AddLabels(CLI::App& app, Invocation* invocation);
void AddRestore(CLI::App& app, Invocation* invocation);
void AddRestores(CLI::App& app, Invocation* invocation);
void AddBisect(CLI::App& app, Invocation* invocation);
void AddBlame(CLI::App& app, Invocation* invocation);
void AddFork(CLI::App& app, Invocation* invocation);
void AddPromote(CLI::App& app, Invocation* invocation);
void AddDelete(CLI::App& app, Invocation* invocation);
void AddUndelete(CLI::App& app, Invocation* invocation);
void AddRetention(CLI::App& app, Invocation* invocation);
void AddHold(CLI::App& app, Invocation* invocation);
void AddAlarms(CLI::App& app, Invocation* invocation);
void AddPrune(CLI::App& app, Invocation* invocation);
void AddPurge(CLI::App& app, Invocation* invocation);
void AddVerify(CLI::App& app, Invocation* invocation);
void AddDrill(CLI::App& app, Invocation* invocation);
void AddStandby(CLI::App& app, Invocation* invocation);
void AddRebuild(CLI::App& app, Invocation* invocation);
void AddSalvage(CLI::App& app, Invocation* invocation);
void AddStat(CLI::App& app, Invocation* invocation);
void AddReport(CLI::App& app, Invocation* invocation);

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_VERBS_H_
