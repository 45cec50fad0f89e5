#include "tests/crash/rot_damage.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "tests/support/status_matchers.h"

namespace tidemark::testing {
namespace {

constexpr uint32_t kSector = 512;

std::vector<std::byte> Sector(const SimFileSystem::Image& image, const std::string& path,
                              uint64_t offset) {
  std::vector<std::byte> bytes(kSector);
  if (const SparseBytes* const file = image.Find(path)) file->Read(offset, bytes);
  return bytes;
}

void Burst(SimFileSystem& fs, Random& random, const std::string& path, uint64_t offset) {
  const uint64_t size = fs.Contents(path).size();
  std::vector<std::byte> noise(std::min<uint64_t>(1 + random.Below(300), size - offset));
  for (auto& byte : noise) byte = static_cast<std::byte>(random.Next());
  fs.Overwrite(path, offset, noise);
}

void Inflict(const RotWork& work, Rot rot, Random& random, SimFileSystem& fs, std::string* what) {
  // Half of the damages anywhere, half in the last groups, where it is told from a torn tail.
  const auto& map = work.map;
  const size_t from = random.OneIn(2) ? map.size() - std::min<size_t>(map.size(), 12) : 0;
  const size_t number = from + random.Below(map.size() - from);
  const RotStretch& at = map[number];
  const std::string path = RotSegmentPath(at.segment);
  const uint64_t offset = random.Between(at.begin, at.end - 1);
  const uint64_t sector = offset / kSector * kSector;
  *what = std::string(kRotNames[static_cast<size_t>(rot)]) + " at segment " +
          std::to_string(at.segment) + ", offset " + std::to_string(offset);
  // Another place: close by, or anywhere.
  const RotStretch& other =
      map[random.OneIn(2) ? random.Below(map.size())
                          : std::min<size_t>(map.size() - 1, number + random.Below(8))];
  const std::string other_path = RotSegmentPath(other.segment);
  const uint64_t other_offset = random.Between(other.begin, other.end - 1);
  switch (rot) {
    case Rot::kBit: return fs.FlipBit(path, offset, static_cast<unsigned>(random.Below(8)));
    case Rot::kBurst: return Burst(fs, random, path, offset);
    case Rot::kTwice:
      Burst(fs, random, path, offset);
      return Burst(fs, random, other_path, other_offset);
    case Rot::kZeros: return fs.Overwrite(path, sector, std::vector<std::byte>(kSector));
    case Rot::kSwap: {
      const uint64_t other_sector = other_offset / kSector * kSector;
      fs.Overwrite(path, sector, Sector(work.disk, other_path, other_sector));
      return fs.Overwrite(other_path, other_sector, Sector(work.disk, path, sector));
    }
    case Rot::kOlder: {
      const auto& image = work.earlier[random.Below(work.earlier.size())];
      if (image.Find(path) != nullptr) fs.Overwrite(path, sector, Sector(image, path, sector));
      return;
    }
    case Rot::kTruncate: {
      auto file = fs.Open(path, OpenMode::kReadWrite);
      ASSERT_OK(file);
      ASSERT_OK((*file)->Truncate(offset));
      ASSERT_OK((*file)->Sync());
      return;
    }
    case Rot::kMissing: ASSERT_OK(fs.Remove(path)); return;
    case Rot::kCount: return;
  }
}

}  // namespace

RotHit Damage(const RotWork& work, Rot rot, Random& random, SimFileSystem& fs) {
  RotHit hit;
  Inflict(work, rot, random, fs, &hit.what);

  using Kind = RotStretch::Kind;
  const SimFileSystem::Image now = fs.Save();
  std::set<size_t> groups;  // that lost anything
  std::set<size_t> group_headers;
  std::map<uint32_t, int> segment_headers;  // how many copies are damaged
  std::map<size_t, uint64_t> first_lsn;     // of a group
  std::vector<std::byte> was;
  std::vector<std::byte> is;
  for (const RotStretch& stretch : work.map) {
    const std::string path = RotSegmentPath(stretch.segment);
    was.assign(stretch.end - stretch.begin, {});
    is.assign(was.size(), {});
    work.disk.Find(path)->Read(stretch.begin, was);
    const SparseBytes* const file = now.Find(path);
    const size_t got = file == nullptr ? 0 : file->Read(stretch.begin, is);
    if (stretch.kind == Kind::kGroupHeader) first_lsn[stretch.group] = stretch.lsn;
    if (got == was.size() && is == was) continue;
    hit.segments.insert(stretch.segment);
    switch (stretch.kind) {
      case Kind::kSegmentHeader: ++segment_headers[stretch.segment]; continue;
      case Kind::kGroupHeader: group_headers.insert(stretch.group); break;
      case Kind::kRecord: hit.lsns.insert(stretch.lsn); break;
      case Kind::kDirectory: break;
    }
    hit.only_segment_headers = false;
    groups.insert(stretch.group);
  }
  for (const RotStretch& stretch : work.map) {
    if (stretch.kind == Kind::kSegmentHeader) continue;
    const bool unreadable = segment_headers[stretch.segment] == 2;
    if (unreadable) groups.insert(stretch.group);
    if (stretch.kind == Kind::kRecord && (unreadable || group_headers.contains(stretch.group))) {
      hit.lsns.insert(stretch.lsn);
    }
  }
  for (size_t n = work.group_count; n > 0 && groups.contains(n - 1); --n) {
    hit.lost_from = first_lsn[n - 1];
  }
  const auto is_hit = [&hit](uint64_t lsn) { return hit.lsns.contains(lsn); };
  for (const RotObject& object : work.objects) {
    if (object.versions.empty()) continue;
    const bool any =
        is_hit(work.namespaces.at(object.ns)) ||
        std::any_of(object.records.begin(), object.records.end(), is_hit) ||
        std::any_of(object.versions.begin(), object.versions.end(),
                    [&](const RotVersion& version) { return is_hit(version.commit.lsn.value); });
    if (any) hit.objects.insert(object.ns + "/" + object.name);
  }
  return hit;
}

}  // namespace tidemark::testing
