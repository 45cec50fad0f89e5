// A segment read front to back through a buffer, for LogScanner: groups where they stand, and where
// the next one does.
//
// A block that the disk cannot read is not one that was never written. Whoever can do without what
// stands there gives `on_unreadable`: it reads as zeros, which no hash fits. Otherwise it ends the
// scan with Segments::CannotRead.
//
// Threads: one at a time.

#ifndef TIDEMARK_ENGINE_INTERNAL_LOG_WINDOW_H_
#define TIDEMARK_ENGINE_INTERNAL_LOG_WINDOW_H_

#include <functional>
#include <memory>
#include <optional>

#include "engine/format.h"
#include "engine/internal/segments.h"

namespace tidemark::internal {

class LogWindow {
 public:
  // Gets the place of a block that cannot be read, and why.
  using OnUnreadable = std::function<void(Location, const Status&)>;

  LogWindow(Segments& segments, std::shared_ptr<Segment> segment, OnUnreadable on_unreadable);

  const Segment& segment() const { return *segment_; }

  // `length` bytes at `offset`, fewer at the end of the file. Valid until the next call.
  Result<ConstBytes> Read(uint32_t offset, size_t length);

  // The header of a group at `offset`, if one is there.
  Result<std::optional<format::GroupHeader>> HeaderAt(uint32_t offset);

  // The first place at or behind `offset` where the header of a group stands that begins behind
  // `above`; 0 if there is none.
  Result<uint32_t> FindGroup(uint32_t offset, Lsn above = Lsn());

 private:
  bool IsHeader(const format::GroupHeader& header, uint64_t offset) const;
  // Fills the buffer from `offset` on; returns how many bytes there were.
  Result<size_t> Fill(uint32_t offset);

  Segments& segments_;
  const std::shared_ptr<Segment> segment_;
  const OnUnreadable on_unreadable_;
  Buffer buffer_;
  uint32_t begin_ = 0;
  size_t size_ = 0;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_LOG_WINDOW_H_
