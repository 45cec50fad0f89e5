#include "vfs/internal/object_json.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "engine/bookmark.h"

namespace tidemark::internal {
namespace {

using Json = nlohmann::ordered_json;

// Texts are UTF-8; what should not be comes out as U+FFFD.
std::string Text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json OrNull(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json LabelJson(const LabelInfo& label) {
  const Json damage = OrNull(label.damage.message());
  if (label.name.empty()) {
    return {{"name", nullptr}, {"automatic", nullptr}, {"made", nullptr}, {"bookmark", nullptr},
            {"lsn", nullptr},  {"time", nullptr},      {"damage", damage}};
  }
  return {{"name", label.name},
          {"automatic", label.automatic},
          {"made", FormatTime(label.made)},
          {"bookmark", label.bookmark.ToString()},
          {"lsn", label.bookmark.lsn.value},
          {"time", label.damage.ok() ? Json(FormatTime(label.commit.time)) : Json()},
          {"damage", damage}};
}

}  // namespace

std::string StatJson(const Store& store, const Object& object, const CommitInfo& seen) {
  const StoreStats stats = store.Stats();
  return Text({{"object", object.DisplayName()},
               {"lsn", seen.lsn.value},
               {"page_size", seen.page_size},
               {"page_count", seen.page_count},
               {"bytes", uint64_t{seen.page_size} * seen.page_count},
               {"store", store.directory()},
               {"objects", stats.object_count},
               {"last_lsn", stats.last_lsn.value},
               {"durable_lsn", stats.durable_lsn.value},
               {"log_bytes", stats.log_bytes},
               {"log_file_bytes", stats.log_file_bytes},
               {"index_bytes", stats.index_bytes},
               {"index_file_bytes", stats.index_file_bytes},
               {"horizon", FormatTime(stats.horizon)}});
}

std::string SalvageJson(const SalvageReport& report) {
  return Text({{"whole", report.whole()},
               {"ends_cleanly", report.ends_cleanly},
               {"commits", report.commits},
               {"labels", report.labels},
               {"objects", report.objects.size()},
               {"objects_brought", report.objects_brought()},
               {"damage", report.damage.size()}});
}

Result<std::string> LabelsJson(const Object& object) {
  TIDEMARK_ASSIGN_OR_RETURN(const std::vector<LabelInfo> labels, object.ListLabels());
  Json rows = Json::array();
  for (const LabelInfo& label : labels) rows.push_back(LabelJson(label));
  return Text(rows);
}

Result<std::string> RestoresJson(const Store& store, const Object& object) {
  TIDEMARK_ASSIGN_OR_RETURN(const std::vector<RestoreEntry> restores, store.ListRestores(object));
  Json rows = Json::array();
  for (auto entry = restores.rbegin(); entry != restores.rend(); ++entry) {
    rows.push_back({{"lsn", entry->lsn.value},
                    {"time", FormatTime(entry->time)},
                    {"kind", CommitKindName(entry->kind)},
                    {"from", entry->from.ToString()},
                    {"to", entry->to ? Json(entry->to->ToString()) : Json()}});
  }
  return Text(rows);
}

}  // namespace tidemark::internal
