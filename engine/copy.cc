#include "engine/copy.h"

#include <algorithm>
#include <map>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/internal/commit_walk.h"
#include "engine/internal/page_codec.h"
#include "engine/snapshot.h"
#include "engine/transaction.h"

namespace tidemark {
namespace {

using internal::CommitWalk;
using internal::PageHash;

// Pages that changed last are looked at first: so many.
constexpr size_t kRecentPages = 256;

// What can be asked for at a point in time: kNone and a deletion are both "nothing".
bool HasDatabase(const CommitInfo& commit) {
  return commit.kind != CommitKind::kNone && commit.kind != CommitKind::kDelete &&
         commit.page_size != 0;
}

bool SameState(const CommitInfo& a, const CommitInfo& b) {
  if (!HasDatabase(a) || !HasDatabase(b)) return HasDatabase(a) == HasDatabase(b);
  return a.state_hash == b.state_hash && a.page_count == b.page_count && a.page_size == b.page_size;
}

// Writes states of one object into another, each as what it differs in from the one before.
class StateWriter {
 public:
  StateWriter(const Object& from, std::shared_ptr<Object> to)
      : from_(from), to_(std::move(to)), transaction_(to_) {}

  // Errors: kCorruption if what was written has not the commit's state hash.
  Result<CommitInfo> Write(const CommitInfo& commit, bool schema_changed,
                           const Progress& progress) {
    TIDEMARK_ASSIGN_OR_RETURN(const Snapshot snapshot, from_.OpenSnapshot(commit));
    TIDEMARK_RETURN_IF_ERROR(transaction_.Begin());
    auto made = WriteFrom(snapshot, schema_changed, progress);
    transaction_.End();
    return made;
  }

  uint64_t pages() const { return pages_; }

 private:
  Result<CommitInfo> WriteFrom(const Snapshot& snapshot, bool schema_changed,
                               const Progress& progress) {
    const CommitInfo& commit = snapshot.commit();
    const bool same_size =
        HasDatabase(transaction_.base()) && transaction_.base().page_size == commit.page_size;
    hash_ = same_size ? transaction_.base().state_hash : 0;
    before_ = same_size ? transaction_.base().page_count : 0;
    TIDEMARK_RETURN_IF_ERROR(transaction_.ResetPageSize(commit.page_size));
    now_.resize(commit.page_size);
    old_.resize(commit.page_size);
    TIDEMARK_RETURN_IF_ERROR(CutOff(commit.page_count));
    for (uint32_t page = before_ + 1; page <= commit.page_count; ++page) {
      TIDEMARK_RETURN_IF_ERROR(Look(snapshot, PageNo(page)));
      if (progress) progress(page, commit.page_count);
    }
    // Until the hash says that nothing more differs: Look makes `recent_` another one.
    const std::vector<uint32_t> recent = recent_;
    for (size_t i = 0; i < recent.size() && hash_ != commit.state_hash; ++i) {
      if (recent[i] > before_) continue;
      TIDEMARK_RETURN_IF_ERROR(Look(snapshot, PageNo(recent[i])));
    }
    for (uint32_t page = 1; page <= before_ && hash_ != commit.state_hash; ++page) {
      TIDEMARK_RETURN_IF_ERROR(Look(snapshot, PageNo(page)));
    }
    transaction_.SetSchemaChanged(schema_changed);
    if (hash_ != commit.state_hash) return WrongState(commit);
    TIDEMARK_ASSIGN_OR_RETURN(CommitInfo made, transaction_.Commit());
    if (!SameState(made, commit)) return WrongState(commit);
    return made;
  }

  Status WrongState(const CommitInfo& commit) const {
    return Status(StatusCode::kCorruption, from_.DisplayName() + ": the pages at LSN " +
                                               std::to_string(commit.lsn.value) +
                                               " do not give its state hash");
  }

  // Makes the database end after `count` pages, if it is longer.
  Status CutOff(uint32_t count) {
    for (uint32_t page = count + 1; page <= before_; ++page) {
      TIDEMARK_RETURN_IF_ERROR(transaction_.ReadPage(PageNo(page), old_));
      hash_ ^= PageHash(PageNo(page), old_);
    }
    if (count >= before_) return OkStatus();
    before_ = count;
    return transaction_.SetPageCount(count);
  }

