// tidemark bisect: finds the commit that made something true.

#include <sqlite3.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "tools/console.h"
#include "tools/progress.h"
#include "tools/session.h"
#include "tools/verbs.h"
#include "vfs/bisect.h"

namespace tidemark::tools {

namespace {

struct Arguments {
  std::string store;
  std::string object;
  std::string predicate;
  std::string good;
  std::optional<std::string> bad;
};

std::string DescribeFound(const Object& object, const CommitInfo& commit) {
  return DescribeCommit(object, commit) + "  " + std::string(CommitKindName(commit.kind));
}

void Run(const Arguments& arguments, bool json) {
  const ObjectName name = ParseObjectName(arguments.object, arguments.store);
  const Point good = ParsePointArgument(arguments.good, arguments.store, name);
  std::optional<Point> given_bad;
  if (arguments.bad) given_bad = ParsePointArgument(*arguments.bad, arguments.store, name);
  Session session(arguments.store);
  {
    const std::shared_ptr<Object> object = session.OpenObject(name, IfMissing::kDeleted);
    const Point bad = given_bad ? *given_bad : Point(object->BookmarkOf(object->head()));
    // Which of the two is wrong?
    session.ResolveCommit(*object, good);
    session.ResolveCommit(*object, bad);
    Progress progress("looking");
    const auto found = Bisect(session.store(), object, good, bad, arguments.predicate,
                              [&](uint64_t done, uint64_t total) { progress.Update(done, total); });
    progress.Hide();
    if (!found.ok()) {
      Failure failure = Explain(found.status(), session.AboutObject(name.text));
      if (found.status().code() == StatusCode::kInvalidArgument) {
        failure.exit_code = kExitFailed;  // which points these are, the store says
        const bool is_select = sqlite3_strnicmp(arguments.predicate.c_str(), "select", 6) == 0;
        failure.hint = "look at a commit with: " +
                       Command({"sql", session.path(), name.text, "--at", "POINT",
                                (is_select ? "" : "select ") + arguments.predicate});
      }
      throw failure;
    }
    const std::string first = object->BookmarkOf(found->first).ToString();
    const std::string before = object->BookmarkOf(found->before).ToString();
    const std::string look =
        Command({"sql", session.path(), name.text, "--at", first, "select * from sqlite_schema"});
    const std::string log =
        Command({"log", session.path(), name.text, "--since", before, "--until", first});
    const std::string restore = RestoreCommand(session, name.text, before);
    if (json) {
      PrintJson({{"store", session.path()},
                 {"object", name.text},
                 {"first", CommitJson(*object, found->first)},
                 {"before", CommitJson(*object, found->before)},
                 {"looks", found->looks},
                 {"without", found->without},
                 {"unreadable", found->unreadable},
                 {"log", log},
                 {"restore", restore}});
    } else {
      PrintLine(name.text);
      PrintLine("  first true at  " + DescribeFound(*object, found->first));
      PrintLine("  not true at    " + DescribeFound(*object, found->before));
      PrintLine("found by looking at " + Plural(found->looks, "commit") + ". To look closer:");
      PrintLine("  " + log);
      PrintLine("  " + look);
      PrintLine("to bring back what was before:");
      PrintLine("  " + restore);
      FlushOutput();
      if (found->without > 0) {
        PrintNote(Plural(found->without, "commit") +
                  " had no such table or column, or no object: not true there");
      }
      if (found->unreadable > 0) {
        PrintNote(Plural(found->unreadable, "damaged commit") + " passed over");
      }
    }
  }
  session.Close();
}

}  // namespace

void AddBisect(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "bisect",
       .summary = "Find the commit that made something true",
       .usage = "STORE OBJECT --good POINT [--bad POINT] PREDICATE",
       .details =
           std::string(
               "PREDICATE is an expression of SQL, or a SELECT that gives one; it only looks at "
               "the database. It must\nnot be true at the good POINT, and be true at the bad one: "
               "the commit in between is found at which\nit became true, by a few looks however "
               "many commits there are. Restores and what they left behind\nare commits, too. It "
               "is not true where the object did not exist, or a table or column was not there\n"
               "yet; if it is NULL, that is an error.\n") +
           kPointHelp,
       .example = "tidemark bisect /var/lib/rooms rooms/lobby --good yesterday "
                  "\"select count(*) = 0 from orders\"\n"
                  "tidemark bisect /var/lib/rooms rooms/lobby --good before-migration --bad now "
                  "\"exists (select 1 from users where name is null)\"",
       .json_fields =
           "{\"store\",\"object\",\"first\",\"before\",\"looks\",\"without\",\"unreadable\","
           "\"log\",\"restore\"}; first and before\nare commits:\n" +
           std::string(kCommitFields) +
           "\nlooks counts commits that were looked at, without those of them that lacked what "
           "the predicate names,\nunreadable the damaged ones; log and restore are commands"},
      &arguments->store, invocation);
  verb.Argument("OBJECT", kObjectHelp, &arguments->object);
  verb.Argument("PREDICATE", "What became true, in SQL", &arguments->predicate);
  verb.RequiredOption("--good", "A POINT at which it was not true", &arguments->good);
  verb.Option("--bad", "A later POINT at which it was; [the present]", &arguments->bad);
  verb.ServedByOwner();
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
