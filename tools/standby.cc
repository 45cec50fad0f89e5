// tidemark standby: a warm copy of a whole store, kept current while another process writes it.

#include "engine/standby.h"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "tools/console.h"
#include "tools/control_client.h"
#include "tools/progress.h"
#include "tools/session.h"
#include "tools/text.h"
#include "tools/verbs.h"

namespace tidemark::tools {

namespace {

constexpr int kPauseMilliseconds = 200;  // between looks at a source without anything new

struct Arguments {
  std::string store;
  std::string directory;
  bool follow = false;
  bool status = false;
  bool promote = false;
};

// Takes what a verb prints.
class Capture final : public Console {
 public:
  void Out(std::string_view bytes) override { text_ += bytes; }
  void Err(std::string_view) override {}
  void Flush() override {}
  size_t Read(char*, size_t) override { return 0; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// Up to where the owner of the store says that all is durable; 0 if nobody says. It may be told
// before the log does.
Lsn ConfirmedByOwner(const std::string& store) {
  Capture capture;
  const Served served{
      .console = &capture, .program = ProgramName(), .directory = AbsolutePath(".")};
  const Scope scope(served);
  try {
    const auto code = RunAtOwner(store, {"stat", store, "--json"});
    if (!code || *code != kExitDone) return Lsn();
    const Json document = Json::parse(capture.text(), nullptr, /*allow_exceptions=*/false);
    if (!document.is_object() || !document.contains("durable_lsn")) return Lsn();
    const Json& lsn = document["durable_lsn"];
    return lsn.is_number_unsigned() ? Lsn(lsn.get<uint64_t>()) : Lsn();
  } catch (const Failure&) {
    return Lsn();  // busy, or gone: the log says it a little later
  }
}

Json StatusJson(const std::string& directory, const StandbyStatus& status, bool source_lost) {
  const auto lag = status.source_time > status.time ? status.source_time - status.time
                                                    : std::chrono::microseconds(0);
  Json json = {{"store", status.source},
               {"standby", directory},
               {"lsn", status.lsn.value},
               {"time", status.lsn.valid() ? Json(FormatTime(status.time)) : Json()},
               {"bytes", status.bytes},
               {"source_lost", source_lost},
               {"source_lsn", status.source_lsn.value},
               {"lag_records", status.lag_records()},
               {"lag_bytes", status.lag_bytes},
               {"lag_seconds", static_cast<double>(lag.count()) / 1e6},
               {"waits", status.waits}};
  if (source_lost) {
    for (const char* unknown : {"source_lsn", "lag_records", "lag_bytes", "lag_seconds", "waits"}) {
      json[unknown] = nullptr;
    }
  }
  return json;
}

void PrintStatus(const std::string& directory, const StandbyStatus& status, bool source_lost,
                 bool json) {
  if (json) return PrintJson(StatusJson(directory, status, source_lost));
  if (status.lsn.valid()) {
    PrintLine(directory + " has " + status.source + " up to LSN " +
              std::to_string(status.lsn.value) + ", " + FormatLocalTime(status.time) + "  (" +
              FormatBytes(status.bytes) + ")");
  } else {
    PrintLine(directory + " has nothing of " + status.source + " yet");
  }
  if (source_lost) {
    PrintLine("the store cannot be read: how far it is beyond that is not known");
  } else if (status.lag_records() == 0) {
    PrintLine("nothing is behind");
  } else {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(
        std::max(status.source_time - status.time, std::chrono::microseconds(0)));
    PrintLine("behind by " + Plural(status.lag_records(), "record") + ", " +
              FormatBytes(status.lag_bytes) + ", " +
              Plural(static_cast<uint64_t>(seconds.count()), "second"));
  }
  if (status.waits) {
    PrintLine("it waits for the next commit of the store, which has packed what is missing here");
  }
}

void RunPromote(const std::string& directory, bool json) {
  const Subject about{.kind = Subject::Kind::kStore, .store = directory};
  const Status promoted = Standby::Promote(directory);
  if (promoted.code() == StatusCode::kNotFound) {
    throw Failure(
        StatusCodeName(promoted.code()), kExitFailed, promoted.message(),
        "nothing was changed; begin one with: " + Command({"standby", "STORE", directory}));
  }
  OrThrow(promoted, about);
  Session session(directory);
  const StoreStats stats = session.store().Stats();
  session.Close();
  if (json) {
    return PrintJson({{"store", session.path()},
                      {"epoch", stats.epoch},
                      {"objects", stats.object_count},
                      {"lsn", stats.last_lsn.value}});
  }
  PrintLine(session.path() + " is a store of its own now, with " +
            Plural(stats.object_count, "object") + ", in epoch " + std::to_string(stats.epoch));
}

Failure ExplainStandby(const Status& status, const std::string& directory) {
  if (status.code() == StatusCode::kInUse) {
    return Failure(StatusCodeName(status.code()), kExitFailed, status.message(),
                   "one process follows into " + directory + " at a time");
  }
  if (status.code() == StatusCode::kExists || status.code() == StatusCode::kForeign) {
    return Failure(StatusCodeName(status.code()), kExitFailed, status.message(),
                   "nothing was changed");
  }
  return Explain(status, {.kind = Subject::Kind::kStore, .store = directory});
}

void RunFollow(const Arguments& arguments, const std::string& directory, bool json) {
  const std::string store = AbsolutePath(arguments.store);
  auto opened = Standby::Open(store, directory);
  if (opened.status().code() == StatusCode::kNotFound) {
    OrThrow(opened.status(), {.kind = Subject::Kind::kStore, .store = store});
  }
  if (!opened.ok()) throw ExplainStandby(opened.status(), directory);
  Standby& standby = **opened;
  const InterruptGuard guard;
  Lsn told;
  for (bool first = true;; first = false) {
    const auto begin = std::chrono::steady_clock::now();
    auto status = standby.Advance(ConfirmedByOwner(store));
    if (!status.ok()) throw ExplainStandby(status.status(), directory);
    const bool end = !arguments.follow || InterruptGuard::interrupted();
    const bool is_new = status->lsn != told;
    if (end || first || (json && is_new)) {
      PrintStatus(directory, *status, /*source_lost=*/false, json);
      FlushOutput();
      told = status->lsn;
    }
    if (end) return;
    if (first && !json) PrintNote("following; Ctrl-C ends it");
    // A look goes through the headers of all files: it is to be a fifth of the time at most. A
    // signal ends the pause.
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - begin);
    const auto pause = std::clamp<int64_t>(4 * took.count(), kPauseMilliseconds, 60'000);
    poll(nullptr, 0, static_cast<int>(pause));
  }
}

void Run(const Arguments& arguments, bool json) {
  if (arguments.status && arguments.promote) {
    throw UsageFailure("standby", "--status and --promote exclude each other");
  }
  if ((arguments.status || arguments.promote) && arguments.follow) {
    throw UsageFailure("standby", "--follow excludes --status and --promote");
  }
  if (!arguments.status && !arguments.promote) {
    if (arguments.directory.empty()) {
      throw UsageFailure("standby", "standby: DIR is missing (STORE cannot be left out here)");
    }
    return RunFollow(arguments, AbsolutePath(arguments.directory), json);
  }
  // With TIDEMARK_STORE set, the only argument may have been taken for what follows STORE.
  const std::string directory =
      AbsolutePath(arguments.directory.empty() ? arguments.store : arguments.directory);
  if (arguments.promote) return RunPromote(directory, json);
  bool source_lost = false;
  auto status = Standby::Look(directory, &source_lost);
  if (status.status().code() == StatusCode::kNotFound) {
    throw Failure(StatusCodeName(StatusCode::kNotFound), kExitFailed, status.status().message(),
                  "begin one with: " + Command({"standby", "STORE", directory}));
  }
  if (!status.ok()) throw ExplainStandby(status.status(), directory);
  PrintStatus(directory, *status, source_lost, json);
}

}  // namespace

void AddStandby(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "standby",
       .summary = "Keep a warm copy of a whole store",
       .usage = "STORE DIR [--follow] | DIR --status | DIR --promote",
       .details =
           "Copies into DIR what STORE has confirmed, while another process writes it; run again, "
           "or with\n--follow, what came since. DIR is never newer than what is durable in STORE, "
           "and can be promoted from\nwherever it is, if this is killed, too. The log says that a "
           "group of commits is durable in the next one:\nof a store that is idle, open, and not "
           "served by its owner, the last commits come with the next ones.\n--promote makes a "
           "store "
           "of DIR: its log is replayed, and a new owner epoch begins. It cannot follow any\nmore "
           "then. A promotion does not end the owner of STORE: see to that first.",
       .example = "tidemark standby /var/lib/rooms /mnt/standby --follow\n"
                  "tidemark standby /mnt/standby --status\n"
                  "tidemark standby /mnt/standby --promote",
       .json_fields =
           "{\"store\",\"standby\",\"lsn\",\"time\",\"bytes\",\"source_lost\",\"source_lsn\","
           "\"lag_records\",\"lag_bytes\",\n\"lag_seconds\",\"waits\"}, with --follow a line each "
           "time that something came; waits: for the next commit\nof the store. --promote: "
           "{\"store\",\"epoch\",\"objects\",\"lsn\"}"},
      &arguments->store, invocation);
  verb.OptionalArgument("DIR", "The standby: missing, empty, or begun before",
                        &arguments->directory);
  verb.Flag("--follow", "Go on until Ctrl-C", &arguments->follow);
  verb.Flag("--status", "Only say how far DIR is", &arguments->status);
  verb.Flag("--promote", "Make DIR a store of its own", &arguments->promote);
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
