// Opening and closing. Finding things is in catalog.cc and catalog_pending.cc.

#include "engine/internal/store_impl.h"

#include <algorithm>
#include <bit>
#include <filesystem>
#include <system_error>

#include "engine/check.h"
#include "engine/internal/index_rebuild.h"
#include "engine/internal/packer.h"
#include "engine/internal/purger.h"
#include "engine/internal/recovery.h"
#include "engine/internal/retention_record.h"
#include "engine/internal/retention_worker.h"
#include "engine/internal/salvage_mark.h"
#include "engine/internal/scrubber.h"
#include "engine/internal/segment_header.h"
#include "engine/version.h"

namespace tidemark::internal {
namespace {

std::string ParentOf(const std::string& path) {
  const size_t end = path.find_last_not_of('/');
  const size_t slash = path.find_last_of('/', end);
  if (end == std::string::npos || slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Status CheckOptions(const StoreOptions& options) {
  const auto invalid = [](const std::string& what) {
    return Status(StatusCode::kInvalidArgument, "store options: " + what);
  };
  if (!std::has_single_bit(options.segment_size_bytes) ||
      options.segment_size_bytes < kMinSegmentBytes || options.segment_size_bytes > (1u << 30)) {
    return invalid("segment_size_bytes must be a power of two from 1 MiB to 1 GiB");
  }
  if (options.max_chain_length < 1 || options.max_chain_length > 126) {
    return invalid("max_chain_length must be 1 to 126");
  }
  if (options.flush_delay.count() < 0) return invalid("flush_delay must not be negative");
  if (options.scrub_interval.count() < 0) return invalid("scrub_interval must not be negative");
  if (options.drill_interval.count() < 0) return invalid("drill_interval must not be negative");
  if (!(options.retention_share >= 0 && options.retention_share <= 1)) {
    return invalid("retention_share must be 0 to 1");
  }
  if (options.file_system == nullptr || options.clock == nullptr) {
    return invalid("file_system and clock must be set");
  }
  return OkStatus();
}

// What stands in a directory that is to become, or should be, a store.
enum class Found { kNothing, kStore, kUnfinished, kOther };

Result<Found> Look(FileSystem& fs, const std::string& directory) {
  TIDEMARK_ASSIGN_OR_RETURN(const bool exists, fs.Exists(directory));
  if (!exists) return Found::kNothing;
  TIDEMARK_ASSIGN_OR_RETURN(const auto names, fs.ListDirectory(directory));
  if (names.empty()) return Found::kNothing;
  // The log's directory is the last thing that creating a store makes before its first segment, and
  // a store whose first segment did not become durable holds nothing.
  if (std::find(names.begin(), names.end(), "log") != names.end()) return Found::kStore;
  const bool ours = std::all_of(names.begin(), names.end(), [](const std::string& name) {
    return name == "LOCK" || name == "index" || name == SalvageMark::kName;
  });
  return ours ? Found::kUnfinished : Found::kOther;
}

// A store is in its own directory, which may be a symbolic link, and nowhere else: else what is
// made to look like one could have files of others overwritten. Of the real file system only.
Status CheckStandsThere(const std::string& path) {
  std::error_code missing;  // what cannot be looked up is told by those who open it
  if (!std::filesystem::is_symlink(std::filesystem::symlink_status(path, missing))) {
    return OkStatus();
  }
  return Status(StatusCode::kIoError,
                path +
                    " is a symbolic link, and nothing in a store is one: move what it leads to "
                    "into its place");
}

Status NotAStore(const std::string& directory) {
  return Status(StatusCode::kNotFound, directory +
                                           " is not a tidemark store (it has no log); "
                                           "`tidemark init` creates one");
}

// An index that cannot be used is no loss.
Status AskForRebuild(const Status& status, const std::string& directory) {
  if (status.code() != StatusCode::kCorruption &&
      status.code() != StatusCode::kUnsupportedVersion) {
    return status;
  }
  return Status(status.code(), status.message() + "; `tidemark rebuild " + directory +
                                   "` makes it anew from the log");
}

}  // namespace

StoreImpl::StoreImpl(std::string directory, const StoreOptions& options)
    : directory_(std::move(directory)),
      options_(options),
      closed_(StatusCode::kBroken, "the store " + directory_ + " is closed: reopen it"),
      page_cache_(options.page_cache_bytes) {}

Status StoreImpl::Create(const std::string& directory, const StoreOptions& options) {
  TIDEMARK_RETURN_IF_ERROR(CheckOptions(options));
  FileSystem& fs = *options.file_system;
  TIDEMARK_RETURN_IF_ERROR(SalvageMark::Check(fs, directory));
  TIDEMARK_ASSIGN_OR_RETURN(const Found found, Look(fs, directory));
  if (found == Found::kOther) {
    return Status(StatusCode::kExists, directory +
                                           " is not empty: a store needs a directory of "
                                           "its own");
  }
  if (found == Found::kNothing) {
    TIDEMARK_ASSIGN_OR_RETURN(const bool exists, fs.Exists(directory));
    if (!exists) TIDEMARK_RETURN_IF_ERROR(fs.CreateDirectory(directory));
    // Also if it was there: a process that died here may have made it, and not synced its name.
    // Whose parent may not be opened was made by someone else.
    const Status synced = fs.SyncDirectory(ParentOf(directory));
    if (!synced.ok() && !(exists && synced.code() == StatusCode::kReadOnly)) return synced;
  }
  std::unique_ptr<StoreImpl> store(new StoreImpl(directory, options));
  TIDEMARK_ASSIGN_OR_RETURN(store->lock_, fs.Lock(directory + "/LOCK"));
  const std::string log = directory + "/log";
  TIDEMARK_ASSIGN_OR_RETURN(const bool has_log, fs.Exists(log));
  if (!has_log) TIDEMARK_RETURN_IF_ERROR(fs.CreateDirectory(log));
  TIDEMARK_RETURN_IF_ERROR(fs.SyncDirectory(directory));
  TIDEMARK_RETURN_IF_ERROR(store->OpenFiles());
  TIDEMARK_ASSIGN_OR_RETURN(const auto checkpoint, store->index_->Checkpoint());
  if (!store->segments_->Headers().empty() || checkpoint || store->HasLostItsLog()) {
    return Status(StatusCode::kExists, directory + " is a tidemark store already");
  }
  TIDEMARK_RETURN_IF_ERROR(store->StartLog());
  return store->Close();
}

Result<std::unique_ptr<StoreImpl>> StoreImpl::Open(const std::string& directory,
                                                   const StoreOptions& options) {
  TIDEMARK_RETURN_IF_ERROR(CheckOptions(options));
  FileSystem& fs = *options.file_system;
  TIDEMARK_RETURN_IF_ERROR(SalvageMark::Check(fs, directory));
  TIDEMARK_ASSIGN_OR_RETURN(const Found found, Look(fs, directory));
  if (found != Found::kStore) {
    if (!options.create_if_missing || found == Found::kOther) return NotAStore(directory);
    TIDEMARK_RETURN_IF_ERROR(Create(directory, options));
  }
  std::unique_ptr<StoreImpl> store(new StoreImpl(directory, options));
  auto lock = fs.Lock(directory + "/LOCK");
  if (lock.status().code() == StatusCode::kReadOnly) {
    return Status(StatusCode::kReadOnly,
                  lock.status().message() +
                      "; who opens a store writes to it: make the directory writable, or open a "
                      "copy of it that is");
  }
  TIDEMARK_ASSIGN_OR_RETURN(store->lock_, std::move(lock));
  TIDEMARK_RETURN_IF_ERROR(store->OpenFiles());
  if (store->segments_->Headers().empty()) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto checkpoint, store->index_->Checkpoint());
    if (checkpoint || store->HasLostItsLog()) {
      return Status(StatusCode::kCorruption,
                    directory +
                        " has no readable segment in its log: their headers are damaged, or "
                        "the files are missing");
    }
    if (!options.create_if_missing) return NotAStore(directory);
    // A crash interrupted the creation.
    store.reset();
    TIDEMARK_RETURN_IF_ERROR(Create(directory, options));
    return Open(directory, options);
  }
  TIDEMARK_RETURN_IF_ERROR(store->StartLog());
  return store;
}

bool StoreImpl::HasLostItsLog() const {
  return segments_->UnreadableBehind(0) != 0 || segments_->MissingBehind(0) != 0 ||
         !segments_->ListPacked().empty();
}

Status StoreImpl::OpenFiles() {
  if (options_.file_system == FileSystem::Posix()) {
    TIDEMARK_RETURN_IF_ERROR(CheckStandsThere(directory_ + "/log"));
  }
  if (options_.index_directory.empty()) {
    TIDEMARK_RETURN_IF_ERROR(CheckStandsThere(index_directory()));
  }
  // LMDB opens these by itself.
  for (const char* const name : {"/data.mdb", "/lock.mdb"}) {
    TIDEMARK_RETURN_IF_ERROR(CheckStandsThere(index_directory() + name));
  }
  segments_ = std::make_unique<Segments>(options_.file_system, directory_ + "/log",
                                         options_.segment_size_bytes);
  TIDEMARK_RETURN_IF_ERROR(segments_->Load());
  head_room_ = std::make_unique<HeadRoom>(options_.file_system, directory_);
  IndexOptions index_options;
  index_options.max_map_bytes = options_.max_index_bytes;
  index_options.initial_map_bytes =
      std::min(index_options.initial_map_bytes, options_.max_index_bytes);
  index_options.check_pages = options_.check_index;
  auto index = Index::Open(index_directory(), index_options);
  if (!index.ok()) return AskForRebuild(index.status(), directory_);
  index_ = *std::move(index);
  // The log goes on with this one: what was begun of another knows nothing of that.
  TIDEMARK_RETURN_IF_ERROR(IndexRebuild(index_directory()).Drop());
  labels_ = std::make_unique<LabelTable>(index_.get());
  schedules_ = std::make_unique<ScheduleTable>(index_.get());
  schedules_->Load();
  purges_ = std::make_unique<PurgeTable>(index_.get());
  TIDEMARK_RETURN_IF_ERROR(purges_->Load());
  retention_ = std::make_unique<Retention>(this);
  TIDEMARK_RETURN_IF_ERROR(retention_->table().Load());
  queue_ = std::make_unique<CommitQueue>(segments_.get(), options_);
  notifier_ = std::make_unique<DurableNotifier>(*queue_);
  reader_ = std::make_unique<PageReader>(index_.get(), segments_.get(), queue_.get(), &page_cache_);
  checkpointer_ = std::make_unique<Checkpointer>(this);
  packer_ = std::make_unique<Packer>(this);
  purger_ = std::make_unique<Purger>(this);
  retention_worker_ = std::make_unique<RetentionWorker>(this);
  scrubber_ = std::make_unique<Scrubber>(this);
  TIDEMARK_RETURN_IF_ERROR(scrubber_->Load());
  TIDEMARK_RETURN_IF_ERROR(ChoosePacked());
  TIDEMARK_ASSIGN_OR_RETURN(const auto namespaces, index_->ListNamespaces());
  for (const NamespaceRow& row : namespaces) {
    namespaces_[row.name] = std::make_shared<NamespaceState>(row.name, row.id);
  }
  TIDEMARK_ASSIGN_OR_RETURN(const auto damage, index_->ListDamage());
  for (const DamageRow& row : damage) KeepDamageLocked(row);
  for (const PurgeRow& purge : purges_->List()) ForgetObject(purge);
  return OkStatus();
}

// With an index it names them. A new one, or one that is being made anew, knows none.
Status StoreImpl::ChoosePacked() {
  TIDEMARK_ASSIGN_OR_RETURN(const auto checkpoint, index_->Checkpoint());
  std::optional<std::vector<uint32_t>> known;
  if (checkpoint && !format::IsPacked(checkpoint->position.segment)) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto rows, index_->ListPacked());
    known.emplace();
    for (const PackedRow& row : rows) known->push_back(row.number);
  }
  return segments_->ChoosePacked(known);
}

