// Reads a packed segment group by group.
//
// It was complete and durable before it came into use, so whatever does not verify is damage, and
// the file's end is where its header's segment ends. As in the log, damaged groups are shown with
// their directories, so that the damage can be blamed on objects.

#ifndef TIDEMARK_ENGINE_INTERNAL_PACKED_SCANNER_H_
#define TIDEMARK_ENGINE_INTERNAL_PACKED_SCANNER_H_

#include <cstdint>
#include <functional>

#include "engine/internal/log_scanner.h"
#include "engine/internal/segments.h"

namespace tidemark::internal {

// From the group at `from` on. `on_lost` and errors: as ScanLog.
Status ScanPacked(Segments& segments, Location from,
                  const std::function<Status(const ScannedGroup&)>& visit,
                  const std::function<void(Location, const Status&)>& on_lost = nullptr);

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_PACKED_SCANNER_H_
