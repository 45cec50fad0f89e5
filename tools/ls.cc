// tidemark ls: the objects of a store, in order of their names.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <tuple>
#include <vector>

#include "tools/console.h"
#include "tools/progress.h"
#include "tools/session.h"
#include "tools/table.h"
#include "tools/verbs.h"

namespace tidemark::tools {

namespace {

// In a process that has more to do than this: what it lists at once, of 200 bytes each.
constexpr size_t kMostServed = 100'000;

struct Arguments {
  std::string store;
  std::string namespace_name;
  bool deleted = false;
};

// An object without a name is addressed by nothing on the command line yet: its id stands for it.
std::string DisplayName(const ObjectSummary& object) {
  return object.namespace_name + "/" + (object.name.empty() ? object.id.ToString() : object.name);
}

Json ObjectJson(const ObjectSummary& object) {
  Json json = {
      {"object", DisplayName(object)},        {"id", object.id.ToString()},
      {"namespace", object.namespace_name},   {"name", object.name},
      {"bytes", DatabaseBytes(object.head)},  {"page_size", object.head.page_size},
      {"page_count", object.head.page_count}, {"commits", object.commit_count},
      {"lsn", object.head.lsn.value},         {"last_change", FormatTime(object.head.time)}};
  if (object.damage.ok()) return json;
  json["damage"] = object.damage.message();
  for (const char* unknown : {"bytes", "page_size", "page_count"}) json[unknown] = nullptr;
  if (!object.head.lsn.valid()) json["lsn"] = json["last_change"] = nullptr;
  return json;
}

Failure TooMany(const std::string& store) {
  return Failure(StatusCodeName(StatusCode::kLimitExceeded), kExitFailed,
                 "there are more objects than the process that has " + store +
                     " open lists: " + FormatCount(kMostServed),
                 "name a NAMESPACE that has less, or list them when that process has ended");
}

void PrintDeletedTable(const std::vector<ObjectSummary>& objects) {
  Table table({{"OBJECT"}, {"COMMITS", Align::kRight}, {"DELETED"}});
  for (const ObjectSummary& object : objects) {
    table.AddRow(
        {DisplayName(object), FormatCount(object.commit_count), FormatLocalTime(object.head.time)});
  }
  table.Finish();
}

void PrintTable(const std::vector<ObjectSummary>& objects) {
  Table table({{"OBJECT"}, {"SIZE", Align::kRight}, {"COMMITS", Align::kRight}, {"LAST CHANGE"}});
  for (const ObjectSummary& object : objects) {
    table.AddRow({DisplayName(object),
                  object.damage.ok() ? FormatBytes(DatabaseBytes(object.head)) : "damaged",
                  FormatCount(object.commit_count),
                  object.head.lsn.valid() ? FormatLocalTime(object.head.time) : ""});
  }
  table.Finish();
}

void PrintJson(const std::vector<ObjectSummary>& objects, const std::string& store) {
  // Written object by object: a million of them make no tree in memory.
  Print("{\"store\":" + DumpJson(store) + ",\"objects\":[");
  for (size_t i = 0; i < objects.size(); ++i) {
    Print((i == 0 ? "" : ",") + DumpJson(ObjectJson(objects[i])));
  }
  PrintLine("]}");
}

void Run(const Arguments& arguments, bool json) {
  if (!arguments.namespace_name.empty()) {
    OrThrow(ValidateNamespaceName(arguments.namespace_name),
            {.kind = Subject::Kind::kNone, .store = arguments.store});
  }
  Session session(arguments.store);
  // The engine lists by id, which is a hash. About 200 bytes an object are held here.
  std::vector<ObjectSummary> objects;
  const size_t most = Scope::current() == nullptr ? SIZE_MAX : kMostServed;
  Progress progress("listing");
  OrThrow(session.store().ListObjects(
              arguments.namespace_name,
              [&](const ObjectSummary& object) {
                objects.push_back(object);
                progress.Update(objects.size(), 0);
                return objects.size() <= most;
              },
              arguments.deleted ? Listed::kDeleted : Listed::kExisting),
          session.AboutObject(""));
  progress.Hide();
  if (objects.size() > most) throw TooMany(session.path());
  session.Close();
  std::sort(objects.begin(), objects.end(), [](const ObjectSummary& a, const ObjectSummary& b) {
    return std::tie(a.namespace_name, a.name, a.id) < std::tie(b.namespace_name, b.name, b.id);
  });

  if (json) {
    PrintJson(objects, session.path());
  } else if (arguments.deleted) {
    PrintDeletedTable(objects);
  } else {
    PrintTable(objects);
  }
  const auto damaged =
      std::find_if(objects.begin(), objects.end(),
                   [](const ObjectSummary& object) { return !object.damage.ok(); });
  if (damaged != objects.end()) {
    throw Failure(StatusCodeName(damaged->damage.code()), kExitDamage,
                  "damaged in " + session.path() + ": " + damaged->damage.message(),
                  "its history is there up to the damage: `tidemark log` shows what it can be "
                  "restored to; tidemark verify lists all damage");
  }
}

}  // namespace

void AddLs(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "ls",
       .summary = "List objects with size, commits and last change",
       .usage = "STORE [NAMESPACE] [--deleted]",
       .details =
           "With --deleted, the deleted ones and when that was: `tidemark undelete` brings them "
           "back.\nWith TIDEMARK_STORE set, a single argument is the NAMESPACE, unless it has a "
           "slash in it,\nwhich no namespace has: then it is the STORE.",
       .example = "tidemark ls /var/lib/rooms\ntidemark ls /var/lib/rooms rooms --json",
       .json_fields = "{\"store\",\"objects\":[{\"object\",\"id\",\"namespace\",\"name\","
                      "\"bytes\",\n  \"page_size\",\"page_count\",\"commits\",\"lsn\","
                      "\"last_change\"[,\"damage\"]}]};\nof a damaged object what is not known is "
                      "null; last_change of a deleted one is the deletion"},
      &arguments->store, invocation);
  verb.OptionalArgument("NAMESPACE", "Only the objects of this namespace",
                        &arguments->namespace_name);
  verb.Flag("--deleted", "The deleted objects, and only those", &arguments->deleted);
  verb.ServedByOwner();
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