  // Stages a page if it differs.
  Status Look(const Snapshot& snapshot, PageNo page) {
    TIDEMARK_RETURN_IF_ERROR(snapshot.ReadPage(page, now_));
    if (page.value <= before_) {
      TIDEMARK_RETURN_IF_ERROR(transaction_.ReadPage(page, old_));
      if (now_ == old_) return OkStatus();
      hash_ ^= PageHash(page, old_);
    }
    hash_ ^= PageHash(page, now_);
    ++pages_;
    if (const auto it = std::find(recent_.begin(), recent_.end(), page.value);
        it != recent_.end()) {
      recent_.erase(it);
    } else if (recent_.size() == kRecentPages) {
      recent_.pop_back();
    }
    recent_.insert(recent_.begin(), page.value);
    return transaction_.WritePage(page, now_);
  }

  const Object& from_;
  const std::shared_ptr<Object> to_;
  Transaction transaction_;
  uint64_t pages_ = 0;
  std::vector<uint32_t> recent_;  // the last one first
  // Of the state that is written now:
  uint64_t hash_ = 0;    // of what is staged
  uint32_t before_ = 0;  // pages of the base that are left
  std::vector<std::byte> now_, old_;
};

std::string NameOf(const Object& object, const Store& store) {
  return object.DisplayName() + " of " + store.directory();
}

Result<CopyReport> CopyPresent(const Object& from, Store& to, const std::shared_ptr<Object>& object,
                               const Progress& progress) {
  CopyReport report;
  report.newest = from.head();
  if (!from.exists()) {
    return Status(StatusCode::kNotFound, "object " + from.DisplayName() + " does not exist");
  }
  report.copied = object->head();
  if (report.copied.kind != CommitKind::kNone) {
    if (!HasDatabase(report.copied) || !SameState(report.copied, report.newest)) {
      return Status(StatusCode::kExists, "object " + NameOf(*object, to) +
                                             " exists, and is not what " + from.DisplayName() +
                                             " is");
    }
    report.found = 1;
  } else if (HasDatabase(report.newest)) {
    StateWriter writer(from, object);
    TIDEMARK_ASSIGN_OR_RETURN(report.copied, writer.Write(report.newest, true, progress));
    report.commits = 1;
    report.pages = writer.pages();
  }
  TIDEMARK_RETURN_IF_ERROR(to.Sync());
  return report;
}

// A history is copied into a store that has nothing else.
Status CheckIsAlone(const Store& to, const Object& object) {
  for (const Listed which : {Listed::kExisting, Listed::kDeleted}) {
    std::string other;
    TIDEMARK_RETURN_IF_ERROR(to.ListObjects(
        "",
        [&](const ObjectSummary& summary) {
          if (summary.id == object.id()) return true;
          other = summary.namespace_name + "/" + summary.name;
          return false;
        },
        which));
    if (other.empty()) continue;
    return Status(StatusCode::kExists,
                  "a history needs a store of its own, because time never runs back in one, and " +
                      to.directory() + " has " + other);
  }
  return OkStatus();
}

class HistoryCopy {
 public:
  HistoryCopy(const Object& from, Store& to, std::shared_ptr<Object> object, ManualClock* clock)
      : from_(from), to_(to), object_(std::move(object)), clock_(*clock) {}

  Result<CopyReport> Run(const Progress& progress) {
    TIDEMARK_RETURN_IF_ERROR(CheckIsAlone(to_, *object_));
    TIDEMARK_RETURN_IF_ERROR(NoteLabels());
    TIDEMARK_ASSIGN_OR_RETURN(CommitWalk commits, CommitWalk::Begin(&from_));
    TIDEMARK_ASSIGN_OR_RETURN(CommitWalk there, CommitWalk::Begin(object_.get()));
    if (commits.count() == 0) {
      return Status(StatusCode::kNotFound, "object " + from_.DisplayName() + " has no history");
    }
    const uint64_t total = commits.count();
    for (uint64_t done = 0;; ++done) {
      TIDEMARK_ASSIGN_OR_RETURN(const auto commit, commits.Next());
      if (!commit) break;
      TIDEMARK_RETURN_IF_ERROR(Bring(*commit, there));
      if (progress) progress(done + 1, total);
    }
    TIDEMARK_ASSIGN_OR_RETURN(const auto more, there.Next());
    if (more) return NotACopy(*more);
    TIDEMARK_RETURN_IF_ERROR(to_.Sync());
    for (const auto& [name, at] : labels_) {
      if (!at.made) continue;
      TIDEMARK_RETURN_IF_ERROR(object_->SetLabel(name, *at.made, IfLabelExists::kMove));
      ++report_.labels;
    }
    return report_;
  }

