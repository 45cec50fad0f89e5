// Work that is made to fail, see fault_work.h.

#include "tests/vfs/fault_work.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <new>

#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

constexpr char kRows[] = "40";

// What SQLite would say.
int CodeOf(const Status& status) {
  switch (status.code()) {
    case StatusCode::kOk: return SQLITE_OK;
    case StatusCode::kOutOfMemory: return SQLITE_NOMEM;
    case StatusCode::kFull: return SQLITE_FULL;
    case StatusCode::kIoError:
    case StatusCode::kBroken: return SQLITE_IOERR;
    default: return SQLITE_INTERNAL;  // never right
  }
}

}  // namespace

FaultWork::FaultWork(Files files) : file_system_(TestSeed()) {
  options_.create_if_missing = true;
  options_.transaction_memory_bytes = 16 << 10;
  options_.background_work = BackgroundWork::kManual;
  options_.segment_size_bytes = 1 << 20;
  options_.index_directory = index_ / "index";
  directory_ = index_ / "store";
  if (files == Files::kSimulated) {
    options_.file_system = &file_system_;
    directory_ = "store";
  }
  EXPECT_OK(Open());
  Exec(*db_,
       "PRAGMA auto_vacuum=INCREMENTAL; CREATE TABLE t(id INTEGER PRIMARY KEY, x, y, z);"
       "CREATE INDEX i ON t(y); CREATE TABLE large(z);"
       "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i<40) "
       "INSERT INTO t SELECT i, 0, 'row ' || i || hex(zeroblob(300)), zeroblob(600) FROM n");
  past_ = db_->object().CurrentBookmark().value();
  time_ = db_->object().head().time;
  const Database other = Database::Open(*store_, "ns", "other").value();
  Exec(other, "CREATE TABLE u(x); INSERT INTO u VALUES(0)");
}

FaultWork::~FaultWork() { Close(); }

Status FaultWork::Open() {
  TIDEMARK_ASSIGN_OR_RETURN(store_, Store::Open(directory_, options_));
  TIDEMARK_RETURN_IF_ERROR(AttachStore(store_.get()));
  TIDEMARK_ASSIGN_OR_RETURN(db_, Database::Open(*store_, "ns", "o"));
  return db_->Exec("PRAGMA cache_size=4");
}

void FaultWork::Close() {
  db_.reset();
  EXPECT_OK(DetachStore(store_.get()));
  EXPECT_OK(store_->Close());
  store_.reset();
}

// The store is broken: what was done in the piece of work that met this is all there or not at all.
void FaultWork::Reopen(const Piece& piece, bool confirmed) {
  ++broken_;
  fork_ = nullptr;
  db_.reset();
  EXPECT_OK(DetachStore(store_.get()));
  EXPECT_FALSE(store_->Close().ok());
  ASSERT_OK(Open());
  if (!db_->object().exists()) {
    EXPECT_OK(db_->object().Undelete());
  }
  const int x = std::stoi(Query(*db_, "SELECT max(x) FROM t"));
  if (confirmed || x != x_) {
    x_ += piece.adds;
    y_ += piece.adds_elsewhere;
  }
  EXPECT_EQ(x, x_);
}

std::string FaultWork::Uri(const std::string& name) const {
  return "file:ns/" + name + "?vfs=tidemark&store=" + store_->directory();
}

// Not with sqlite3_exec: it returns SQLITE_NOMEM and loses the code if its own message fails.
int FaultWork::Run(sqlite3* connection, const std::string& sql) {
  const char* next = sql.c_str();
  while (*next != '\0') {
    sqlite3_stmt* statement = nullptr;
    int code = sqlite3_prepare_v2(connection, next, -1, &statement, &next);
    if (code != SQLITE_OK) return code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    }
    sqlite3_finalize(statement);
    if (code != SQLITE_DONE) return code;
  }
  return SQLITE_OK;
}

int FaultWork::RunElsewhere(const std::string& uri, const std::string& sql) {
  sqlite3* connection = nullptr;
  int code = sqlite3_open_v2(uri.c_str(), &connection,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI, nullptr);
  if (code == SQLITE_OK) code = Run(connection, sql);
  sqlite3_close(connection);
  return code;
}

int FaultWork::CopyOut(const std::string& uri) {
  sqlite3* copy = nullptr;
  int code = sqlite3_open_v2(uri.c_str(), &copy,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI, nullptr);
  if (code == SQLITE_OK) {
    sqlite3_backup* backup = sqlite3_backup_init(copy, "main", db_->handle(), "main");
    if (backup == nullptr) {
      code = sqlite3_errcode(copy);
    } else {
      while (sqlite3_backup_step(backup, 3) == SQLITE_OK) {
      }
      code = sqlite3_backup_finish(backup);
    }
  }
  sqlite3_close(copy);
  return code;
}

