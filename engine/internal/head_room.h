// HeadRoom: a file of blocks that nobody uses, kept for the day on which the disk is full: packing
// gives them back to the disk, and has them for the first file it writes there. That frees others.
//
// Without it a disk that is full to the last block would stay so: what is still needed of a file of
// which all has expired, and a page of the index, take a few KiB before anything can go.
//
// Threads: one at a time, the opening or whoever packs.

#ifndef TIDEMARK_ENGINE_INTERNAL_HEAD_ROOM_H_
#define TIDEMARK_ENGINE_INTERNAL_HEAD_ROOM_H_

#include <cstdint>
#include <string>
#include <utility>

#include "engine/file_system.h"

namespace tidemark::internal {

class HeadRoom {
 public:
  static constexpr uint64_t kBytes = 256u << 10;
  static constexpr char kName[] = "HEADROOM";

  HeadRoom(FileSystem* file_system, const std::string& directory)
      : file_system_(file_system), path_(directory + "/" + kName) {}

  // Makes sure that it is there, if the disk has room for it: else the next call tries again.
  void Take();
  // False if there was nothing to give.
  bool GiveUp();

 private:
  Status MakeFile();

  FileSystem* const file_system_;
  const std::string path_;
  bool held_ = false;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_HEAD_ROOM_H_