 private:
  struct LabelAt {
    Lsn lsn;  // of `from`
    std::optional<Bookmark> made{};
  };

  Status NoteLabels() {
    TIDEMARK_ASSIGN_OR_RETURN(const auto labels, from_.ListLabels());
    for (const LabelInfo& label : labels) {
      TIDEMARK_RETURN_IF_ERROR(label.damage);
      if (!label.automatic) labels_[label.name] = {.lsn = label.bookmark.lsn};
    }
    return OkStatus();
  }

  Status NotACopy(const CommitInfo& commit) const {
    return Status(StatusCode::kExists,
                  "object " + NameOf(*object_, to_) + " exists, and is no copy of " +
                      from_.DisplayName() + ": its commit of " + FormatTime(commit.time) +
                      " (LSN " + std::to_string(commit.lsn.value) + ") is none of that one's");
  }

  Status Bring(const CommitInfo& commit, CommitWalk& there) {
    report_.newest = commit;
    if (!SameState(commit, report_.copied)) {
      TIDEMARK_ASSIGN_OR_RETURN(const auto found, there.Next());
      if (found) {
        if (found->time != commit.time || !SameState(*found, commit)) return NotACopy(*found);
        report_.copied = *found;
        ++report_.found;
      } else {
        TIDEMARK_RETURN_IF_ERROR(Make(commit));
      }
    }
    for (auto& [name, at] : labels_) {
      if (at.lsn == commit.lsn && HasDatabase(report_.copied)) {
        at.made = object_->BookmarkOf(report_.copied);
      }
    }
    return OkStatus();
  }

  Status Make(const CommitInfo& commit) {
    if (commit.time > clock_.Now()) clock_.Advance(commit.time - clock_.Now());
    if (HasDatabase(commit)) {
      if (writer_ == nullptr) writer_ = std::make_unique<StateWriter>(from_, object_);
      const uint64_t pages = writer_->pages();
      TIDEMARK_ASSIGN_OR_RETURN(report_.copied,
                                writer_->Write(commit, commit.schema_changed, nullptr));
      report_.pages += writer_->pages() - pages;
    } else {
      writer_.reset();
      TIDEMARK_ASSIGN_OR_RETURN(const RestoreInfo deleted, object_->Delete());
      report_.copied = deleted.result;
    }
    ++report_.commits;
    if (report_.copied.time == commit.time) return OkStatus();
    return Status(StatusCode::kInvalidArgument,
                  to_.directory() + " has something newer than the history of " +
                      from_.DisplayName() + ", whose commit of " + FormatTime(commit.time) +
                      " got the time " + FormatTime(report_.copied.time) +
                      ": remove that store, and copy into a new one");
  }

  const Object& from_;
  Store& to_;
  const std::shared_ptr<Object> object_;
  ManualClock& clock_;
  std::unique_ptr<StateWriter> writer_;
  std::map<std::string, LabelAt> labels_;
  CopyReport report_;
};

}  // namespace

Result<CopyReport> CopyObject(const Object& from, Store& to, std::string_view namespace_name,
                              std::string_view name, const CopyOptions& options,
                              const Progress& progress) try {
  if (options.history && options.clock == nullptr) {
    return Status(StatusCode::kInvalidArgument,
                  "a history is copied into a store that takes its time from CopyOptions::clock");
  }
  // A deleted one is no place for a present state, but may be the copy of a history.
  auto opened = to.OpenObject(namespace_name, name, IfMissing::kDeleted);
  if (opened.status().code() == StatusCode::kNotFound) {
    opened = to.OpenObject(namespace_name, name, IfMissing::kCreate);
  }
  TIDEMARK_RETURN_IF_ERROR(opened.status());
  if (!options.history) return CopyPresent(from, to, *opened, progress);
  return HistoryCopy(from, to, *opened, options.clock).Run(progress);
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
}

}  // namespace tidemark
