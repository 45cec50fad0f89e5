// tidemark retention: shows and sets how long history is kept and how much of the disk it may take,
// and confirms the clock.

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "tools/byte_size.h"
#include "tools/retention_text.h"
#include "tools/session.h"
#include "tools/span.h"
#include "tools/table.h"
#include "tools/verbs.h"

namespace tidemark::tools {

namespace {

struct Arguments {
  std::string store;
  std::string scope;
  std::optional<std::string> keep;
  std::optional<std::string> hourly;
  std::optional<std::string> daily;
  std::optional<std::string> budget;
  bool clear = false;
  bool confirm_clock = false;

  bool sets() const { return keep || hourly || daily; }
};

std::string_view SourceName(PolicySource source) {
  switch (source) {
    case PolicySource::kOptions: return "default";
    case PolicySource::kStore: return "store";
    case PolicySource::kNamespace: return "namespace";
    case PolicySource::kObject: return "object";
  }
  return "";
}

Json PolicyJson(const RetentionPolicy& policy) {
  return {{"keep_seconds", policy.window.count()},
          {"hourly_seconds", policy.hourly.count()},
          {"daily_seconds", policy.daily.count()}};
}

Json HoldJson(const std::optional<HoldInfo>& hold) {
  if (!hold) return nullptr;
  return {{"reason", hold->reason}, {"since", FormatTime(hold->since)}};
}

Json TimeJson(Timestamp horizon) {
  if (horizon == Timestamp()) return nullptr;
  return FormatTime(horizon);
}

// What a command shows, read before the store closes.
struct Shown {
  std::string scope;
  RetentionInfo info;
  StoreStats stats;
  std::vector<RetentionEntry> rules;
};

Json OptionalJson(const std::optional<uint64_t>& number) { return number ? Json(*number) : Json(); }

void PrintShown(const Shown& shown) {
  PrintLine("policy    " + DescribePolicy(shown.info.policy) + " (from the " +
            std::string(SourceName(shown.info.source)) + ")");
  if (shown.info.hold) {
    PrintLine("held      since " + FormatLocalTime(shown.info.hold->since) +
              (shown.info.hold->reason.empty() ? "" : ": ") +
              PrintableLine(shown.info.hold->reason));
  }
  if (shown.info.budget_bytes) {
    PrintLine("budget    " + FormatBytes(*shown.info.budget_bytes) + " for the store's history, " +
              FormatBytes(shown.stats.history_bytes) + " used");
  }
  if (shown.stats.budget_is_unmet) PrintLine("OVER      " + std::string(kUnmetBudget));
  PrintLine("horizon   " + (shown.info.horizon == Timestamp()
                                ? std::string("none: nothing has expired")
                                : FormatLocalTime(shown.info.horizon)));
  if (shown.info.daily_horizon < shown.info.horizon) {
    PrintLine("thinned   back to " + FormatLocalTime(shown.info.daily_horizon));
  }
  if (const auto& alarm = shown.stats.clock_alarm) {
    PrintLine("PAUSED    the clock said " + FormatLocalTime(alarm->to) + " where about " +
              FormatLocalTime(alarm->from) +
              " was to be expected: nothing expires until --confirm-clock");
  }
  if (shown.rules.empty()) return;
  PrintLine("");
  Table table({{"SCOPE"}, {"WHAT"}});
  for (const RetentionEntry& rule : shown.rules) {
    table.AddRow({rule.scope, DescribeRule(rule)});
  }
  table.Finish();
}

void PrintShownJson(const std::string& store, const Shown& shown) {
  Json document = {{"store", store},
                   {"scope", shown.scope},
                   {"policy", PolicyJson(shown.info.policy)},
                   {"source", SourceName(shown.info.source)},
                   {"horizon", TimeJson(shown.info.horizon)},
                   {"hourly_horizon", TimeJson(shown.info.hourly_horizon)},
                   {"daily_horizon", TimeJson(shown.info.daily_horizon)},
                   {"hold", HoldJson(shown.info.hold)},
                   {"budget_bytes", OptionalJson(shown.info.budget_bytes)},
                   {"history_bytes", shown.stats.history_bytes},
                   {"clock_alarm", nullptr},
                   {"rules", Json::array()}};
  if (const auto& alarm = shown.stats.clock_alarm) {
    document["clock_alarm"] = {{"from", FormatTime(alarm->from)}, {"to", FormatTime(alarm->to)}};
  }
  for (const RetentionEntry& rule : shown.rules) {
    document["rules"].push_back({{"scope", rule.scope},
                                 {"policy", rule.policy ? PolicyJson(*rule.policy) : Json()},
                                 {"hold", HoldJson(rule.hold)},
                                 {"budget_bytes", OptionalJson(rule.budget_bytes)}});
  }
  PrintJson(document);
}

void CheckUsage(const Arguments& arguments) {
  if (arguments.clear && (arguments.sets() || arguments.budget)) {
    throw UsageFailure("retention", "--clear excludes --keep, --hourly, --daily and --budget");
  }
  if (arguments.budget && !arguments.scope.empty()) {
    throw UsageFailure("retention",
                       "--budget is for the whole store: its objects share the files that it is "
                       "about; keep less of " +
                           arguments.scope + " with --keep");
  }
  if (arguments.confirm_clock &&
      (arguments.clear || arguments.sets() || arguments.budget || !arguments.scope.empty())) {
    throw UsageFailure("retention", "--confirm-clock is for the whole store, and goes alone");
  }
}

// What is not given stays as it is in force.
RetentionPolicy Changed(RetentionPolicy policy, const Arguments& arguments) {
  const auto change = [](std::chrono::seconds* span, const std::optional<std::string>& text,
                         std::string_view option) {
    if (text) *span = ParseSpan(*text, "retention", option);
  };
  change(&policy.window, arguments.keep, "--keep");
  change(&policy.hourly, arguments.hourly, "--hourly");
  change(&policy.daily, arguments.daily, "--daily");
  return policy;
}

// None: "none".
std::optional<uint64_t> ParseBudget(const std::string& text) {
  if (text == "none") return std::nullopt;
  const uint64_t bytes = ParseByteSize(text, "retention", "--budget");
  if (bytes == 0) throw UsageFailure("retention", "--budget: without one is --budget none");
  return bytes;
}

void Run(const Arguments& arguments, bool json) {
  CheckUsage(arguments);
  Changed({}, arguments);
  const auto budget = arguments.budget ? ParseBudget(*arguments.budget) : std::nullopt;
  std::optional<ObjectName> name;
  if (arguments.scope.find('/') != std::string::npos) {
    name = ParseObjectName(arguments.scope, arguments.store);
  } else if (!arguments.scope.empty()) {
    OrThrow(ValidateNamespaceName(arguments.scope),
            {.kind = Subject::Kind::kNone, .store = arguments.store});
  }
  Session session(arguments.store);
  Store& store = session.store();
  const Subject about = session.AboutObject(arguments.scope);
  Shown shown;
  {
    RetentionScope scope;
    if (name) {
      scope = RetentionScope(*session.OpenObject(*name, IfMissing::kDeleted));
    } else if (!arguments.scope.empty()) {
      scope = RetentionScope(arguments.scope);
    }
    if (arguments.confirm_clock) OrThrow(store.ConfirmClock(), session.AboutStore());
    if (arguments.clear) OrThrow(store.ClearRetention(scope), about);
    if (arguments.budget) OrThrow(store.SetBudget(budget), session.AboutStore());
    shown.info = OrThrow(store.GetRetention(scope), about);
    if (arguments.sets()) {
      // The scope is there: what is wrong now is the policy.
      OrThrow(store.SetRetention(scope, Changed(shown.info.policy, arguments)),
              {.kind = Subject::Kind::kNone, .store = arguments.store});
      shown.info = OrThrow(store.GetRetention(scope), about);
    }
    shown.scope = scope.ToString();
    shown.stats = store.Stats();
    if (arguments.scope.empty()) {
      shown.rules = OrThrow(store.ListRetention(), session.AboutStore());
    }
  }
  session.Close();
  if (json) {
    PrintShownJson(session.path(), shown);
  } else {
    PrintShown(shown);
  }
}

}  // namespace

void AddRetention(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "retention",
       .summary = "Show or set how long history is kept, and in how many bytes",
       .usage = "STORE [NAMESPACE | OBJECT] [--keep SPAN] [--hourly SPAN] [--daily SPAN] [--clear] "
                "[--budget SIZE]",
       .details =
           std::string("For the store, a namespace (rooms) or an object (rooms/lobby): the most "
                       "specific policy counts.\nEverything is kept for --keep, then the last "
                       "commit of each hour until --hourly, then the last of\neach day until "
                       "--daily, all counted back from the present; 0s leaves a stage out. What is "
                       "not given\nstays as it is. SPAN is ") +
           kSpanHelp +
           ".\nHistory expires within a day after its window while a program has the store open, "
           "at "
           "once with\n`tidemark prune`, and by no other command; what has expired does not come "
           "back. --confirm-clock says\nthat the machine's time is right, after it was found to "
           "have jumped.\n--budget is of the store: the packed segments of its log are to take at "
           "most SIZE, and where they take\nmore the oldest history goes before its time, of all "
           "objects but those that are held, down to the last\nhour at most. `tidemark prune "
           "--dry-run` says what that is now. SIZE is " +
           kByteSizeHelp +
           ";\nnone: no budget.\nWith TIDEMARK_STORE set, an OBJECT needs its STORE "
           "before it all the same.",
       .example = "tidemark retention /var/lib/rooms --keep 30d --daily 365d\n"
                  "tidemark retention /var/lib/rooms rooms/lobby --keep 90d",
       .json_fields =
           "{\"store\",\"scope\",\"policy\":{\"keep_seconds\",\"hourly_seconds\","
           "\"daily_seconds\"},\"source\"\n(\"default\", \"store\", \"namespace\", "
           "\"object\"),\"horizon\",\"hourly_horizon\",\"daily_horizon\" (null: nothing\nhas "
           "expired),\"hold\":{\"reason\",\"since\"},\"budget_bytes\",\"history_bytes\","
           "\"clock_alarm\":{\"from\",\"to\"},\n\"rules\":[{\"scope\",\"policy\",\"hold\","
           "\"budget_bytes\"}]}; hold, budget_bytes and clock_alarm: null if there is none;\n"
           "history_bytes: what counts against the budget; rules: of the whole store only"},
      &arguments->store, invocation);
  verb.OptionalArgument("SCOPE", "A namespace, or NAMESPACE/NAME of an object", &arguments->scope);
  verb.Option("--keep", "Keep everything for so long", &arguments->keep);
  verb.Option("--hourly", "Then one commit of each hour, until that old", &arguments->hourly);
  verb.Option("--daily", "Then one commit of each day, until that old", &arguments->daily);
  verb.Option("--budget", "The store's history may take so many bytes; or none",
              &arguments->budget);
  verb.Flag("--clear", "Go by the policy around it again", &arguments->clear);
  verb.Flag("--confirm-clock", "The machine's time is right: let history expire again",
            &arguments->confirm_clock);
  verb.ServedByOwner();
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
