// tidemark init: makes an empty store.

#include <memory>
#include <nlohmann/json.hpp>

#include "engine/store.h"
#include "tools/failure.h"
#include "tools/session.h"
#include "tools/verbs.h"

namespace tidemark::tools {

namespace {

void Run(const std::string& directory, bool json) {
  OrThrow(Store::Create(directory, StoreOptions{}),
          {.kind = Subject::Kind::kNewStore, .store = directory});
  Session session(directory);
  const StoreStats stats = session.store().Stats();
  const std::string path = session.path();
  session.Close();
  if (json) {
    PrintJson(
        {{"store", path}, {"store_id", stats.store_id}, {"format_version", stats.format_version}});
    return;
  }
  PrintLine("made an empty store in " + path);
}

}  // namespace

void AddInit(CLI::App& app, Invocation* invocation) {
  struct Arguments {
    std::string store;
  };
  auto arguments = std::make_shared<Arguments>();
  Verb verb(app,
            {.name = "init",
             .summary = "Make an empty store",
             .usage = "STORE",
             .details = "The directory must be missing or empty; the one above it "
                        "must exist.",
             .example = "tidemark init /var/lib/rooms",
             .json_fields = "{\"store\",\"store_id\",\"format_version\"}"},
            &arguments->store, invocation);
  verb.OnRun([=] { Run(arguments->store, invocation->json); });
}

}  // namespace tidemark::tools
