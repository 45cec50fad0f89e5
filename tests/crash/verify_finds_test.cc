// verify finds what rots: one damage after the other, in every structure of every file of the log,
// packed and not, and bits of the index, counted. rot_test.cc asks what such damage costs, and
// whom.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/format.h"
#include "engine/internal/group.h"
#include "engine/internal/index_rows.h"
#include "engine/internal/lmdb_env.h"
#include "engine/internal/segment_header.h"
#include "tests/engine/packing_fixture.h"

namespace tidemark::testing {
namespace {

// A stretch of a file that means something; what is not in one is unused.
struct Stretch {
  std::string path;
  uint32_t segment = 0;
  std::string kind;
  uint64_t begin = 0;
  uint64_t end = 0;
};

template <typename T>
T At(std::span<const std::byte> bytes, uint64_t offset) {
  T value{};
  if (offset + sizeof(T) <= bytes.size()) {
    std::memcpy(&value, bytes.data() + offset, sizeof(value));
  }
  return value;
}

// The groups of a file, back to back; each record a stretch, with the zeros behind the last one.
void MapGroups(std::span<const std::byte> bytes, Stretch file, std::vector<Stretch>* map) {
  const auto add = [&](const char* kind, uint64_t begin, uint64_t end) {
    map->push_back({file.path, file.segment, file.kind + kind, begin, end});
  };
  const auto incarnation = At<format::SegmentHeader>(bytes, 0).incarnation;
  for (uint64_t at = format::kFirstGroupOffset;;) {
    const auto header = At<format::GroupHeader>(bytes, at);
    if (!internal::IsGroupHeader(header, incarnation)) return;
    const auto group = bytes.subspan(at, header.length);
    const auto directory = internal::ParseDirectory(group, incarnation);
    ASSERT_TRUE(directory.has_value());
    const uint64_t end = at + header.length;
    const auto footer = At<format::GroupFooter>(bytes, end - sizeof(format::GroupFooter));
    const uint64_t directory_at = end - sizeof(footer) - footer.directory_length;
    add(" group header", at, at + sizeof(header));
    for (size_t i = 0; i < directory->size(); ++i) {
      const uint64_t next =
          i + 1 < directory->size() ? at + (*directory)[i + 1].offset : directory_at;
      const auto kind = static_cast<unsigned>(group[(*directory)[i].offset]);
      add((" record of kind " + std::to_string(kind)).c_str(), at + (*directory)[i].offset, next);
    }
    add(" directory", directory_at, end - sizeof(footer));
    add(" footer", end - sizeof(footer), end);
    at = end;
  }
}

class VerifyFindsTest : public PackingFixture {
 protected:
  VerifyFindsTest() { sim_.options().segment_size_bytes = 4u << 20; }

  // Days of work of all kinds, in files of which some are packed; closed.
  void Live() {
    StoreModel model(TestSeed(),
                     {.objects = 4, .pages = 24, .smallest_page = 1024, .page_sizes = 2});
    ASSERT_OK(sim_.Open());
    ASSERT_OK_AND_ASSIGN(const auto log, Open("log"));
    for (int i = 0; i < 600; ++i) {
      Step(model, i % 200);
      if (HasFailure()) return;
      // Pages that are alike: of these a packing learns a dictionary.
      for (uint64_t row = 0; row < 24; ++row) {
        ASSERT_OK(Commit(
            log, {{static_cast<uint32_t>(1 + i), TextPage(24 * static_cast<uint64_t>(i) + row)}}));
      }
      if (i == 200 || i == 450) {
        ASSERT_OK(sim_.store().SetRetention({}, {.window = std::chrono::hours(24 * 30)}));
        ASSERT_OK(sim_.Reclaim(ReclaimWhat::kEverything));
      }
    }
    ExpectWhole("before the close");
    ASSERT_OK(sim_.Close());
  }

  static PageBytes TextPage(uint64_t version) {
    PageBytes page(kPageSize);
    std::byte* at = page.data();
    for (uint64_t row = version / 24 * 24; row <= version; ++row) {
      Random random(row);
      const std::string text = R"({"user":"user-)" + std::to_string(random.Next() % 20000) +
                               R"(","action":"add_to_cart","price":)" +
                               std::to_string(random.Next() % 50000) +
                               R"(,"time":"2026-11-21T12:00:00Z","country":"DE"})";
      at = std::transform(text.begin(), text.end(), at,
                          [](char c) { return static_cast<std::byte>(c); });
    }
    return page;
  }

