// The mark of a store that a salvage is making: SALVAGE, an empty file in its directory, there from
// before its first byte until it is whole, closed and durable. What an interrupted salvage left
// would open like any store, with a part of what could be brought: so it does not open, and says
// why.
//
// Threads: any. The process that makes a store may open it: it is told by its directory.

#ifndef TIDEMARK_ENGINE_INTERNAL_SALVAGE_MARK_H_
#define TIDEMARK_ENGINE_INTERNAL_SALVAGE_MARK_H_

#include <memory>
#include <string>

#include "engine/file_system.h"
#include "engine/result.h"

namespace tidemark::internal {

class SalvageMark {
 public:
  static constexpr char kName[] = "SALVAGE";

  // OK if a store in `directory`, which may be missing, is not one that an interrupted salvage
  // left. Errors: kCorruption if it is; kIoError.
  static Status Check(FileSystem& file_system, const std::string& directory);

  // Makes the directory, if it is missing, and the mark, durably. Errors: kExists, kReadOnly,
  // kFull, kIoError.
  static Result<std::unique_ptr<SalvageMark>> Make(FileSystem* file_system,
                                                   const std::string& directory);
  ~SalvageMark();  // the file stays
  // The store is whole. Durable when it returns. Errors: kIoError.
  Status Remove();

 private:
  SalvageMark(FileSystem* file_system, std::string directory);
  std::string Path() const { return directory_ + "/" + kName; }

  FileSystem* const file_system_;
  const std::string directory_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_SALVAGE_MARK_H_