Status StoreImpl::StartLog() {
  LogEnd end;
  const bool is_new = segments_->Headers().empty();
  if (is_new) {
    end.store_id = RandomNumber();
    end.epoch = 1;
    TIDEMARK_RETURN_IF_ERROR(segments_->ReadySpares());
    TIDEMARK_RETURN_IF_ERROR(segments_->PrepareSpare(SpareBlocks::kWritten));
  } else {
    TIDEMARK_ASSIGN_OR_RETURN(end, Recovery(this).Run());
    TIDEMARK_RETURN_IF_ERROR(segments_->ReadySpares());
    TIDEMARK_RETURN_IF_ERROR(segments_->RemoveUnused());
  }
  store_id_ = end.store_id;
  epoch_ = end.epoch;
  const bool unclean = !is_new && end.position.offset == 0;
  queue_->set_on_group([this](bool wants_spare) { checkpointer_->AfterGroup(wants_spare); });
  queue_->Start(end);
  TIDEMARK_RETURN_IF_ERROR(queue_->broken());
  const Lsn previous_end(unclean ? end.last_lsn.value - format::kLostLsnGap : end.last_lsn.value);
  // None in a new store, nor where a crash took all there was.
  std::optional<Timestamp> last_record;
  if (end.last_time != Timestamp()) last_record = end.last_time;
  TIDEMARK_RETURN_IF_ERROR(LogOpen(previous_end, last_record));
  // The new segment names the old one's exact end, so nothing behind that will be looked at again.
  if (unclean) TIDEMARK_RETURN_IF_ERROR(segments_->CutAt(end.previous_end));
  head_room_->Take();
  if (options_.background_work == BackgroundWork::kThreads) {
    checkpointer_->StartThread();
    retention_worker_->StartThread();
    scrubber_->StartThread();
  }
  return OkStatus();
}

