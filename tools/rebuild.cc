// tidemark rebuild: makes the index anew from the log.

#include <memory>
#include <nlohmann/json.hpp>

#include "tools/progress.h"
#include "tools/session.h"
#include "tools/verbs.h"

namespace tidemark::tools {

namespace {

void Run(const std::string& directory, bool json) {
  const std::string path = AbsolutePath(directory);
  const Subject subject{.kind = Subject::Kind::kStore, .store = path};
  Progress progress("reading the log");
  StoreOptions options;
  options.recovery_progress = [&](uint64_t done, uint64_t total) { progress.Update(done, total); };
  const auto rebuilt = Store::Rebuild(path, options);
  progress.Hide();
  if (!rebuilt.ok()) {
    Failure failure = Explain(rebuilt.status(), subject);
    if (rebuilt.status().code() == StatusCode::kCorruption) {
      failure.hint =
          "the index is as it was; what is whole in the log is brought into a new store by: " +
          Command({"salvage", path, path + ".salvaged"});
    }
    throw failure;
  }
  if (json) {
    Json report = {{"store", path},
                   {"continued", rebuilt->continued},
                   {"objects", rebuilt->objects},
                   {"log_bytes", rebuilt->log_bytes},
                   {"index_file_bytes", rebuilt->index_file_bytes},
                   {"damaged_objects", rebuilt->damaged_objects},
                   {"old_index", nullptr}};
    if (!rebuilt->old_index.empty()) report["old_index"] = rebuilt->old_index;
    PrintJson(report);
  } else {
    PrintLine("the index of " + path + " was made anew from " + FormatBytes(rebuilt->log_bytes) +
              " of log: " + Plural(rebuilt->objects, "object") + ", " +
              FormatBytes(rebuilt->index_file_bytes) +
              (rebuilt->continued ? "; one that was interrupted went on" : ""));
    if (!rebuilt->old_index.empty()) PrintLine("  the old one is kept as " + rebuilt->old_index);
  }
  if (rebuilt->damaged_objects > 0) {
    throw Failure(
        StatusCodeName(StatusCode::kCorruption), kExitDamage,
        Plural(rebuilt->damaged_objects, "object") + " lost something to damage in the log",
        "which, and what, is said by: " + Command({"verify", path}));
  }
}

}  // namespace

void AddRebuild(CLI::App& app, Invocation* invocation) {
  struct Arguments {
    std::string store;
  };
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "rebuild",
       .summary = "Make the index anew from the log",
       .usage = "STORE",
       .details =
           "For an index that is damaged, deleted, or of another copy of the store: the log has "
           "everything. Takes as\nlong as reading all of the log. The old index is in its place "
           "until the new one is whole and durable.\nInterrupted, it goes on when it is run again. "
           "Exit code 3 if the log is damaged: the old index is kept\nthen, as index/data.mdb.old.",
       .example = "tidemark rebuild /var/lib/rooms",
       .json_fields = "{\"store\",\"continued\",\"objects\",\"log_bytes\",\"index_file_bytes\","
                      "\"damaged_objects\",\"old_index\" (or null)}"},
      &arguments->store, invocation);
  verb.OnRun([=] { Run(arguments->store, invocation->json); });
}

}  // namespace tidemark::tools
