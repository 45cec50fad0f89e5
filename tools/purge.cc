// tidemark purge: an object goes for good, with all its history.

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "tools/progress.h"
#include "tools/session.h"
#include "tools/verbs.h"

namespace tidemark::tools {

namespace {

struct Arguments {
  std::string store;
  std::string object;
  bool yes = false;
};

PurgeReport Purge(Session& session, const ObjectName& name) {
  Progress progress("purging");
  auto purged =
      session.store().Purge(name.namespace_name, name.name,
                            [&](uint64_t done, uint64_t total) { progress.Update(done, total); });
  if (purged.ok()) return *purged;
  Failure failure = Explain(purged.status(), session.AboutObject(name.text));
  if (session.store().Stats().purge_count > 0) {
    failure.hint = "all else is as it was; when what is in the way is gone, run: " +
                   Command({"purge", session.path(), name.text, "--yes"});
  }
  throw failure;
}

void Run(const Arguments& arguments, bool json) {
  const ObjectName name = ParseObjectName(arguments.object, arguments.store);
  if (!arguments.yes) {
    throw UsageFailure("purge", "nothing was changed: a purge of " + name.text +
                                    " cannot be undone; say --yes if that is what you want");
  }
  Session session(arguments.store);
  const PurgeReport purged = Purge(session, name);
  session.Close();
  if (json) {
    return PrintJson({{"store", session.path()},
                      {"object", name.text},
                      {"id", purged.id.ToString()},
                      {"continued", purged.continued},
                      {"files", purged.log.files},
                      {"bytes_before", purged.log.bytes_before},
                      {"bytes_after", purged.log.bytes_after},
                      {"searched_bytes", purged.searched_bytes}});
  }
  const uint64_t freed =
      purged.log.bytes_before - std::min(purged.log.bytes_before, purged.log.bytes_after);
  PrintLine(name.text + " is gone for good" +
            (purged.continued ? ", as a purge that was interrupted had begun" : ""));
  PrintLine("  " + Plural(purged.log.files, "file") + " of the log written anew, and the index; " +
            FormatBytes(freed) + " freed");
  PrintLine("  " + FormatBytes(purged.searched_bytes) +
            " searched, all files: nothing of it is there");
}

}  // namespace

void AddPurge(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "purge",
       .summary = "Remove an object and all its history for good: cannot be undone",
       .usage = "STORE OBJECT --yes",
       .details =
           "No byte of it is left in any file of the store: its data, its history, its labels and "
           "its name. All\nfiles of the log and the index are written anew without it, and then "
           "searched for its id: that takes\nas long as reading and packing the store. Copies of "
           "the store have it still, and what the disk keeps\nof freed blocks. A purge that is "
           "interrupted has its object gone; run again, it goes on. Refused\nwhile the object is "
           "held, and while another shares its history: a fork of it, or what it was\npromoted "
           "to. `tidemark delete` is what can be undone.",
       .example = "tidemark purge /var/lib/rooms rooms/lobby --yes",
       .json_fields = "{\"store\",\"object\",\"id\",\"continued\",\"files\",\"bytes_before\","
                      "\"bytes_after\",\"searched_bytes\"};\ncontinued: one that was interrupted "
                      "was brought to its end; files and bytes: of the log, written\nanew"},
      &arguments->store, invocation);
  verb.Argument("OBJECT", kObjectHelp, &arguments->object);
  verb.Flag("--yes", "Do it", &arguments->yes);
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
