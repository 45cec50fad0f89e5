// tidemark alarms: the objects that are to be woken, in the order of that.

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <variant>

#include "tools/console.h"
#include "tools/session.h"
#include "tools/table.h"
#include "tools/verbs.h"

namespace tidemark::tools {

namespace {

struct Arguments {
  std::string store;
  std::optional<std::string> until;
};

Timestamp ParseUntil(const std::optional<std::string>& text) {
  if (!text) return Timestamp::max();
  const auto point = ParsePointNow(*text);
  const auto* const time = point.ok() ? std::get_if<Timestamp>(&*point) : nullptr;
  if (time != nullptr) return *time;
  throw UsageFailure("", "--until is a time, and \"" + *text + "\" is none");
}

std::string DisplayName(const DueAlarm& alarm) {
  return alarm.namespace_name + "/" + (alarm.name.empty() ? alarm.id.ToString() : alarm.name);
}

void Run(const Arguments& arguments, bool json) {
  const Timestamp until = ParseUntil(arguments.until);
  const Timestamp now = Clock::System()->Now();
  Session session(arguments.store);
  Table table({{"DUE"}, {"OBJECT"}});
  bool first = true;
  if (json) Print("{\"store\":" + DumpJson(session.path()) + ",\"alarms\":[");
  const Status listed = session.store().ListAlarms(
      [&](const DueAlarm& alarm) {
        if (json) {
          const Json row = {{"object", DisplayName(alarm)},      {"id", alarm.id.ToString()},
                            {"namespace", alarm.namespace_name}, {"name", alarm.name},
                            {"due", FormatTime(alarm.due)},      {"is_due", alarm.due <= now}};
          Print((std::exchange(first, false) ? "" : ",") + DumpJson(row));
        } else {
          table.AddRow({FormatLocalTime(alarm.due), DisplayName(alarm)});
        }
        return true;
      },
      until);
  OrThrow(listed, session.AboutStore());
  if (json) {
    PrintLine("]}");
  } else {
    table.Finish();
  }
  session.Close();
}

}  // namespace

void AddAlarms(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb(app,
            {.name = "alarms",
             .summary = "List the objects that have an alarm, the earliest first",
             .usage = "STORE [--until TIME]",
             .details = "An alarm is when a program that uses the store wants to be woken for an "
                        "object. This command wakes\nnobody.",
             .example = "tidemark alarms /var/lib/rooms\n"
                        "tidemark alarms /var/lib/rooms --until now",
             .json_fields = "{\"store\",\"alarms\":[{\"object\",\"id\",\"namespace\",\"name\","
                            "\"due\",\"is_due\"}]}"},
            &arguments->store, invocation);
  verb.Option("--until", "Only those that are due at this TIME: RFC 3339, or words",
              &arguments->until);
  verb.ServedByOwner();
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