int FaultWork::WriteBlob() {
  sqlite3_blob* blob = nullptr;
  int code = sqlite3_blob_open(db_->handle(), "main", "t", "z", 7, 1, &blob);
  if (code == SQLITE_OK) code = sqlite3_blob_write(blob, "blob", 4, 300);
  const int closed = sqlite3_blob_close(blob);
  return code == SQLITE_OK ? closed : code;
}

int FaultWork::Serialize() {
  sqlite3_int64 size = 0;
  unsigned char* bytes = sqlite3_serialize(db_->handle(), "main", &size, 0);
  if (bytes == nullptr) return SQLITE_NOMEM;  // the only thing it can say
  sqlite3_free(bytes);
  return SQLITE_OK;
}

std::vector<FaultWork::Piece> FaultWork::Pieces() {
  const auto sql = [this](const std::string& text) {
    return [this, text] { return Run(db_->handle(), text); };
  };
  const auto commit = [this] {
    Exec(*db_, "UPDATE t SET x = x + 1");
    ++x_;
  };
  return {
      {"update", 1, 0,
       sql("BEGIN; UPDATE t SET x = x + 1; INSERT INTO large VALUES(zeroblob(60000));"
           "DELETE FROM large; COMMIT")},
      {"savepoints", 1, 0,
       sql("SAVEPOINT a; UPDATE t SET x = x + 5; SAVEPOINT b; UPDATE t SET x = x + 7, y = y || '+';"
           "ROLLBACK TO b; UPDATE t SET x = x - 4; RELEASE a")},
      {"rollback", 0, 0,
       sql("BEGIN; UPDATE t SET x = -1; INSERT INTO large VALUES(zeroblob(60000)); ROLLBACK")},
      {"rollback to the beginning", 1, 0,
       sql("SAVEPOINT a; UPDATE t SET x = -1, y = x; ROLLBACK TO a; UPDATE t SET x = x + 1;"
           "RELEASE a")},
      {"schema", 1, 0,
       sql("BEGIN; CREATE TABLE extra(p UNIQUE); INSERT INTO extra SELECT y FROM t; ALTER TABLE "
           "extra RENAME TO spare; DROP TABLE spare; UPDATE t SET x = x + 1; COMMIT")},
      {"vacuum", 0, 0, sql("VACUUM")},
      {"another page size", 0, 0,
       sql("PRAGMA page_size=1024; VACUUM; PRAGMA page_size=4096; VACUUM")},
      {"incremental vacuum", 0, 0,
       sql("INSERT INTO large VALUES(zeroblob(20000)); DELETE FROM large;"
           "PRAGMA incremental_vacuum")},
      {"sort", 0, 0, sql("SELECT a.y, count(*) FROM t a JOIN t b ON a.x = b.x GROUP BY a.y")},
      {"temporary table", 0, 0,
       sql("CREATE TEMP TABLE w AS SELECT * FROM t; UPDATE w SET y = y || y; DROP TABLE w")},
      {"another connection", 1, 0,
       [this, uri = Uri("o"), sql = std::string("PRAGMA cache_size=4; UPDATE t SET x = x + 1")] {
         return RunElsewhere(uri, sql);
       }},
      {"two objects", 1, 1,
       sql("ATTACH '" + Uri("other") +
           "' AS b; BEGIN; UPDATE t SET x = x + 1; UPDATE b.u SET x = x + 1; COMMIT")},
      {"two large objects", 1, 1,
       sql("ATTACH '" + Uri("other") +
           "' AS b; PRAGMA b.cache_size=4; BEGIN; UPDATE b.u SET x = x + 1;"
           "CREATE TABLE b.large(z); INSERT INTO b.large VALUES(zeroblob(60000));"
           "UPDATE t SET x = x + 1; INSERT INTO large VALUES(zeroblob(60000)); DELETE FROM large;"
           "DROP TABLE b.large; COMMIT")},
      {"two objects rolled back", 0, 0,
       sql("ATTACH '" + Uri("other") +
           "' AS b; BEGIN; UPDATE t SET x = -1; UPDATE b.u SET x = -1; ROLLBACK")},
      {"a new object", 0, 0,
       [this, sql = std::string("CREATE TABLE n(x); INSERT INTO n VALUES(1)")] {
         return RunElsewhere(new_uri_, sql);
       },
       [this] { new_uri_ = Uri("new object " + std::to_string(objects_made_++)); }},
      {"the past", 0, 0,
       [this, uri = Uri("o") + "&at=" + past_.ToString(),
        sql = std::string("SELECT sum(x) FROM t")] { return RunElsewhere(uri, sql); }},
      {"the past beside the present", 0, 0,
       sql("ATTACH '" + Uri("o") + "&at=" + past_.ToString() +
           "' AS b; SELECT count(*) FROM t JOIN b.t AS old USING(id) WHERE old.x <= t.x")},
      {"backup", 0, 0, [this, uri = Uri("copy")] { return CopyOut(uri); }},
      {"blob", 0, 0, [this] { return WriteBlob(); }},
      {"serialize", 0, 0, [this] { return Serialize(); }},
      {"pragmas", 0, 0, sql("PRAGMA tidemark_stat; PRAGMA tidemark_durable")},
      {"restore", 1, 0, [this] { return CodeOf(db_->object().Restore(point_).status()); },
       [this] {
         const Bookmark before = db_->object().CurrentBookmark().value();
         Exec(*db_, "UPDATE t SET x = x + 1");
         point_ = db_->object().CurrentBookmark().value();
         EXPECT_OK(db_->object().Restore(before));
       }},
      {.name = "restore by pragma",
       .adds = 1,
       .run = [this] { return Run(db_->handle(), restore_pragma_); },
       .ready =
           [this] {
             const Bookmark before = db_->object().CurrentBookmark().value();
             Exec(*db_, "UPDATE t SET x = x + 1");
             restore_pragma_ =
                 "PRAGMA tidemark_restore='" + db_->object().CurrentBookmark()->ToString() + "'";
             EXPECT_OK(db_->object().Restore(before));
             undo_ = db_->object().CurrentBookmark().value();
           },
       .found_done = [this] { return FindUndoBookmark(); }},
      {"fork", 0, 0, [this] { return CodeOf(Fork()); },
       [this] { new_name_ = "a fork with a long name " + std::to_string(objects_made_++); }},
      {"promote", 1, 0,
       [this] { return CodeOf(db_->object().Promote(*fork_, IfNewer::kReplace).status()); },
       [this] {
         const std::string name = "promoted " + std::to_string(objects_made_++);
         const Bookmark now = db_->object().CurrentBookmark().value();
         fork_ = store_->Fork(db_->object(), now, "ns", name).value();
         Exec(Database::Open(*store_, "ns", name).value(), "UPDATE t SET x = x + 1");
       }},
      {"delete and undelete", 0, 0, [this] { return CodeOf(DeleteAndUndelete()); }},
      {"look back", 0, 0, [this] { return CodeOf(LookBack()); }},
      {"labels", 0, 0, [this] { return CodeOf(ChangeLabels()); }, commit},
      {"retention", 0, 0, [this] { return CodeOf(ChangeRetention()); }, commit},
      {"list", 0, 0, [this] { return CodeOf(ListAll()); }},
      {"checkpoint", 0, 0, [this] { return CodeOf(store_->Checkpoint()); }, commit},
      {.name = "close and open",
       .run = [this] { return CodeOf(OpenAgain(true)); },
       .ready = commit,
       .grows = true},
      {.name = "open and recover",
       .run = [this] { return CodeOf(OpenAgain(false)); },
       .ready = commit,
       .grows = true},
  };
}

