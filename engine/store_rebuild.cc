// Store's rebuild: see internal/index_rebuild.h.

#include <memory>
#include <new>
#include <system_error>

#include "engine/internal/index_rebuild.h"
#include "engine/internal/store_impl.h"
#include "engine/store.h"

namespace tidemark {
namespace {

using internal::IndexRebuild;
using internal::StoreImpl;

// Of an index that was begun the first opening may fail because of what is in it.
Result<std::unique_ptr<StoreImpl>> OpenWithNew(const std::string& directory,
                                               const StoreOptions& options,
                                               const IndexRebuild& rebuild, bool* continued) {
  TIDEMARK_RETURN_IF_ERROR(rebuild.Begin());
  TIDEMARK_ASSIGN_OR_RETURN(*continued, rebuild.IsBegun());
  auto opened = StoreImpl::Open(directory, options);
  if (opened.ok() || opened.status().code() != StatusCode::kCorruption) return opened;
  // Nor does what was made of a log that cannot be replayed help anybody.
  TIDEMARK_RETURN_IF_ERROR(rebuild.Drop());
  if (!*continued) return opened;
  *continued = false;
  return StoreImpl::Open(directory, options);
}

}  // namespace

Result<RebuildReport> Store::Rebuild(const std::string& directory,
                                     const StoreOptions& options) try {
  const IndexRebuild rebuild(options.index_directory.empty() ? directory + "/index"
                                                             : options.index_directory);
  TIDEMARK_ASSIGN_OR_RETURN(const bool is_store, options.file_system->Exists(directory + "/log"));
  if (!is_store) {
    return Status(StatusCode::kNotFound, directory + " is not a tidemark store (it has no log)");
  }
  StoreOptions with_new = options;
  with_new.create_if_missing = false;
  with_new.background_work = BackgroundWork::kManual;
  with_new.index_directory = rebuild.made();
  with_new.check_index = true;  // of what an interrupted one has left
  RebuildReport report;
  TIDEMARK_ASSIGN_OR_RETURN(auto impl,
                            OpenWithNew(directory, with_new, rebuild, &report.continued));
  Store store(std::move(impl));
  // All of it, and nothing more to replay.
  TIDEMARK_RETURN_IF_ERROR(store.impl_->Finish());
  const StoreStats stats = store.Stats();
  report.objects = stats.object_count;
  report.log_bytes = stats.log_bytes;
  report.index_file_bytes = stats.index_file_bytes;
  report.damaged_objects = stats.damaged_object_count;
  // Before the directory is given back.
  TIDEMARK_RETURN_IF_ERROR(rebuild.Take(report.damaged_objects > 0 ? IndexRebuild::OldFile::kIsKept
                                                                   : IndexRebuild::OldFile::kGoes));
  TIDEMARK_ASSIGN_OR_RETURN(const bool kept, FileSystem::Posix()->Exists(rebuild.kept()));
  if (kept) report.old_index = rebuild.kept();
  store.stats_at_close_ = stats;
  store.impl_->Release();
  return report;
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
} catch (const std::system_error& error) {
  return Status(StatusCode::kIoError,
                "cannot rebuild the index of store " + directory + ": " + error.what());
}

}  // namespace tidemark
