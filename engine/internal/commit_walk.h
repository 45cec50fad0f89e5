// CommitWalk: the commits of an object from the oldest to the newest, without having them all in
// memory. Object::History goes the other way: so one pass notes every thousandth LSN, and a second
// one reads each thousand by itself and turns it round.
//
// Threads: one at a time.

#ifndef TIDEMARK_ENGINE_INTERNAL_COMMIT_WALK_H_
#define TIDEMARK_ENGINE_INTERNAL_COMMIT_WALK_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/commit_info.h"
#include "engine/object.h"
#include "engine/result.h"

namespace tidemark::internal {

class CommitWalk {
 public:
  // Of what there is now: what is committed later is not in it. `object` must outlive it.
  static Result<CommitWalk> Begin(const Object* object);

  uint64_t count() const { return count_; }
  // None at the end. Errors: those of Object::History; kExpired if commits have gone since Begin.
  Result<std::optional<CommitInfo>> Next();

 private:
  explicit CommitWalk(const Object* object) : object_(object) {}
  Status ReadStretch();

  const Object* object_;
  uint64_t count_ = 0;
  std::vector<Lsn> newest_;          // of each stretch that was not read, the oldest stretch last
  std::vector<CommitInfo> stretch_;  // the next one last
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_COMMIT_WALK_H_
