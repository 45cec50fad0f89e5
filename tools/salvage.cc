// tidemark salvage: brings what is whole out of a damaged store, into a new one.

#include "engine/salvage.h"

#include <memory>
#include <nlohmann/json.hpp>

#include "tools/damage_json.h"
#include "tools/progress.h"
#include "tools/session.h"
#include "tools/table.h"
#include "tools/verbs.h"

namespace tidemark::tools {

namespace {

struct Arguments {
  std::string store;
  std::string new_store;
};

// What every object lost, in a word.
const char* OutcomeOf(const SalvagedObject& object) {
  if (object.commits == 0) return "nothing";
  return object.whole() ? "whole" : object.lost_newer > 0 ? "older" : "newest";
}

Json ObjectJson(const SalvagedObject& object) {
  Json json = {{"object", object.display_name},
               {"id", object.id.ToString()},
               {"outcome", OutcomeOf(object)},
               {"identified", object.identified},
               {"commits", object.commits},
               {"newest_lsn", nullptr},
               {"newest_time", nullptr},
               {"lost_newer", object.lost_newer},
               {"first_lost_lsn", nullptr},
               {"last_lost_lsn", nullptr},
               {"last_lost_time", nullptr},
               {"lost_older", object.lost_older},
               {"left_out", object.left_out},
               {"lost_records", object.lost_records},
               {"lost_labels", object.lost_labels},
               {"inexact_times", object.inexact_times},
               {"rebuilt_pages", object.rebuilt_pages}};
  if (object.newest.lsn.valid()) {
    json["newest_lsn"] = object.newest.lsn.value;
    json["newest_time"] = FormatTime(object.newest.time);
  }
  if (object.first_lost.valid()) {
    json["first_lost_lsn"] = object.first_lost.value;
    json["last_lost_lsn"] = object.last_lost.value;
  }
  if (object.last_lost_time) json["last_lost_time"] = FormatTime(*object.last_lost_time);
  return json;
}

Json ReportJson(const std::string& path, const std::string& new_path, const SalvageReport& report) {
  Json objects = Json::array();
  for (const SalvagedObject& object : report.objects) objects.push_back(ObjectJson(object));
  Json lost = Json::array();
  for (const LostStretch& stretch : report.lost) {
    lost.push_back({{"first_lsn", stretch.first.value}, {"last_lsn", stretch.last.value}});
  }
  return {{"store", path},
          {"new_store", new_path},
          {"whole", report.whole()},
          {"ends_cleanly", report.ends_cleanly},
          {"files", report.files},
          {"bytes", report.bytes},
          {"records", report.records},
          {"commits", report.commits},
          {"labels", report.labels},
          {"policies", report.policies},
          {"holds", report.holds},
          {"lost_policies", report.lost_policies},
          {"unattributed", report.unattributed},
          {"objects", objects},
          {"lost", lost},
          {"damage", DamageJson(report.damage)}};
}

std::string DescribeLoss(const SalvagedObject& object) {
  std::vector<std::string> parts;
  if (!object.identified) parts.push_back("its name is lost");
  if (object.commits == 0) parts.push_back("nothing of it could be brought");
  if (object.lost_newer > 0) {
    std::string text = Plural(object.lost_newer, "later commit") + " lost, LSN " +
                       std::to_string(object.first_lost.value);
    if (object.last_lost != object.first_lost) {
      text += " to " + std::to_string(object.last_lost.value);
    }
    if (object.last_lost_time) text += ", the last of " + FormatLocalTime(*object.last_lost_time);
    parts.push_back(text);
  }
  if (object.lost_older > 0) {
    parts.push_back(Plural(object.lost_older, "earlier commit") + " lost");
  }
  for (const std::string& label : object.lost_labels) parts.push_back("label " + label + " lost");
  if (object.lost_records > 0) {
    parts.push_back(Plural(object.lost_records, "record") +
                    " lost that may be of a label, a policy, a hold or earlier commits");
  }
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : "; ") + part;
  return text;
}

void PrintReport(const std::string& path, const std::string& new_path,
                 const SalvageReport& report) {
  PrintLine("read " + FormatBytes(report.bytes) + " of " + path + ": " +
            Plural(report.files, "file") + ", " + Plural(report.records, "record"));
  PrintLine("brought into " + new_path + ": " + Plural(report.objects_brought(), "object") + ", " +
            Plural(report.commits, "commit") + ", " + Plural(report.labels, "label") + ", " +
            FormatCount(report.policies + report.holds) + " policies and holds");
  bool any = false;
  for (const SalvagedObject& object : report.objects) any = any || !object.whole();
  if (any) {
    Table table({{"OBJECT"}, {"BROUGHT", Align::kRight}, {"NEWEST"}, {"MISSING"}});
    for (const SalvagedObject& object : report.objects) {
      if (object.whole()) continue;
      table.AddRow({object.display_name, std::to_string(object.commits),
                    object.newest.lsn.valid() ? FormatLocalTime(object.newest.time) : "-",
                    DescribeLoss(object)});
    }
    table.Finish();
  }
  for (const LostStretch& stretch : report.lost) {
    PrintLine("LSN " + std::to_string(stretch.first.value) + " to " +
              std::to_string(stretch.last.value) +
              " are lost, and nothing says whose commits they were: any object may miss some");
  }
  if (report.unattributed > 0) {
    for (const Damage& place : report.damage) {
      if (!place.object.empty()) continue;
      PrintLine("segment " + std::to_string(place.segment) + ", offset " +
                std::to_string(place.offset) + ": " + place.message);
    }
    PrintLine("of " + Plural(report.unattributed, "damaged place") +
              " nothing says whose commits stood there");
  }
  if (report.lost_policies > 0) {
    PrintLine(FormatCount(report.lost_policies) +
              " policies and holds lost: what they were of was not brought");
  }
  if (!report.ends_cleanly) {
    PrintLine(
        "the store was not closed cleanly: commits after the last one that was found, if there "
        "were any, have left no trace");
  }
  if (report.whole()) PrintLine("every object is whole, at its newest commit");
}

void Run(const Arguments& arguments, bool json) {
  const std::string path = AbsolutePath(arguments.store);
  const std::string new_path = AbsolutePath(arguments.new_store);
  SalvageReport report;
  {
    Progress progress("salvaging");
    StoreOptions options;
    auto salvaged = Salvage(path, new_path, options,
                            [&](uint64_t done, uint64_t total) { progress.Update(done, total); });
    const bool is_new = salvaged.status().code() == StatusCode::kExists;
    report = OrThrow(std::move(salvaged),
                     {.kind = is_new ? Subject::Kind::kNewStore : Subject::Kind::kStore,
                      .store = is_new ? new_path : path});
  }
  if (json) {
    PrintJson(ReportJson(path, new_path, report));
  } else {
    PrintReport(path, new_path, report);
  }
  if (report.whole()) return;
  if (report.objects_brought() == 0) {
    throw Failure(StatusCodeName(StatusCode::kCorruption), kExitFailed,
                  "nothing could be brought out of " + path,
                  "bring its files back from a copy, and try again with a new NEW_STORE");
  }
  throw Failure(StatusCodeName(StatusCode::kCorruption), kExitDamage,
                "what is whole was brought into " + new_path + "; the rest of " + path + " is lost",
                "keep " + path + " until you know that nothing of it is missed");
}

}  // namespace

