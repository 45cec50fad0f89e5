// tidemark export: an object, now or at a point of its past, as a plain SQLite file.

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "tools/output_file.h"
#include "tools/progress.h"
#include "tools/session.h"
#include "tools/verbs.h"

namespace tidemark::tools {

namespace {

constexpr uint32_t kPagesBetweenProgress = 64;

struct Arguments {
  std::string store;
  std::string object;
  std::string file;
  std::optional<std::string> at;
  bool force = false;
};

// The change counter (bytes 24-27) and the commit that the version number is valid for (92-95) are
// stored as zero. Equal and not zero, they tell SQLite that the size in the header can be trusted.
void MakeFileHeader(std::span<std::byte> page_one, Lsn lsn) {
  uint32_t counter = static_cast<uint32_t>(lsn.value);
  if (counter == 0) counter = 1;
  for (const size_t position : {size_t{24}, size_t{92}}) {
    for (size_t i = 0; i < 4; ++i) {
      page_one[position + i] = static_cast<std::byte>(counter >> (24 - 8 * i));
    }
  }
}

void WritePages(const Snapshot& snapshot, OutputFile& file, const Subject& subject) {
  Progress progress("exporting");
  std::vector<std::byte> page(snapshot.page_size());
  for (uint32_t number = 1; number <= snapshot.page_count(); ++number) {
    OrThrow(snapshot.ReadPage(PageNo(number), page), subject);
    if (number == 1) MakeFileHeader(page, snapshot.lsn());
    file.Write(page);
    if (number % kPagesBetweenProgress == 0) {
      progress.Update(number, snapshot.page_count());
      InterruptGuard::ThrowIfInterrupted("nothing was written");
    }
  }
}

void Run(const Arguments& arguments, bool json) {
  const ObjectName name = ParseObjectName(arguments.object, arguments.store);
  std::optional<Point> at;
  if (arguments.at) at = ParsePointArgument(*arguments.at, arguments.store, name);
  const InterruptGuard guard;
  Session session(arguments.store);
  Json document;
  std::string line;
  {
    const std::shared_ptr<Object> object =
        session.OpenObject(name, at ? IfMissing::kDeleted : IfMissing::kFail);
    const CommitInfo commit = session.ResolveCommit(*object, at);
    const Subject subject = session.AboutObject(name.text);
    const Snapshot snapshot = OrThrow(object->OpenSnapshot(commit), subject);
    OutputFile file(arguments.file, arguments.force ? IfExists::kReplace : IfExists::kFail);
    WritePages(snapshot, file, subject);
    // Each page was checked as it was read; this proves that together they are what was committed.
    OrThrow(snapshot.Verify(), subject);
    file.Commit();

    document = {{"store", session.path()}, {"object", name.text}, {"file", arguments.file}};
    document.update(CommitJson(*object, commit));
    line = "exported " + name.text + " to " + arguments.file + ": " +
           FormatBytes(DatabaseBytes(commit)) + " in " + Plural(commit.page_count, "page") +
           " of " + FormatBytes(commit.page_size) + ", as of " + FormatLocalTime(commit.time) +
           "\nbookmark " + object->BookmarkOf(commit).ToString();
  }
  session.Close();
  if (json) {
    PrintJson(document);
  } else {
    PrintLine(line);
  }
}

}  // namespace

void AddExport(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "export",
       .summary = "Write an object to a plain SQLite file",
       .usage = "STORE OBJECT [--at POINT] -o FILE [--force]",
       .details = std::string("FILE appears only when it is whole, proven by the commit's state "
                              "hash, and synced.\n") +
                  kPointHelp,
       .example = "tidemark export /var/lib/rooms rooms/lobby -o lobby.sqlite\n"
                  "tidemark export /var/lib/rooms rooms/lobby --at yesterday -o before.sqlite",
       .json_fields =
           "{\"store\",\"object\",\"file\"} and of the commit:\n" + std::string(kCommitFields)},
      &arguments->store, invocation);
  verb.Argument("OBJECT", kObjectHelp, &arguments->object);
  verb.Option("--at", "As of this POINT, not the latest commit", &arguments->at);
  verb.RequiredOption("-o,--output", "The file to write", &arguments->file);
  verb.Flag("--force", "Replace a file that exists", &arguments->force);
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
