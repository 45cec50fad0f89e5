// RawFile: what the disk allows, without a database: small writes, each synced, one behind the
// other.

#ifndef TIDEMARK_BENCH_RAW_FILE_H_
#define TIDEMARK_BENCH_RAW_FILE_H_

#include <string>
#include <vector>

#include "bench/workload.h"

namespace tidemark::bench {

// Its blocks are written before, as those of a segment that Segments::PrepareSpare makes.
class RawFile {
 public:
  // Each write has `group_bytes`.
  RawFile(const Settings& settings, size_t group_bytes);
  ~RawFile();
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;

  // One pwrite and one fdatasync, behind the last one; from the start again at the end of the file.
  void WriteAndSync();

 private:
  void Write(const std::vector<char>& bytes, size_t offset);

  static constexpr size_t kFileBytes = 8u << 20;
  // A large write leaves large folios in the page cache, whose buffers Linux then walks at every
  // small write and sync: after one write of 8 MB a group cost a fifth more. 4 to 16 KB are best.
  static constexpr size_t kChunkBytes = 16u << 10;
  static constexpr size_t kFirstGroup = 8192;  // behind a segment's header, as the log's first

  ScratchDirectory directory_;
  std::vector<char> group_;
  size_t offset_ = kFirstGroup;
  int fd_ = -1;
};

}  // namespace tidemark::bench

#endif  // TIDEMARK_BENCH_RAW_FILE_H_