void AddSalvage(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "salvage",
       .summary = "Bring what is whole out of a damaged store into a new one",
       .usage = "STORE NEW_STORE",
       .details =
           "For a store that does not open any more, or has damaged objects. STORE is only read. "
           "Every state of\nevery object of which all pages can be read, and whose hash proves it, "
           "comes into NEW_STORE, with its\ntime; then it is said what is missing. Labels, "
           "policies "
           "and holds come, too; restores become ordinary\ncommits, and bookmarks are new. An "
           "object whose name is lost is in the namespace lost+found, or has\nits id only. If it "
           "is "
           "interrupted, remove NEW_STORE and run it again. Exit code 0: everything is whole;\n3: "
           "something is lost; 1: nothing could be brought.",
       .example = "tidemark salvage /var/lib/rooms /var/lib/rooms.salvaged",
       .json_fields =
           "{\"store\",\"new_store\",\"whole\",\"ends_cleanly\",\"files\",\"bytes\",\"records\","
           "\"commits\",\"labels\",\n \"policies\",\"holds\",\"lost_policies\",\"unattributed\",\n "
           "\"objects\":[{\"object\",\"id\",\"outcome\" (\"whole\", \"newest\": earlier commits "
           "are "
           "lost, \"older\", \"nothing\"),\n  \"identified\",\"commits\",\"newest_lsn\","
           "\"newest_time\",\"lost_newer\",\"first_lost_lsn\",\"last_lost_lsn\",\n  "
           "\"last_lost_time\",\"lost_older\",\"left_out\",\"lost_records\",\"lost_labels\","
           "\"inexact_times\",\"rebuilt_pages\"}],\n \"lost\":[{\"first_lsn\",\"last_lsn\"}],"
           "\"damage\":[{\"object\" (or null),\"segment\",\"offset\",\"message\"}]}"},
      &arguments->store, invocation);
  verb.Argument("NEW_STORE", "A directory that is missing or empty", &arguments->new_store);
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
