// tidemark copy: brings an object into another store, as it is or with its history.

#include "engine/copy.h"

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
  std::string other_store;
  std::optional<std::string> as;
  bool history = false;
  bool create = false;
};

// The store that is copied into. It takes its time from a clock that follows the history.
class OtherStore {
 public:
  OtherStore(const Arguments& arguments, Timestamp begin)
      : path_(AbsolutePath(arguments.other_store)), clock_(begin) {
    Progress progress("replaying the log");
    StoreOptions options;
    options.retention_share = 0;
    options.scrub_interval = options.drill_interval = std::chrono::seconds(0);
    options.create_if_missing = arguments.create;
    if (arguments.history) options.clock = &clock_;
    options.recovery_progress = [&progress](uint64_t done, uint64_t total) {
      progress.Update(done, total);
    };
    auto opened = Store::Open(path_, options);
    if (!opened.ok() && opened.status().code() == StatusCode::kNotFound && !arguments.create) {
      throw Failure(StatusCodeName(StatusCode::kNotFound), kExitFailed, opened.status().message(),
                    "--create makes it");
    }
    store_ = OrThrow(std::move(opened), About());
  }

  Store& store() { return *store_; }
  ManualClock& clock() { return clock_; }
  const std::string& path() const { return path_; }
  Subject About() const { return {.kind = Subject::Kind::kStore, .store = path_}; }

  void Close() {
    // Whoever opens it next must not think that it lay closed since the last commit of the history.
    const Timestamp now = Clock::System()->Now();
    if (now > clock_.Now()) clock_.Advance(now - clock_.Now());
    OrThrow(store_->Close(), About());
  }

 private:
  const std::string path_;
  ManualClock clock_;
  std::unique_ptr<Store> store_;
};

// At or before the oldest commit.
Timestamp BeginOf(const Session& session, const Object& object) {
  Timestamp begin = object.head().time;
  OrThrow(object.History([&](const CommitInfo& commit) {
    begin = commit.time;
    return true;
  }),
          session.AboutObject(object.DisplayName()));
  return begin;
}

Failure ExplainCopy(const Status& status, const Session& session, const std::string& object) {
  if (status.code() != StatusCode::kExists && status.code() != StatusCode::kInvalidArgument) {
    return Explain(status, session.AboutObject(object));
  }
  return Failure(
      StatusCodeName(status.code()), kExitFailed, status.message(),
      "nothing of it was changed; --as gives the copy another name, and --create another store");
}

CopyReport Copy(Session& session, const ObjectName& name, OtherStore& other,
                const ObjectName& other_name, bool history) {
  const std::shared_ptr<Object> object =
      session.OpenObject(name, history ? IfMissing::kDeleted : IfMissing::kFail);
  Progress progress("copying");
  auto copied = CopyObject(*object, other.store(), other_name.namespace_name, other_name.name,
                           {.history = history, .clock = history ? &other.clock() : nullptr},
                           [&](uint64_t done, uint64_t total) { progress.Update(done, total); });
  if (!copied.ok()) throw ExplainCopy(copied.status(), session, name.text);
  return *copied;
}

std::string Describe(const CopyReport& report, bool history) {
  if (!history) return report.commits == 0 ? "nothing to do: that is its present state" : "done";
  std::string text = Plural(report.commits, "commit") + " copied";
  if (report.found > 0) text += ", " + FormatCount(report.found) + " were there";
  if (report.labels > 0) text += ", " + Plural(report.labels, "label");
  return text + "; each state was proven by its hash";
}

void Run(const Arguments& arguments, bool json) {
  const ObjectName name = ParseObjectName(arguments.object, arguments.store);
  const ObjectName other_name =
      arguments.as ? ParseObjectName(*arguments.as, arguments.other_store) : name;
  Session session(arguments.store);
  if (session.path() == AbsolutePath(arguments.other_store)) {
    throw UsageFailure("copy", "both stores are " + session.path() +
                                   ": `tidemark fork` makes a copy of an object in its own store, "
                                   "and takes no space");
  }
  Json document;
  {
    const std::shared_ptr<Object> object =
        session.OpenObject(name, arguments.history ? IfMissing::kDeleted : IfMissing::kFail);
    OtherStore other(arguments, arguments.history ? BeginOf(session, *object) : Timestamp());
    const CopyReport report = Copy(session, name, other, other_name, arguments.history);
    const auto copy = OrThrow(
        other.store().OpenObject(other_name.namespace_name, other_name.name, IfMissing::kDeleted),
        other.About());
    if (json) {
      document = {{"store", session.path()},
                  {"object", name.text},
                  {"other_store", other.path()},
                  {"other_object", other_name.text},
                  {"history", arguments.history},
                  {"commits", report.commits},
                  {"found", report.found},
                  {"labels", report.labels},
                  {"pages", report.pages},
                  {"from", CommitJson(*object, report.newest)},
                  {"result", CommitJson(*copy, report.copied)}};
    } else {
      PrintLine(other_name.text + " of " + other.path());
      PrintLine("  is what " + name.text + " is at " + DescribeCommit(*object, report.newest));
      PrintLine(Describe(report, arguments.history));
    }
    other.Close();
  }
  session.Close();
  if (json) PrintJson(document);
}

}  // namespace

void AddCopy(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "copy",
       .summary = "Copy an object into another store",
       .usage = "STORE OBJECT OTHER_STORE [--as NAMESPACE/NAME] [--history] [--create]",
       .details =
           "Copies the present state, as one commit: all or nothing. With --history every commit "
           "that has not\nexpired, each with its time and state, and labels: at each point in time "
           "both show the same database.\nRestores, forks and promotes are ordinary commits in the "
           "copy; bookmarks are new; alarms, automatic\nlabels, holds and policies stay behind. "
           "Each state is proven by its hash. If it is interrupted, run it\nagain: it goes on "
           "where "
           "it was, and later adds what is new. A history needs a store of its own (--create).",
       .example = "tidemark copy /var/lib/rooms rooms/lobby /mnt/other --create\n"
                  "tidemark copy /var/lib/rooms rooms/lobby /mnt/lobby --history --create",
       .json_fields =
           "{\"store\",\"object\",\"other_store\",\"other_object\",\"history\",\"commits\","
           "\"found\",\"labels\",\"pages\",\n\"from\",\"result\"}; commits: written by this run; "
           "found: there from an earlier one; from and result are\nthe newest commit on both "
           "sides:\n" +
           std::string(kCommitFields)},
      &arguments->store, invocation);
  verb.Argument("OBJECT", kObjectHelp, &arguments->object);
  verb.Argument("OTHER_STORE", "Directory of the other store", &arguments->other_store);
  verb.Option("--as", "NAMESPACE/NAME of the copy, if it is another", &arguments->as);
  verb.Flag("--history", "All commits, not only the latest", &arguments->history);
  verb.Flag("--create", "Make the other store if it is missing", &arguments->create);
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