  void Map() {
    const std::string log = "store/log";
    ASSERT_OK_AND_ASSIGN(auto names, sim_.fs().ListDirectory(log));
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
      const auto number = internal::ParseSegmentName(name);
      ASSERT_TRUE(number.has_value()) << name;
      Stretch file{.path = log + "/" + name, .segment = *number, .kind = "segment's"};
      const auto bytes = sim_.fs().Contents(file.path);
      const auto header = At<format::SegmentHeader>(bytes, 0);
      if (header.magic == 0) continue;  // a spare
      uint64_t header_size = sizeof(format::SegmentHeader);
      if (format::IsPacked(*number)) {
        file.kind = "packed segment's";
        header_size += sizeof(format::PackedLog);
      }
      for (const uint32_t offset : {0u, format::kSecondHeaderOffset}) {
        map_.push_back(
            {file.path, file.segment, file.kind + " header", offset, offset + header_size});
      }
      MapGroups(bytes, file, &map_);
      if (HasFailure()) return;
      last_ = map_.size();
    }
    // Of a store that was closed the last group is the close record alone: without it there is
    // nothing less, and no telling it from a crash.
    while (map_.back().kind != "segment's group header") map_.pop_back();
    map_.pop_back();
  }

  // Changes the stretch. False if it is as before.
  static bool Inflict(SimFileSystem& fs, const Stretch& at, Random& random) {
    const auto before = fs.Contents(at.path);
    const uint64_t offset = random.Between(at.begin, at.end - 1);
    switch (random.Below(3)) {
      case 0: fs.FlipBit(at.path, offset, static_cast<unsigned>(random.Below(8))); break;
      case 1: {
        std::vector<std::byte> noise(std::min<uint64_t>(1 + random.Below(64), at.end - offset));
        for (std::byte& byte : noise) byte = static_cast<std::byte>(random.Next());
        fs.Overwrite(at.path, offset, noise);
        break;
      }
      case 2:
        fs.Overwrite(at.path, offset,
                     std::vector<std::byte>(std::min<uint64_t>(64, at.end - offset)));
        break;
    }
    return fs.Contents(at.path) != before;
  }

  std::vector<Stretch> map_;
  size_t last_ = 0;
};

// Goal: of all damage that is in what is used, verify (or the opening) finds all. Method: a clean
// store with files of both kinds, and with a record of each kind that there is; a damage in one
// stretch, each kind of stretch as often; the store is opened, and verified with the damage named.
TEST_F(VerifyFindsTest, AllOfIt) {
  ASSERT_NO_FATAL_FAILURE(Live());
  ASSERT_NO_FATAL_FAILURE(Map());
  const SimStore::Machine machine = sim_.Save();
  std::map<std::string, std::vector<const Stretch*>> kinds;
  for (const Stretch& stretch : map_) kinds[stretch.kind].push_back(&stretch);
  EXPECT_TRUE(kinds.contains("packed segment's record of kind 16")) << "no dictionary";
  Random random(TestSeed());
  uint64_t inflicted = 0;
  uint64_t found = 0;
  uint64_t healed = 0;
  for (const auto& [kind, stretches] : kinds) {
    for (uint64_t i = 0; i < Scaled(10); ++i) {
      const Stretch& at = *stretches[random.Below(stretches.size())];
      SCOPED_TRACE(::testing::Message() << kind << ", " << at.path << ", bytes " << at.begin
                                        << " to " << at.end << ", trial " << i);
      SimStore sim(TestSeed(), machine);
      sim.options().segment_size_bytes = sim_.options().segment_size_bytes;
      const auto was = sim.fs().Contents(at.path);
      if (!Inflict(sim.fs(), at, random)) continue;
      ++inflicted;
      const Status opened = sim.Open();
      if (!opened.ok()) {
        EXPECT_EQ(opened.code(), StatusCode::kCorruption) << opened.ToString();
        ++found;
        continue;
      }
      ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim.store().Verify());
      const bool named =
          std::any_of(report.damage.begin(), report.damage.end(), [&](const Damage& damage) {
            return damage.segment == at.segment ||
                   damage.message.find(std::to_string(at.segment & ~format::kPackedBit)) !=
                       std::string::npos;
          });
      const auto is = sim.fs().Contents(at.path);
      const auto used = [&at](const std::vector<std::byte>& file) {
        return std::span(file).subspan(at.begin, at.end - at.begin);
      };
      const bool same = is.size() == was.size() && std::ranges::equal(used(was), used(is));
      found += named;
      healed += !named && same;
      EXPECT_TRUE(named || same) << report.damage.size() << " other findings";
    }
  }
  std::printf("verify: %zu kinds of structures, found %llu of %llu", kinds.size(),
              static_cast<unsigned long long>(found), static_cast<unsigned long long>(inflicted));
  std::printf("; the opening had repaired %llu\n", static_cast<unsigned long long>(healed));
  EXPECT_EQ(found + healed, inflicted);
  EXPECT_GT(found, inflicted * 9 / 10);
}

