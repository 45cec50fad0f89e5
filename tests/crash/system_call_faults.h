// System calls that fail: a program that is linked with this has its own open, pread, pwrite and so
// on, which call the system unless a fault is due. LMDB's calls come through here, too.
//
// Only calls on files below one directory count, one by one. Threads: one.

#ifndef TIDEMARK_TESTS_CRASH_SYSTEM_CALL_FAULTS_H_
#define TIDEMARK_TESTS_CRASH_SYSTEM_CALL_FAULTS_H_

#include <cstdint>
#include <string>

namespace tidemark::testing {

// Kinds of calls, to be combined.
enum CallKind : unsigned {
  kOpens = 1,     // open
  kReads = 2,     // pread
  kWrites = 4,    // pwrite, writev
  kSyncs = 8,     // fdatasync, fsync
  kGrows = 16,    // fallocate, ftruncate
  kNames = 32,    // unlink, rename, mkdir
  kLocks = 64,    // flock
  kCreates = 128  // those of kOpens that may create
};

struct CallFault {
  unsigned calls = 0;         // which count, CallKind's
  int error = 0;              // errno; 0 lets a write do a part of its bytes
  uint64_t first = 1;         // the call that fails, from 1
  uint64_t every = 0;         // then each so-many-th; 0: only the first
  std::string but_not_below{};  // a directory that counts for nothing; none if empty
};

// Until the destructor, `fault` happens to calls on what is below `directory`, by paths as they are
// given or by files that were opened meanwhile.
class ScopedCallFault {
 public:
  ScopedCallFault(const std::string& directory, const CallFault& fault);
  ~ScopedCallFault();
  ScopedCallFault(const ScopedCallFault&) = delete;
  ScopedCallFault& operator=(const ScopedCallFault&) = delete;

  uint64_t counted() const;
  uint64_t failed() const;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_CRASH_SYSTEM_CALL_FAULTS_H_