// As a program does that was told that memory ran out: a restore was done if the journal begins
// with one over what was current before it.
bool FaultWork::FindUndoBookmark() {
  const std::string journal = Query(*db_, "PRAGMA tidemark_restores");
  return journal.find("\"from\":\"" + undo_.ToString() + "\"") < journal.find('}');
}

// The store as a program leaves it that closes it, or that dies.
Status FaultWork::OpenAgain(bool close) {
  db_.reset();
  EXPECT_OK(DetachStore(store_.get()));
  const Status closed = close ? store_->Close() : OkStatus();
  store_.reset();
  TIDEMARK_RETURN_IF_ERROR(closed);
  return Open();
}

// All of it is there, or nothing.
Status FaultWork::Fork() {
  const Bookmark now = db_->object().CurrentBookmark().value();
  return store_->Fork(db_->object(), now, "ns", new_name_).status();
}

Status FaultWork::DeleteAndUndelete() {
  TIDEMARK_RETURN_IF_ERROR(db_->object().Delete().status());
  return db_->object().Undelete().status();
}

Status FaultWork::LookBack() {
  Object& object = db_->object();
  TIDEMARK_ASSIGN_OR_RETURN(const RestoreInfo plan, object.PlanRestore(past_));
  TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo found, object.Resolve(time_));
  TIDEMARK_ASSIGN_OR_RETURN(const Snapshot past, object.OpenSnapshot(past_));
  TIDEMARK_RETURN_IF_ERROR(past.Verify());
  int commits = 0;
  TIDEMARK_RETURN_IF_ERROR(object.History([&](const CommitInfo&) { return ++commits < 10; }));
  const bool complete = plan.to.lsn == past_.lsn && found.lsn == past_.lsn && commits == 10;
  return complete ? OkStatus() : Status(StatusCode::kCorruption, "something is missing");
}

