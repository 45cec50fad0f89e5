#include "vfs/internal/object_json.h"

#include <cstdint>
#include <vector>

#include "engine/bookmark.h"
#include "vfs/internal/json.h"

namespace tidemark::internal {
namespace {

JsonObject LabelJson(const LabelInfo& label) {
  JsonObject row;
  if (label.name.empty()) {
    for (const char* member : {"name", "automatic", "made", "bookmark", "lsn", "time"}) {
      row.AddNull(member);
    }
  } else {
    row.Add("name", label.name)
        .AddBool("automatic", label.automatic)
        .Add("made", FormatTime(label.made))
        .Add("bookmark", label.bookmark.ToString())
        .Add("lsn", label.bookmark.lsn.value)
        .AddOrNull("time", label.damage.ok() ? FormatTime(label.commit.time) : "");
  }
  row.AddOrNull("damage", label.damage.message());
  return row;
}

}  // namespace

std::string StatJson(const Store& store, const Object& object, const CommitInfo& seen) {
  const StoreStats stats = store.Stats();
  JsonObject json;
  json.Add("object", object.DisplayName())
      .Add("lsn", seen.lsn.value)
      .Add("page_size", seen.page_size)
      .Add("page_count", seen.page_count)
      .Add("bytes", uint64_t{seen.page_size} * seen.page_count)
      .Add("store", store.directory())
      .Add("objects", stats.object_count)
      .Add("last_lsn", stats.last_lsn.value)
      .Add("durable_lsn", stats.durable_lsn.value)
      .Add("log_bytes", stats.log_bytes)
      .Add("log_file_bytes", stats.log_file_bytes)
      .Add("index_bytes", stats.index_bytes)
      .Add("index_file_bytes", stats.index_file_bytes)
      .Add("horizon", FormatTime(stats.horizon));
  return json.text();
}

Result<std::string> LabelsJson(const Object& object) {
  TIDEMARK_ASSIGN_OR_RETURN(const std::vector<LabelInfo> labels, object.ListLabels());
  JsonArray rows;
  for (const LabelInfo& label : labels) rows.Add(LabelJson(label));
  return rows.text();
}

Result<std::string> RestoresJson(const Store& store, const Object& object) {
  TIDEMARK_ASSIGN_OR_RETURN(const std::vector<RestoreEntry> restores, store.ListRestores(object));
  JsonArray rows;
  for (auto entry = restores.rbegin(); entry != restores.rend(); ++entry) {
    JsonObject row;
    row.Add("lsn", entry->lsn.value)
        .Add("time", FormatTime(entry->time))
        .Add("kind", CommitKindName(entry->kind))
        .Add("from", entry->from.ToString())
        .AddOrNull("to", entry->to ? entry->to->ToString() : "");
    rows.Add(row);
  }
  return rows.text();
}

}  // namespace tidemark::internal
