// Writes the binary seeds of the corpora, by the code whose bytes they are: make_seeds DIRECTORY,
// which is tests/fuzz/corpus. To be run again when engine/format.h has changed. Seeds of text are
// written by hand.

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>

#include "engine/check.h"
#include "engine/internal/coding.h"
#include "engine/internal/commit_list.h"
#include "engine/internal/group.h"
#include "engine/internal/history_block.h"
#include "engine/internal/index_rows.h"
#include "engine/internal/record.h"
#include "engine/internal/slotted_page.h"
#include "tests/fuzz/base_stores.h"
#include "tests/fuzz/log_bytes.h"
#include "tests/support/sim_store.h"

namespace tidemark::testing {
namespace {

using internal::Buffer;
using internal::ConstBytes;

constexpr size_t kMostBytes = 1500;  // of a seed

class Seeds {
 public:
  explicit Seeds(std::string directory) : directory_(std::move(directory)) {}

  // The first of a name is taken. `head` are the bytes before the seed's own.
  void Add(const std::string& target, const std::string& name, std::initializer_list<int> head,
           ConstBytes bytes) {
    if (bytes.size() > kMostBytes || !written_[target].try_emplace(name).second) return;
    const std::filesystem::path folder = directory_ / target;
    std::filesystem::create_directories(folder);
    std::ofstream out(folder / name, std::ios::binary);
    for (const int byte : head) out.put(static_cast<char>(byte));
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
    CHECK(out.good());
  }