Status StoreImpl::LogOpen(Lsn previous_end, std::optional<Timestamp> last_record) {
  Buffer fields;
  EncodeOpen({.epoch = epoch_, .previous_end = previous_end, .library_version = TIDEMARK_VERSION},
             fields);
  PendingRow<EpochRow> made({.epoch = epoch_, .previous_end = previous_end});
  auto pause = retention_->Start(last_record);
  const size_t pause_bytes = pause ? pause->fields().size() : 0;
  TIDEMARK_ASSIGN_OR_RETURN(auto reservation, queue_->Reserve(fields.size() + pause_bytes, 2));
  CommitQueue::Scope scope(*queue_, std::move(reservation));
  TIDEMARK_RETURN_IF_ERROR(scope.status());
  const Lsn opened = scope.Append(RecordKind::kOpen, TimelineId(), fields, {}).lsn;
  Lsn last = opened;
  if (pause) {
    last = scope
               .Append(RecordKind::kLicence, TimelineId(scope.next_lsn().value), pause->fields(),
                       {}, StoreTag())
               .lsn;
  }
  scope.Leave();
  AddEpoch(std::move(made), opened);
  if (pause) retention_->table().Add(std::move(*pause), last);
  scope.Finish();
  return queue_->WaitDurable(last);
}

