#include "vfs/bisect.h"

#include <bit>
#include <new>
#include <optional>
#include <string>
#include <variant>

#include "vfs/database.h"
#include "vfs/internal/expression.h"
#include "vfs/internal/prepared.h"

namespace tidemark {

using internal::OnlyReads;
using internal::Prepared;

namespace {

// Where so many commits side by side are damaged, no more are tried.
constexpr int kMostUnreadable = 1000;

enum class Answer { kFalse, kTrue, kUnreadable };

bool NamesWhatIsNotThere(const Status& status) {
  return status.message().starts_with("no such table: ") ||
         status.message().starts_with("no such column: ");
}

class Bisection {
 public:
  Bisection(Store& store, const std::shared_ptr<Object>& object, std::string_view predicate,
            const Progress& progress)
      : store_(store), object_(object), predicate_(predicate), progress_(progress) {}

  Result<BisectResult> Run(const Point& good, const Point& bad);

 private:
  // Where the points are, and that they are what they are said to be.
  Status CheckEnds(const Point& good, const Point& bad);
  // What the predicate says at a commit. Errors: what cannot be evaluated, but not damage.
  Result<Answer> Look(const CommitInfo& commit, const Point& at);
  Result<bool> Evaluate(const Point& at) const;
  // The latest commit in (`floor`, `newest`] that can be looked at, with its answer; none if there
  // is none.
  Status FindLast(Lsn floor, Lsn newest, std::optional<CommitInfo>* commit, Answer* answer);
  std::string Describe(const CommitInfo& commit) const {
    return object_->BookmarkOf(commit).ToString() + " (" + FormatTime(commit.time) + ")";
  }

  Store& store_;
  const std::shared_ptr<Object>& object_;
  const std::string predicate_;
  const Progress& progress_;
  BisectResult result_;
};

Result<bool> Bisection::Evaluate(const Point& at) const {
  TIDEMARK_ASSIGN_OR_RETURN(const Database past, Database::Open(store_, object_, {.at = at}));
  TIDEMARK_ASSIGN_OR_RETURN(OnlyReads reads, OnlyReads::Begin(past));
  TIDEMARK_ASSIGN_OR_RETURN(Prepared query,
                            reads.Prepare("SELECT NOT NOT (\n" + predicate_ + "\n)"));
  TIDEMARK_RETURN_IF_ERROR(query.Step().status());
  if (query.Type(0) == SQLITE_NULL) {
    return Status(StatusCode::kInvalidArgument,
                  "the predicate is NULL, neither true nor false; ifnull(..., 0) makes that false");
  }
  return query.Int(0) != 0;
}

Result<Answer> Bisection::Look(const CommitInfo& commit, const Point& at) {
  ++result_.looks;
  if (commit.kind == CommitKind::kDelete) {
    ++result_.without;
    return Answer::kFalse;
  }
  const auto value = Evaluate(at);
  if (value.ok()) return *value ? Answer::kTrue : Answer::kFalse;
  if (NamesWhatIsNotThere(value.status())) {
    ++result_.without;
    return Answer::kFalse;
  }
  if (value.status().code() == StatusCode::kCorruption) return Answer::kUnreadable;
  return value.status().WithContext("at " + Describe(commit));
}

Status Bisection::FindLast(Lsn floor, Lsn newest, std::optional<CommitInfo>* commit,
                           Answer* answer) {
  Status failed;
  int unreadable = 0;
  const auto pass_over = [&] {
    ++result_.unreadable;
    if (++unreadable < kMostUnreadable) return true;
    failed = Status(StatusCode::kCorruption, "more than " + std::to_string(kMostUnreadable) +
                                                 " commits of " + object_->DisplayName() +
                                                 " side by side are damaged");
    return false;
  };
  const Status history = object_->History(
      [&](const CommitInfo& found) {
        if (found.lsn <= floor) return false;
        const auto look = Look(found, object_->BookmarkOf(found));
        if (!look.ok()) {
          failed = look.status();
          return false;
        }
        if (*look == Answer::kUnreadable) return pass_over();
        *commit = found;
        *answer = *look;
        return false;
      },
      [&](const DamagedCommit& damaged) { return damaged.lsn > floor && pass_over(); }, newest);
  TIDEMARK_RETURN_IF_ERROR(history);
  return failed;
}

Status Bisection::CheckEnds(const Point& good, const Point& bad) {
  TIDEMARK_ASSIGN_OR_RETURN(result_.before, object_->Resolve(good));
  TIDEMARK_ASSIGN_OR_RETURN(result_.first, object_->Resolve(bad));
  if (result_.before.lsn >= result_.first.lsn) {
    return Status(StatusCode::kInvalidArgument, "the good point, " + Describe(result_.before) +
                                                    ", is not before the bad one, " +
                                                    Describe(result_.first));
  }
  const auto fixed = [&](const Point& point, const CommitInfo& commit) {
    // A time goes on; a label's commit does not expire.
    return std::holds_alternative<Label>(point) ? point : Point(object_->BookmarkOf(commit));
  };
  // There nothing may be missing: else a slip of the pen would be false everywhere.
  ++result_.looks;
  if (result_.first.kind == CommitKind::kDelete) {
    return Status(StatusCode::kInvalidArgument,
                  "the predicate is not true at the bad point: the object was deleted by " +
                      Describe(result_.first));
  }
  const auto at_bad = Evaluate(fixed(bad, result_.first));
  if (!at_bad.ok()) {
    return at_bad.status().WithContext("at the bad point, " + Describe(result_.first));
  }
  if (!*at_bad) {
    return Status(StatusCode::kInvalidArgument,
                  "the predicate is not true at the bad point, " + Describe(result_.first));
  }
  TIDEMARK_ASSIGN_OR_RETURN(const Answer at_good,
                            Look(result_.before, fixed(good, result_.before)));
  if (at_good == Answer::kUnreadable) {
    return Status(StatusCode::kCorruption,
                  "the good point, " + Describe(result_.before) + ", is damaged");
  }
  if (at_good == Answer::kTrue) {
    return Status(StatusCode::kInvalidArgument,
                  "the predicate is true already at the good point, " + Describe(result_.before));
  }
  return OkStatus();
}

Result<BisectResult> Bisection::Run(const Point& good, const Point& bad) {
  TIDEMARK_RETURN_IF_ERROR(CheckEnds(good, bad));
  // Between `before` and `first` no commit that can be looked at stands at or below `floor`, or
  // behind `limit`.
  uint64_t floor = result_.before.lsn.value;
  uint64_t limit = result_.first.lsn.value - 1;
  while (floor < limit) {
    if (progress_) {
      progress_(result_.looks,
                result_.looks + static_cast<uint64_t>(std::bit_width(limit - floor)));
    }
    const uint64_t middle = limit - (limit - floor) / 2;
    std::optional<CommitInfo> commit;
    Answer answer = Answer::kFalse;
    TIDEMARK_RETURN_IF_ERROR(FindLast(Lsn(floor), Lsn(middle), &commit, &answer));
    if (commit && answer == Answer::kTrue) {
      result_.first = *commit;
      limit = commit->lsn.value - 1;
    } else {
      if (commit) result_.before = *commit;
      floor = middle;
    }
  }
  return result_;
}

}  // namespace

Result<BisectResult> Bisect(Store& store, const std::shared_ptr<Object>& object, const Point& good,
                            const Point& bad, std::string_view predicate,
                            const Progress& progress) try {
  TIDEMARK_RETURN_IF_ERROR(internal::CheckExpression(predicate));
  return Bisection(store, object, predicate, progress).Run(good, bad);
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
}

}  // namespace tidemark