Status FaultWork::ChangeLabels() {
  Object& object = db_->object();
  const Status removed = object.RemoveLabel("past");
  if (removed.code() != StatusCode::kNotFound) TIDEMARK_RETURN_IF_ERROR(removed);
  TIDEMARK_RETURN_IF_ERROR(object.SetLabel("past", past_));
  TIDEMARK_RETURN_IF_ERROR(object.SetLabel("moved", time_, IfLabelExists::kMove));
  TIDEMARK_RETURN_IF_ERROR(object.SetLabel("moved", Timestamp::max(), IfLabelExists::kMove));
  TIDEMARK_ASSIGN_OR_RETURN(const std::string automatic, object.SetAutomaticLabel("automatic"));
  TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo past, object.Resolve(Label{"past"}));
  TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo now, object.Resolve(Label{automatic}));
  TIDEMARK_ASSIGN_OR_RETURN(const auto labels, object.ListLabels());
  const bool complete = past.lsn == past_.lsn && now.lsn == object.head().lsn && labels.size() >= 3;
  return complete ? OkStatus() : Status(StatusCode::kCorruption, "something is missing");
}

// Nothing expires by it.
Status FaultWork::ChangeRetention() {
  Object& object = db_->object();
  const RetentionScope scope(object);
  const RetentionPolicy policy{.window = std::chrono::hours(24 * 50)};
  TIDEMARK_RETURN_IF_ERROR(store_->SetRetention(RetentionScope(), policy));
  TIDEMARK_RETURN_IF_ERROR(store_->SetRetention(scope, policy));
  TIDEMARK_RETURN_IF_ERROR(store_->SetBudget(uint64_t{1} << 40));
  TIDEMARK_RETURN_IF_ERROR(object.SetHold("a reason that is longer than a short string"));
  TIDEMARK_RETURN_IF_ERROR(store_->Prune());
  uint64_t expiring = 0;
  const auto count = [&](const ExpiringObject&) { return ++expiring > 0; };
  TIDEMARK_RETURN_IF_ERROR(store_->PlanPrune(count));
  TIDEMARK_ASSIGN_OR_RETURN(const RetentionInfo held, store_->GetRetention(scope));
  TIDEMARK_ASSIGN_OR_RETURN(const auto rules, store_->ListRetention());
  TIDEMARK_RETURN_IF_ERROR(object.ReleaseHold());
  TIDEMARK_RETURN_IF_ERROR(store_->ClearRetention(scope));
  TIDEMARK_RETURN_IF_ERROR(store_->ConfirmClock());
  TIDEMARK_ASSIGN_OR_RETURN(const RetentionInfo released, object.GetRetention());
  const bool complete = held.hold && !released.hold && held.source == PolicySource::kObject &&
                        released.source == PolicySource::kStore && rules.size() == 3 &&
                        expiring == 0;
  return complete ? OkStatus() : Status(StatusCode::kCorruption, "something is missing");
}

Status FaultWork::ListAll() {
  uint64_t objects = 0;
  const auto count = [&](const ObjectSummary&) { return ++objects > 0; };
  TIDEMARK_RETURN_IF_ERROR(store_->ListObjects("", count));
  TIDEMARK_ASSIGN_OR_RETURN(const auto namespaces, store_->ListNamespaces());
  TIDEMARK_ASSIGN_OR_RETURN(const auto restores, store_->ListRestores(db_->object()));
  const bool complete = objects == store_->Stats().object_count && namespaces.size() == 1;
  return complete ? OkStatus() : Status(StatusCode::kCorruption, "something is missing");
}