 private:
  const std::filesystem::path directory_;
  std::map<std::string, std::map<std::string, bool>> written_;
};

// ---- of what stores write ----------------------------------------------------------------------

void AddRecord(Seeds& seeds, const internal::RecordView& record, ConstBytes bytes) {
  const int kind = static_cast<int>(record.kind);
  const std::string name = std::to_string(kind);
  seeds.Add("record", "whole-" + name, {0}, bytes);
  seeds.Add("record", "fields-" + name, {kind}, record.fields);
  const ConstBytes payload = bytes.subspan(record.payload_offset, record.payload_length);
  if (record.kind == internal::RecordKind::kFrame) {
    seeds.Add("record", "versions-" + std::to_string(payload.size() / 100), {40}, payload);
  } else if (record.kind == internal::RecordKind::kCommits) {
    seeds.Add("history", "run-" + std::to_string(record.fields.size() / 100), {2}, record.fields);
  } else if (record.kind == internal::RecordKind::kHistory) {
    const auto head = internal::ParseHistoryBlockHead(payload);
    if (head) {
      const ConstBytes block = payload.first(head->row.length);
      seeds.Add("history", "block-" + std::to_string(block.size() / 100), {0}, block);
    }
  }
}

void AddLog(Seeds& seeds, const BaseStore& base) {
  const SimStore sim(1, base.machine);
  for (const std::string& path : base.paths) {
    const LogBytes file(const_cast<SimStore&>(sim).fs().Contents(path));
    for (const ConstBytes group : file.AllGroups()) {
      seeds.Add("group", "group-" + std::to_string(group.size() / 200), {0}, group);
      for (const ConstBytes bytes : file.AllRecords(group)) {
        internal::RecordView record;
        CHECK(internal::ParseRecord(bytes, file.incarnation(), record) ==
              internal::ParseOutcome::kOk);
        AddRecord(seeds, record, bytes);
      }
    }
    seeds.Add("group", "header-" + path.substr(path.rfind('.') + 1), {2},
              ConstBytes(file.bytes()).first(64));
  }
}

// ---- made for it -------------------------------------------------------------------------------

// 512 bytes that look like a page of a B-tree.
Buffer SlottedPage() {
  Buffer page(512);
  page[0] = std::byte{10};
  constexpr size_t kCells = 12;
  page[4] = std::byte{kCells};
  size_t end = page.size();
  for (size_t i = 0; i < kCells; ++i) {
    end -= 10;
    internal::StoreBigEndian(page.data() + 8 + 2 * i, static_cast<uint16_t>(end));
    for (size_t j = 0; j < 10; ++j) page[end + j] = static_cast<std::byte>(i * j);
  }
  return page;
}

void AddPages(Seeds& seeds) {
  const Buffer page = SlottedPage();
  Buffer moved = page;
  std::copy(page.begin() + 420, page.end(), moved.begin() + 400);
  moved[3] = std::byte{7};
  Buffer both(page);
  both.insert(both.end(), moved.begin(), moved.end());
  seeds.Add("page", "encode", {0, 0, 2, 0}, both);
  Buffer slots;
  CHECK(internal::EncodeSlots(page, slots));
  seeds.Add("page", "slots", {1, 0, 0, 0}, slots);
  const auto add_patch = [&](const char* name, const Buffer& patch) {
    Buffer seed(page);
    seed.insert(seed.end(), patch.begin(), patch.end());
    seeds.Add("page", name, {2, 0, 2, 0}, seed);
  };
  Buffer patch;
  CHECK(internal::EncodeRanges(page, moved, 1000, patch));
  add_patch("ranges", patch);
  patch.clear();
  CHECK(internal::EncodeMoves(page, moved, 1000, patch));
  add_patch("moves", patch);
  patch.clear();
  CHECK(internal::CompressPatch(page, moved, 1000, patch));
  add_patch("zstd-patch", patch);
  patch.clear();
  CHECK(internal::CompressPage(page, patch));
  add_patch("zstd", patch);
  seeds.Add("history", "dictionary", {4, 0, 100}, page);
  seeds.Add("history", "images", {6, 0}, page);
}

void AddIndexRows(Seeds& seeds) {
  using namespace internal;
  const auto add = [&](int table, const char* name, ConstBytes key, ConstBytes value) {
    Buffer seed(key.begin(), key.end());
    seed.insert(seed.end(), value.begin(), value.end());
    seeds.Add("index_row", name, {table, 0, static_cast<int>(key.size())}, seed);
  };
  const ObjectId id{};
  Buffer out;
  AppendPageVersion({.lsn = Lsn(5), .location = {1, 8192}, .length = 70}, out);
  add(0, "version", {}, out);
  out.clear();
  AppendCommitRunRow({.lsn = Lsn(5), .location = {1, 8192}, .count = 9}, out);
  add(1, "run", {}, out);
  add(2, "namespace", TextKey("rooms"), EncodeNamespaceRow({.id = 3, .name = "rooms"}));
  add(3, "checkpoint", {}, EncodeCheckpointRow({.lsn = Lsn(5), .position = {1, 9000}}));
  add(4, "object", ObjectKey(3, id), EncodeObjectRow({.namespace_id = 3, .name = "lobby"}));
  add(5, "timeline", NumberKey(uint64_t{5}), EncodeTimelineRow({.id = TimelineId(5)}));
  add(6, "epoch", NumberKey(uint32_t{5}), EncodeEpochRow({.epoch = 5, .first_lsn = Lsn(7)}));
  add(7, "restore", RestoreKey(id, Lsn(5)), EncodeRestoreRow({.from_bookmark = "a"}));
  add(8, "damage", NumberKey(uint64_t{5}), EncodeDamageRow({.timeline = TimelineId(5)}));
  add(9, "label", LabelKey(id, "name"), EncodeLabelRow({.object = id, .name = "name"}));
  add(10, "packed", NumberKey(uint32_t{5}), EncodePackedRow({.number = 5, .first = 1, .last = 2}));
  const PurgeRow purge{.object = id, .namespace_id = 3, .timelines = {TimelineId(4)}};
  add(11, "purge", PurgeKey(id), EncodePurgeRow(purge));
  const RuleRow rule{.key = RuleKey::OfObject(RuleKind::kHold, id), .set = true, .reason = "why"};
  add(12, "rule", EncodeRuleKey(rule.key), EncodeRuleRow(rule));
  add(13, "licence", {}, EncodeLicenceRow({.lsn = Lsn(9), .granted = Lsn(8)}));
  add(14, "child", {}, EncodeChildRow({.parent_lsn = Lsn(4), .id = TimelineId(9)}));
  out.clear();
  const CommitRow commits[] = {{Lsn(5), {1, 8192}}, {Lsn(7), {1, 9000}}, {Lsn(8), {2, 8192}}};
  EncodeCommitList(commits, out);
  add(15, "commits", CommitListKey(TimelineId(3), Lsn(5)), out);
  const Timestamp due(std::chrono::seconds(5));
  const ScheduleRow schedule{.object = id,
                             .namespace_id = 3,
                             .set = true,
                             .lsn = Lsn(9),
                             .session = Lsn(8),
                             .source_namespace = 3,
                             .source = id,
                             .timeline = TimelineId(4),
                             .commit = Lsn(5),
                             .epoch = 1};
  add(17, "schedule", id.bytes, EncodeScheduleRow(schedule));
  add(16, "alarm", AlarmKey(due, id), EncodeAlarmRow({.due = due, .id = id, .namespace_id = 3}));
  add(4, "object-with-alarm", ObjectKey(3, id), EncodeObjectRow({.name = "lobby", .alarm = due}));
}

// Changes of stores, as store_fuzz.cc reads them: base, flags, and for each change file, kind and
// what that takes.
void AddChanges(Seeds& seeds) {
  for (int base = 0; base < 6; ++base) {
    const std::string number = std::to_string(base);
    seeds.Add("store", "as-it-is-" + number, {base, 0}, {});
    seeds.Add("store", "without-index-" + number, {base, 1}, {});
    seeds.Add("store", "field-" + number, {base, 1, 0, 1, 3, 0, 7, 2, 0, 1, 0x7f}, {});
    seeds.Add("store", "bytes-" + number, {base, base & 1, 1, 4, 2, 1, 40, 2, 1, 1}, {});
    seeds.Add("store", "group-" + number, {base, 1, 1, 7, 2, 3}, {});
    seeds.Add("store", "removed-" + number, {base, base & 1, 0xf9}, {});
  }
}

}  // namespace
}  // namespace tidemark::testing

int main(int argc, char** argv) {
  using namespace tidemark::testing;
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_seeds tests/fuzz/corpus\n");
    return 2;
  }
  Seeds seeds(argv[1]);
  for (const BaseStore& base : BaseStores()) AddLog(seeds, base);
  AddPages(seeds);
  AddIndexRows(seeds);
  AddChanges(seeds);
  return 0;
}