Status StoreImpl::SealLog() {
  std::lock_guard lock(seal_mutex_);
  const Lsn last = queue_->last_lsn();
  if (last == sealed_) return OkStatus();
  TIDEMARK_RETURN_IF_ERROR(queue_->Roll());
  Buffer fields;
  EncodeOpen({.epoch = epoch_, .previous_end = last, .library_version = TIDEMARK_VERSION}, fields);
  TIDEMARK_ASSIGN_OR_RETURN(auto reservation, queue_->Reserve(fields.size(), 1));
  CommitQueue::Scope scope(*queue_, std::move(reservation));
  TIDEMARK_RETURN_IF_ERROR(scope.status());
  fields.clear();
  EncodeOpen({.epoch = epoch_,
              .previous_end = Lsn(scope.next_lsn().value - 1),
              .library_version = TIDEMARK_VERSION},
             fields);
  const CommitQueue::Appended opened = scope.Append(RecordKind::kOpen, TimelineId(), fields, {});
  scope.Leave();
  scope.Finish();
  TIDEMARK_RETURN_IF_ERROR(queue_->WaitDurable(opened.lsn));
  sealed_ = opened.lsn;
  // The room that the old segment had left: the new one names its end.
  const auto headers = segments_->Headers();
  const auto& begun = headers.rbegin()->second;
  return segments_->CutAt({begun.previous, begun.previous_end});
}