void FaultWork::ExpectWhole() {
  const std::string all = "SELECT count(*), min(x), max(x) FROM t";
  const std::string expected = kRows + ("|" + std::to_string(x_)) + "|" + std::to_string(x_);
  EXPECT_EQ(Query(*db_, all), expected);
  EXPECT_EQ(Query(*db_, "PRAGMA integrity_check"), "ok");
  const Database same = Database::Open(*store_, "ns", "o", {.read_only = true}).value();
  EXPECT_EQ(Query(same, all), expected);
  const Database other = Database::Open(*store_, "ns", "other", {.read_only = true}).value();
  EXPECT_EQ(Query(other, "SELECT x FROM u; PRAGMA integrity_check"), std::to_string(y_) + "\nok");
  const Result<Snapshot> snapshot = db_->object().OpenSnapshot();
  ASSERT_OK(snapshot);
  EXPECT_OK(snapshot->Verify());
  const auto labels = db_->object().ListLabels();
  ASSERT_OK(labels);
  for (const LabelInfo& label : *labels) {
    EXPECT_OK(label.damage) << label.name;
    EXPECT_TRUE(label.name != "past" || label.bookmark == past_);
  }
}

void FaultWork::TidyUp() {
  fork_ = nullptr;
  if (!db_) {
    EXPECT_OK(DetachStore(store_.get()));
    store_.reset();
    ASSERT_OK(Open());
  }
  if (sqlite3_get_autocommit(db_->handle()) == 0) {
    EXPECT_EQ(Try(*db_, "ROLLBACK"), SQLITE_OK);  // a failure that SQLite left to us
  }
  if (!db_->object().exists()) {
    EXPECT_OK(db_->object().Undelete());
  }
  Exec(*db_, "DROP TABLE IF EXISTS temp.w");
  if (sqlite3_db_filename(db_->handle(), "b") != nullptr) Exec(*db_, "DETACH b");
}

bool FaultWork::RunWithFault(FaultSource* faults, const Piece& piece, uint64_t nth, bool all) {
  if (piece.ready) piece.ready();
  faults->FailAt(nth, all);
  int code;
  try {
    code = piece.run();
  } catch (const std::bad_alloc&) {  // from what gives no Status
    code = SQLITE_NOMEM;
  }
  const bool fired = faults->Stop();
  EXPECT_TRUE(code == SQLITE_OK || fired) << code;
  if (db_ && store_->Sync().code() == StatusCode::kBroken) {
    EXPECT_TRUE(fired);
    new_name_.clear();  // all of it or nothing: the sweeps of crashes
    Reopen(piece, code == SQLITE_OK);
    ExpectWhole();
    return fired;
  }
  // A store that broke while it was opened or closed says so.
  EXPECT_TRUE(code == SQLITE_OK || faults->Explains(code) || (!db_ && code == SQLITE_IOERR))
      << code << " " << (db_ ? db_->ErrorStatus().ToString() : "");
  EXPECT_TRUE(!db_ || code != SQLITE_OK || sqlite3_get_autocommit(db_->handle()) != 0);
  TidyUp();
  const bool found_done = code != SQLITE_OK && db_ && piece.found_done && piece.found_done();
  found_done_ += found_done;
  if (code == SQLITE_OK || found_done) {
    x_ += piece.adds;
    y_ += piece.adds_elsewhere;
  }
  if (!new_name_.empty()) {
    const auto fork = store_->OpenObject("ns", new_name_, IfMissing::kFail);
    EXPECT_EQ(fork.ok(), code == SQLITE_OK) << fork.status().ToString();
    if (fork.ok()) {
      EXPECT_OK((*fork)->OpenSnapshot()->Verify());
    }
    new_name_.clear();
  }
  ExpectWhole();
  return fired;
}

void FaultWork::Sweep(FaultSource* faults, uint64_t stride) {
  Random random(TestSeed());
  // Where there are many calls, those far behind are much like each other; and steps that do not
  // grow would never come to the end of what does.
  const auto step = [&](const Piece& piece, uint64_t nth) {
    if ((stride == 1 || piece.found_done) && !piece.grows) return uint64_t{1};
    return random.Between(1, std::max(stride, nth / 8));
  };
  for (const Piece& piece : Pieces()) {
    for (const bool all : {false, true}) {
      for (uint64_t nth = 1;; nth += step(piece, nth)) {
        SCOPED_TRACE(std::string(piece.name) + ", call " + std::to_string(nth) +
                     (all ? " and all after it" : ""));
        if (!RunWithFault(faults, piece, nth, all)) break;
        ++failures_;
        // As a checkpointer would: until then large commits are found one by one.
        if (failures_ % 16 == 0) {
          EXPECT_OK(store_->Checkpoint());
        }
        if (::testing::Test::HasFailure()) return;
      }
    }
  }
}

}  // namespace tidemark::testing
