// The verifier: reads the whole log and index and checks that every byte is what was committed.
//
// In log order: each group's and record's hash, and each page version decoded and hashed (against
// the version before it, which is at hand, so a chain costs one patch a version), found in the
// index where it stands. Then, object by object: the pages of its head give its state hash.

#ifndef TIDEMARK_ENGINE_INTERNAL_VERIFIER_H_
#define TIDEMARK_ENGINE_INTERNAL_VERIFIER_H_

#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/internal/log_scanner.h"
#include "engine/internal/store_impl.h"

namespace tidemark::internal {

class Verifier {
 public:
  explicit Verifier(StoreImpl* store) : store_(store) {}

  // Errors: what keeps it from going on (kIoError, kBroken). Damage is in the report.
  Result<VerifyReport> Run(const Progress& progress);

 private:
  Status CheckHeaders();
  Status ScanSegments(const Progress& progress);
  Status CheckGroup(const ScannedGroup& group);
  void CheckTimeline(const DirectoryEntry& entry, const RecordView& record, Location place);
  void CheckFrame(const ScannedGroup& group, const DirectoryEntry& entry, const RecordView& record);
  Status CheckVersion(const PageChange& change, uint32_t page_size);
  Status CheckIndexed(const Timeline& timeline, const PageChange& change);
  Status CheckObjects();
  void CheckObject(const ObjectState& object);

  void Report(Location location, const std::string& object, const std::string& message);
  std::string ObjectOf(TimelineId timeline);

  void Remember(Location location, Buffer page);

  StoreImpl* const store_;
  CheckpointRow end_;
  VerifyReport report_;

  // Decoded pages, the latest versions of a bounded number of pages.
  std::unordered_map<uint64_t, Buffer> pages_;
  std::deque<uint64_t> order_;
  size_t page_bytes_ = 0;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_VERIFIER_H_
