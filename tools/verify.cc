// tidemark verify: reads everything and checks every hash.

#include <memory>
#include <nlohmann/json.hpp>

#include "tools/damage_json.h"
#include "tools/progress.h"
#include "tools/session.h"
#include "tools/table.h"
#include "tools/verbs.h"

namespace tidemark::tools {

namespace {

Json ReportJson(const std::string& path, const VerifyReport& report) {
  return {{"store", path},
          {"whole", report.damage.empty()},
          {"segments", report.segments},
          {"groups", report.groups},
          {"records", report.records},
          {"page_versions", report.page_versions},
          {"objects", report.objects},
          {"bytes", report.bytes},
          {"damage", DamageJson(report.damage)}};
}

void PrintReport(const VerifyReport& report) {
  PrintLine("read " + FormatBytes(report.bytes) + ": " + Plural(report.segments, "segment") + ", " +
            Plural(report.groups, "group") + ", " + Plural(report.records, "record") + ", " +
            Plural(report.page_versions, "page version") + ", " + Plural(report.objects, "object"));
  if (report.damage.empty()) {
    PrintLine("every hash is right");
    return;
  }
  Table table(
      {{"DAMAGED OBJECT"}, {"SEGMENT", Align::kRight}, {"OFFSET", Align::kRight}, {"WHAT"}});
  for (const Damage& place : report.damage) {
    table.AddRow({place.object.empty() ? "(of no one object)" : place.object,
                  std::to_string(place.segment), std::to_string(place.offset), place.message});
  }
  table.Finish();
}

void Run(const std::string& directory, bool json) {
  Session session(directory, Session::IndexCheck::kAllPages);
  VerifyReport report;
  {
    Progress progress("verifying");
    report = OrThrow(session.store().Verify(
                         [&](uint64_t done, uint64_t total) { progress.Update(done, total); }),
                     session.AboutStore());
  }
  // Closing writes; what was found must be told even if that fails.
  if (json) {
    PrintJson(ReportJson(session.path(), report));
  } else {
    PrintReport(report);
  }
  if (!report.damage.empty()) {
    throw Failure(StatusCodeName(StatusCode::kCorruption), kExitDamage,
                  Plural(report.damage.size(), "damaged place") + " in " + session.path(),
                  "objects that are not named are whole; restore a named one to a bookmark before "
                  "the damage, or bring the files back from a backup");
  }
  session.Close();
}

}  // namespace

void AddVerify(CLI::App& app, Invocation* invocation) {
  struct Arguments {
    std::string store;
  };
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "verify",
       .summary = "Read everything and check every hash",
       .usage = "STORE",
       .details =
           "Exit code 3 if anything is damaged; each damaged place is listed with the object "
           "it belongs to.\nDamage so bad that the store does not open is reported in the "
           "same way, as an error.",
       .example = "tidemark verify /var/lib/rooms",
       .json_fields = "{\"store\",\"whole\",\"segments\",\"groups\",\"records\",\"page_versions\","
                      "\"objects\",\"bytes\",\n \"damage\":[{\"object\" (or null),\"segment\","
                      "\"offset\",\"message\"}]}"},
      &arguments->store, invocation);
  verb.OnRun([=] { Run(arguments->store, invocation->json); });
}

}  // namespace tidemark::tools
