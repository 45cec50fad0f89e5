// tidemark label: names a commit of an object, for good; moves and removes such names.

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "tools/session.h"
#include "tools/verbs.h"

namespace tidemark::tools {

namespace {

struct Arguments {
  std::string store;
  std::string object;
  std::string name;
  std::optional<std::string> at;
  bool move = false;
  bool remove = false;
};

void Remove(const Arguments& arguments, const ObjectName& name, bool json) {
  Session session(arguments.store);
  {
    const std::shared_ptr<Object> object = session.OpenObject(name);
    OrThrow(object->RemoveLabel(arguments.name), session.AboutLabel(name.text));
  }
  session.Close();
  if (json) {
    PrintJson({{"store", session.path()},
               {"object", name.text},
               {"label", arguments.name},
               {"removed", true}});
  }
}

void Set(const Arguments& arguments, const ObjectName& name, const std::optional<Point>& at,
         bool json) {
  Session session(arguments.store);
  Json document;
  std::string line;
  {
    const std::shared_ptr<Object> object = session.OpenObject(name);
    const CommitInfo commit = session.ResolveCommit(*object, at);
    OrThrow(object->SetLabel(arguments.name, FixedPoint(*object, at, commit),
                             arguments.move ? IfLabelExists::kMove : IfLabelExists::kFail),
            session.AboutLabel(name.text, arguments.name));
    document = CommitJson(*object, commit);
    line = arguments.name + " is " + object->BookmarkOf(commit).ToString() + "  (" +
           FormatLocalTime(commit.time) + ")";
  }
  session.Close();
  if (!json) {
    PrintLine(line);
    return;
  }
  document["store"] = session.path();
  document["object"] = name.text;
  document["label"] = arguments.name;
  document["removed"] = false;
  PrintJson(document);
}

void Run(const Arguments& arguments, bool json) {
  if (arguments.remove && (arguments.at || arguments.move)) {
    throw UsageFailure("label", "--remove excludes --at and --move");
  }
  const ObjectName name = ParseObjectName(arguments.object, arguments.store);
  OrThrow(ValidateLabelName(arguments.name),
          {.kind = Subject::Kind::kLabel, .store = arguments.store, .object = name.text});
  if (arguments.remove) return Remove(arguments, name, json);
  std::optional<Point> at;
  if (arguments.at) at = ParsePointArgument(*arguments.at, arguments.store, name);
  Set(arguments, name, at, json);
}

}  // namespace

void AddLabel(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "label",
       .summary = "Give a commit of an object a name that stays",
       .usage = "STORE OBJECT NAME [--at POINT] [--move | --remove]",
       .details =
           std::string("Without --at, names the latest commit. A label is a POINT wherever one is "
                       "asked for, and never\nexpires. NAME is 1 to 64 letters, digits, dots, "
                       "dashes and underscores, the first a letter.\n") +
           kPointHelp,
       .example = "tidemark label /var/lib/rooms rooms/lobby before-migration\n"
                  "tidemark restore /var/lib/rooms rooms/lobby --to before-migration",
       .json_fields = std::string(kCommitFields) +
                      ",\nstore, object, label, removed; with --remove only these four"},
      &arguments->store, invocation);
  verb.Argument("OBJECT", kObjectHelp, &arguments->object);
  verb.Argument("NAME", "The label", &arguments->name);
  verb.Option("--at", "Name the commit at this POINT, not the latest", &arguments->at);
  verb.Flag("--move", "If the label exists, let it name this commit instead", &arguments->move);
  verb.Flag("--remove", "Remove the label; the commit stays", &arguments->remove);
  verb.ServedByOwner();
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
