// tidemark restores: the restore journal of an object.

#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "tools/session.h"
#include "tools/table.h"
#include "tools/verbs.h"

namespace tidemark::tools {

namespace {

struct Arguments {
  std::string store;
  std::string object;
};

Json ToJson(const RestoreEntry& entry, const std::string& undo) {
  return {{"lsn", entry.lsn.value},
          {"time", FormatTime(entry.time)},
          {"from", entry.from.ToString()},
          {"to", entry.to.ToString()},
          {"undo", undo}};
}

void Run(const Arguments& arguments, bool json) {
  const ObjectName name = ParseObjectName(arguments.object, arguments.store);
  Session session(arguments.store);
  std::vector<RestoreEntry> restores;
  {
    const std::shared_ptr<Object> object = session.OpenObject(name);
    restores = OrThrow(session.store().ListRestores(*object), session.AboutObject(name.text));
  }
  session.Close();
  if (json) {
    Json document = {{"store", session.path()}, {"object", name.text}, {"restores", Json::array()}};
    for (auto entry = restores.rbegin(); entry != restores.rend(); ++entry) {
      document["restores"].push_back(
          ToJson(*entry, RestoreCommand(session, name.text, entry->from)));
    }
    PrintJson(document);
    return;
  }
  Table table({{"TIME"}, {"FROM"}, {"TO"}});
  for (auto entry = restores.rbegin(); entry != restores.rend(); ++entry) {
    table.AddRow({FormatLocalTime(entry->time), entry->from.ToString(), entry->to.ToString()});
  }
  table.Finish();
  if (!restores.empty()) {
    std::fflush(stdout);
    PrintNote("to undo the latest: " + RestoreCommand(session, name.text, restores.back().from));
  }
}

}  // namespace

void AddRestores(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* verb = AddVerb(
      app,
      {.name = "restores",
       .summary = "List the restores of an object, newest first",
       .usage = "STORE OBJECT",
       .details = "FROM is the bookmark that was current before: restoring to it undoes the "
                  "restore. TO is what it\nbrought back.",
       .example = "tidemark restores /var/lib/rooms rooms/lobby",
       .json_fields = "{\"store\",\"object\",\"restores\":[{\"lsn\",\"time\",\"from\",\"to\","
                      "\"undo\"}]}; undo is a command"},
      invocation);
  auto positionals = std::make_shared<Positionals>(verb, &arguments->store);
  positionals->Add("OBJECT", kObjectHelp, &arguments->object);
  verb->callback([=] {
    positionals->Resolve();
    invocation->run = [=] { Run(*arguments, invocation->json); };
  });
}

}  // namespace tidemark::tools