StoreImpl::~StoreImpl() {
  if (packer_ != nullptr) packer_->Stop();
  // Threads first: they use what is destroyed below.
  if (scrubber_ != nullptr) scrubber_->Stop();
  if (retention_worker_ != nullptr) retention_worker_->Stop();
  if (checkpointer_ != nullptr) checkpointer_->Stop();
  if (notifier_ != nullptr) notifier_->Stop();
  if (queue_ != nullptr) queue_->Stop();
}

Status StoreImpl::Close() {
  const Status status = Finish();
  Release();
  return status;
}

Status StoreImpl::Finish() {
  packer_->Stop();
  scrubber_->Stop();
  retention_worker_->Stop();
  checkpointer_->Stop();
  notifier_->Stop();
  queue_->Stop();
  TIDEMARK_RETURN_IF_ERROR(retention_->NoteClock());
  TIDEMARK_RETURN_IF_ERROR(queue_->WaitDurable(queue_->last_lsn()));
  // Where only the index finds no room the log is closed all the same: else the next opening would
  // need room for a new segment. It replays what the index lacks.
  Status full;
  const auto unless_full = [&](Status status) {
    if (status.code() != StatusCode::kFull) return status;
    if (full.ok()) full = std::move(status);
    return OkStatus();
  };
  TIDEMARK_RETURN_IF_ERROR(unless_full(checkpointer_->Run()));
  if (const auto health = scrubber_->Changed(); health && full.ok()) {
    TIDEMARK_RETURN_IF_ERROR(unless_full(checkpointer_->UpdateIndex(
        [&](IndexWriter& writer) { return writer.PutHealth(*health); })));
  }
  TIDEMARK_RETURN_IF_ERROR(unless_full(index_->EndUpdates()));
  // Transactions that are prepared are lost with the store: they can hold all the room there is.
  queue_->AbandonReservations();
  TIDEMARK_ASSIGN_OR_RETURN(auto reservation, queue_->Reserve(0, 1, LogRoom::kClose));
  CommitQueue::Scope scope(*queue_, std::move(reservation));
  TIDEMARK_RETURN_IF_ERROR(scope.status());
  const Lsn lsn = scope.Append(RecordKind::kClose, TimelineId(), {}, {}).lsn;
  scope.Leave();
  scope.Finish();
  TIDEMARK_RETURN_IF_ERROR(queue_->WaitDurable(lsn));
  return full;
}

Status StoreImpl::OutOfMemory() const noexcept {
  const Status broken = queue_->broken();
  return broken.ok() ? Status::OutOfMemory() : broken;
}

void StoreImpl::Release() {
  // Handles may be in use still: none of them reaches the index or writes any more.
  queue_->Close(closed_);
  index_.reset();
  lock_.reset();
}

}  // namespace tidemark::internal