// All rows of the index in `bytes`, one after the other, each as its table and its bytes; empty if
// they cannot be read.
std::vector<std::string> RowsOf(const std::string& bytes) {
  const TempDirectory directory;
  std::ofstream(directory / "data.mdb", std::ios::binary) << bytes;
  const auto env =
      internal::LmdbEnv::Open(directory.path(), internal::kIndexTables,
                              {.initial_map_bytes = 64u << 20, .max_map_bytes = 64u << 20});
  if (!env.ok()) return {};
  std::vector<std::string> rows;
  internal::LmdbReadTransaction read(**env);
  const std::byte lowest{0};
  for (size_t table = 0; table < internal::kIndexTables.size(); ++table) {
    internal::LmdbCursor& cursor = read.cursor(table);
    for (bool more = cursor.SeekAtOrAfter({&lowest, 1}); more; more = cursor.Next()) {
      std::string row = internal::kIndexTables[table].name;
      for (const auto part : {cursor.key(), cursor.value()}) {
        row += " ";
        for (const std::byte byte : part) {
          constexpr char kDigits[] = "0123456789abcdef";
          row += kDigits[static_cast<unsigned>(byte) >> 4];
          row += kDigits[static_cast<unsigned>(byte) & 15];
        }
      }
      rows.push_back(row);
    }
  }
  return read.status().ok() ? rows : std::vector<std::string>{};
}

// Says which rows of two indexes differ.
void PrintDifference(const std::vector<std::string>& was, const std::vector<std::string>& is) {
  std::map<std::string, int> count;
  for (const std::string& row : was) --count[row];
  for (const std::string& row : is) ++count[row];
  for (const auto& [row, more] : count) {
    if (more != 0) std::printf("  %s %s\n", more < 0 ? "was" : "is ", row.c_str());
  }
  std::fflush(stdout);
}

// What `body` returned in a process of its own; -1 if that ended otherwise.
int InChild(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    ::_exit(body());
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Goal: of bits of the index that make a row another one verify (or the opening) finds each, though
// rows have no hashes, and none ends the process. Method: one bit anywhere in the
// file, in processes of their own; what changes no row hit nothing that is used.
TEST_F(VerifyFindsTest, BitsOfTheIndex) {
  ASSERT_NO_FATAL_FAILURE(Live());
  SimStore::Machine machine = sim_.Save();
  const std::string index = *machine.index;
  const std::vector<std::string> rows = RowsOf(index);
  ASSERT_FALSE(rows.empty());
  Random random(TestSeed());
  uint64_t unused = 0;
  uint64_t found = 0;
  uint64_t missed = 0;
  for (uint64_t i = 0; i < Scaled(150); ++i) {
    const uint64_t at = random.Below(index.size());
    std::string bytes = index;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.Below(8)));
    SCOPED_TRACE(::testing::Message() << "byte " << at);
    const int same = InChild([&] { return RowsOf(bytes) == rows ? 1 : 0; });
    machine.index = std::make_shared<const std::string>(bytes);
    const int outcome = InChild([&] {
      SimStore sim(TestSeed(), machine);
      sim.options().segment_size_bytes = sim_.options().segment_size_bytes;
      if (!sim.Open().ok()) return 1;
      const auto report = sim.store().Verify();
      return !report.ok() || !report->damage.empty() ? 1 : 0;
    });
    EXPECT_GE(outcome, 0) << "the process ended";
    found += outcome == 1;
    unused += outcome == 0 && same == 1;
    if (outcome == 0 && same != 1) {
      ++missed;
      std::printf("missed: byte %llu\n", static_cast<unsigned long long>(at));
      std::fflush(stdout);
      InChild([&] { return PrintDifference(rows, RowsOf(bytes)), 0; });
    }
  }
  std::printf("verify: bits of the index, found %llu of %llu, %llu in unused space\n",
              static_cast<unsigned long long>(found),
              static_cast<unsigned long long>(found + missed),
              static_cast<unsigned long long>(unused));
  EXPECT_EQ(missed, 0u) << "rows that nothing is held against: above";
  EXPECT_GT(found, 0u);
}

}  // namespace
}  // namespace tidemark::testing
