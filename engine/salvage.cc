#include "engine/salvage.h"

#include <algorithm>
#include <memory>
#include <new>
#include <system_error>
#include <utility>

#include "engine/internal/salvage_catalog.h"
#include "engine/internal/salvage_mark.h"
#include "engine/internal/salvage_scan.h"
#include "engine/internal/salvager.h"

namespace tidemark {

uint64_t SalvageReport::objects_brought() const {
  return static_cast<uint64_t>(
      std::count_if(objects.begin(), objects.end(),
                    [](const SalvagedObject& object) { return object.commits > 0; }));
}

bool SalvageReport::whole() const {
  return lost.empty() && unattributed == 0 && lost_policies == 0 &&
         std::all_of(objects.begin(), objects.end(),
                     [](const SalvagedObject& object) { return object.whole(); });
}

Result<SalvageReport> Salvage(const std::string& directory, const std::string& new_directory,
                              const StoreOptions& options, const Progress& progress) try {
  FileSystem& files = *options.file_system;
  const std::string log = directory + "/log";
  TIDEMARK_ASSIGN_OR_RETURN(const bool has_log, files.Exists(log));
  if (!has_log) {
    return Status(StatusCode::kNotFound, directory + " is not a tidemark store (it has no log)");
  }
  // Nobody may be writing it. Where it cannot be written nobody does.
  std::unique_ptr<FileLock> lock;
  TIDEMARK_ASSIGN_OR_RETURN(const bool has_lock, files.Exists(directory + "/LOCK"));
  if (has_lock) {
    auto locked = files.Lock(directory + "/LOCK");
    if (!locked.ok() && locked.status().code() != StatusCode::kReadOnly) return locked.status();
    if (locked.ok()) lock = *std::move(locked);
  }

  // Before the long read: is there room for the new one to be?
  ManualClock clock;
  StoreOptions with_clock = options;
  with_clock.create_if_missing = true;
  with_clock.clock = &clock;
  with_clock.background_work = BackgroundWork::kThreads;
  with_clock.retention_share = 0;
  with_clock.recovery_progress = nullptr;
  TIDEMARK_ASSIGN_OR_RETURN(const bool exists, files.Exists(new_directory));
  if (exists) {
    const Status interrupted = internal::SalvageMark::Check(files, new_directory);
    if (interrupted.code() == StatusCode::kCorruption) {
      return Status(StatusCode::kExists, interrupted.message());
    }
    TIDEMARK_RETURN_IF_ERROR(interrupted);
    TIDEMARK_ASSIGN_OR_RETURN(const auto names, files.ListDirectory(new_directory));
    if (!names.empty()) {
      return Status(StatusCode::kExists, new_directory +
                                             " is not empty: a store needs a directory "
                                             "of its own");
    }
  }

  constexpr uint64_t kPart = 1u << 20;
  const auto part_of = [&](uint64_t part) -> Progress {
    if (!progress) return nullptr;
    return [&progress, part](uint64_t done, uint64_t total) {
      progress(part * kPart + (total == 0 ? 0 : done * kPart / total), 2 * kPart);
    };
  };
  internal::SalvageCatalog catalog;
  TIDEMARK_RETURN_IF_ERROR(internal::SalvageScan(&files, log, &catalog).Run(part_of(0)));
  for (const internal::SalvageEvent& event : catalog.events) {
    if (!event.exact_time) continue;
    clock.Set(event.time);
    break;
  }
  TIDEMARK_ASSIGN_OR_RETURN(const auto mark, internal::SalvageMark::Make(&files, new_directory));
  TIDEMARK_ASSIGN_OR_RETURN(const auto store, Store::Open(new_directory, with_clock));
  TIDEMARK_RETURN_IF_ERROR(internal::Salvager(&catalog, store.get(), &clock).Run(part_of(1)));
  TIDEMARK_RETURN_IF_ERROR(store->Close());
  TIDEMARK_RETURN_IF_ERROR(mark->Remove());
  return std::move(catalog.report);
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
} catch (const std::system_error& error) {
  return Status(StatusCode::kIoError, std::string("cannot salvage: ") + error.what());
}

}  // namespace tidemark
