// tidemark bookmark: the text that names a commit of an object.

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "tools/namespace_arguments.h"
#include "tools/session.h"
#include "tools/verbs.h"

namespace tidemark::tools {

namespace {

struct Arguments {
  std::string store;
  std::string object;
  std::optional<std::string> at;
};

void RunNamespace(const Arguments& arguments, bool json) {
  const NamespaceArgument ns = ParseNamespaceArgument(arguments.object, arguments.store);
  if (arguments.at) {
    throw UsageFailure("bookmark",
                       "--at is for an object: a time is a point of a namespace by itself");
  }
  Session session(arguments.store);
  const Bookmark bookmark =
      OrThrow(session.store().NamespaceBookmark(ns.name), AboutNamespacePoint(session, ns));
  session.Close();
  if (json) {
    PrintJson({{"store", session.path()},
               {"namespace", ns.name},
               {"bookmark", bookmark.ToString()},
               {"lsn", bookmark.lsn.value}});
  } else {
    PrintLine(bookmark.ToString());
  }
}

void Run(const Arguments& arguments, bool json) {
  if (NamesNamespace(arguments.object)) return RunNamespace(arguments, json);
  const ObjectName name = ParseObjectName(arguments.object, arguments.store);
  std::optional<Point> at;
  if (arguments.at) at = ParsePointArgument(*arguments.at, arguments.store, name);

  Session session(arguments.store);
  std::string bookmark;
  Json document;
  {
    const std::shared_ptr<Object> object =
        session.OpenObject(name, at ? IfMissing::kDeleted : IfMissing::kFail);
    const CommitInfo commit = session.ResolveCommit(*object, at);
    bookmark = object->BookmarkOf(commit).ToString();
    document = CommitJson(*object, commit);
  }
  session.Close();
  if (!json) {
    PrintLine(bookmark);
    return;
  }
  document["store"] = session.path();
  document["object"] = name.text;
  PrintJson(document);
}

}  // namespace

void AddBookmark(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "bookmark",
       .summary = "Print the bookmark for now or for a time",
       .usage = "STORE OBJECT [--at POINT]",
       .details =
           std::string(
               "Without a write in between, the same bookmark comes again.\nNAMESPACE/ prints one "
               "for all its objects at this moment, which each of them takes for a point "
               "of its own, too;\nanother one comes when anything in the store was written.\n") +
           kPointHelp,
       .example = "tidemark bookmark /var/lib/rooms rooms/lobby\n"
                  "tidemark bookmark /var/lib/rooms rooms/lobby --at \"5 minutes ago\"\n"
                  "tidemark bookmark /var/lib/rooms rooms/",
       .json_fields =
           std::string(kCommitFields) +
           ", store, object;\nof a namespace {\"store\",\"namespace\",\"bookmark\",\"lsn\"}"},
      &arguments->store, invocation);
  verb.Argument("OBJECT", kNamespaceHelp, &arguments->object);
  verb.Option("--at", "The commit at this POINT, not the latest", &arguments->at);
  verb.ServedByOwner();
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
