// tidemark labels: the labels of an object.

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

Json ToJson(const Session& session, const std::string& object, const LabelInfo& label) {
  Json row = {{"name", label.name},
              {"automatic", label.automatic},
              {"made", FormatTime(label.made)},
              {"bookmark", label.bookmark.ToString()},
              {"lsn", label.bookmark.lsn.value},
              {"time", nullptr},
              {"restore", nullptr},
              {"damage", nullptr}};
  if (label.name.empty()) {
    for (Json& field : row) field = nullptr;
  } else if (label.damage.ok()) {
    row["time"] = FormatTime(label.commit.time);
    row["restore"] = RestoreCommand(session, object, label.name);
  }
  if (!label.damage.ok()) row["damage"] = label.damage.message();
  return row;
}

void Print(const std::vector<LabelInfo>& labels) {
  Table table({{"NAME"}, {"BOOKMARK"}, {"TIME"}, {"WHAT"}});
  for (const LabelInfo& label : labels) {
    if (label.name.empty()) {
      table.AddRow({"(one is lost)", "", "", label.damage.message()});
    } else if (!label.damage.ok()) {
      table.AddRow({label.name, label.bookmark.ToString(), "", label.damage.message()});
    } else {
      table.AddRow({label.name, label.bookmark.ToString(), FormatLocalTime(label.commit.time),
                    label.automatic ? "automatic" : ""});
    }
  }
  table.Finish();
}

void Run(const Arguments& arguments, bool json) {
  const ObjectName name = ParseObjectName(arguments.object, arguments.store);
  Session session(arguments.store);
  std::vector<LabelInfo> labels;
  {
    const std::shared_ptr<Object> object = session.OpenObject(name);
    labels = OrThrow(object->ListLabels(), session.AboutObject(name.text));
  }
  session.Close();
  if (json) {
    Json document = {{"store", session.path()}, {"object", name.text}, {"labels", Json::array()}};
    for (const LabelInfo& label : labels) {
      document["labels"].push_back(ToJson(session, name.text, label));
    }
    PrintJson(document);
  } else {
    Print(labels);
  }
  uint64_t damaged = 0;
  for (const LabelInfo& label : labels) damaged += !label.damage.ok();
  if (damaged != 0) {
    throw Failure(StatusCodeName(StatusCode::kCorruption), kExitDamage,
                  "object " + name.text + " has " + Plural(damaged, "damaged label") + " in " +
                      session.path(),
                  "the others are whole; tidemark verify lists all damage");
  }
}

}  // namespace

void AddLabels(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "labels",
       .summary = "List the labels of an object, in order of their names",
       .usage = "STORE OBJECT",
       .details =
           "TIME is that of the commit. Automatic labels were made before something that destroys "
           "data, by\nrestore and sql: each can be looked at and restored to like any other, and "
           "is "
           "gone when its commit\nexpires. A damaged one is listed as such; the exit code is then "
           "3.",
       .example = "tidemark labels /var/lib/rooms rooms/lobby",
       .json_fields =
           "{\"store\",\"object\",\"labels\":[{\"name\",\"automatic\",\"made\",\"bookmark\","
           "\"lsn\",\"time\",\n\"restore\",\"damage\"}]}; made: when it was set; time: of the "
           "commit; restore: a command; damage:\nnull, or what is wrong: then time and restore are "
           "null, and of a label whose name is lost all\nelse"},
      &arguments->store, invocation);
  verb.Argument("OBJECT", kObjectHelp, &arguments->object);
  verb.ServedByOwner();
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
