// Runs of commits: what a packed segment tells of many commits of one timeline, column by column.
// See engine/format.h for the bytes. Pure functions, no state.

#ifndef TIDEMARK_ENGINE_INTERNAL_COMMIT_RUN_H_
#define TIDEMARK_ENGINE_INTERNAL_COMMIT_RUN_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/commit_info.h"
#include "engine/internal/page_codec.h"
#include "engine/lsn.h"

namespace tidemark::internal {

// Whoever looks for a commit reads the whole run: so few bytes that it does not matter.
inline constexpr size_t kMostCommitsInRun = 512;

// The fields of a run of `commits`: of one timeline, in order, at most kMostCommitsInRun.
void EncodeCommitRun(std::span<const CommitInfo> commits, Buffer& out);
// Empty if the bytes are not exactly such fields.
std::optional<std::vector<CommitInfo>> DecodeCommitRun(ConstBytes fields);

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_COMMIT_RUN_H_
