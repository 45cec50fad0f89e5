#include <new>

#include "engine/internal/packer.h"
#include "engine/internal/scrubber.h"
#include "engine/internal/store_impl.h"
#include "engine/internal/verifier.h"
#include "engine/store.h"

namespace tidemark {

Result<VerifyReport> Store::Verify(const Progress& progress) try {
  const auto files = impl_->packer().KeepFiles();
  auto report = internal::Verifier(impl_.get()).Run(progress);
  if (report.ok()) impl_->scrubber().NoteVerified(*report);
  return report;
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}

Status Store::RunScrub() try { return impl_->scrubber().Step(); } catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}

Result<DrillReport> Store::Drill(uint64_t count, const Progress& progress) try {
  return impl_->scrubber().Drill(count, progress);
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}

}  // namespace tidemark
