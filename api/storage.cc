// The storage of an object, see storage.h.

#include "api/storage.h"

#include "api/internal/storage_state.h"

namespace tidemark {

using internal::StorageState;
using internal::ThrowIfError;
using internal::ValueOrThrow;

namespace {

// Of a call that writes to the store: what breaks the store breaks the object at once, not only at
// its next commit.
void RequireWritten(internal::Connection& connection, const Status& status) {
  if (status.ok()) return;
  const Error error(status);
  if (error.code() == StatusCode::kIoError || error.code() == StatusCode::kBroken) {
    connection.Break(error);
  }
  throw error;
}

}  // namespace

std::unique_ptr<ObjectStorage> ObjectStorage::Open(Store& store, std::string_view namespace_name,
                                                   std::string_view name,
                                                   const StorageOptions& options) {
  return Open(store, ValueOrThrow(store.OpenObject(namespace_name, name, options.if_missing)),
              options);
}

std::unique_ptr<ObjectStorage> ObjectStorage::Open(Store& store, std::string_view namespace_name,
                                                   const ObjectId& id,
                                                   const StorageOptions& options) {
  return Open(store, ValueOrThrow(store.OpenObject(namespace_name, id, options.if_missing)),
              options);
}

std::unique_ptr<ObjectStorage> ObjectStorage::Open(Store& store, std::shared_ptr<Object> object,
                                                   const StorageOptions& options) {
  std::optional<RestoreInfo> restored = ValueOrThrow(object->BeginSession());
  return std::unique_ptr<ObjectStorage>(new ObjectStorage(
      std::make_shared<StorageState>(store, std::move(object), options), std::move(restored)));
}

ObjectStorage::ObjectStorage(std::shared_ptr<StorageState> state,
                             std::optional<RestoreInfo> restored)
    : state_(std::move(state)), restored_(std::move(restored)), sql_(state_), kv_(state_) {
  internal::AlarmTable& alarms = state_->alarm_table;
  state_->transaction.set_before_commit([&alarms] { alarms.BeforeCommit(); });
  if (object().exists() && alarms.Differs()) {
    internal::TransactionState::Call call(state_->transaction, true, false);
    alarms.Reconcile();
    call.Done();
    state_->transaction.Commit();
  }
}

// Cursors may live on; the connection does not.
ObjectStorage::~ObjectStorage() { state_->connection.Close(); }

Object& ObjectStorage::object() const { return state_->connection.object(); }

void ObjectStorage::RequireNoTransaction(const char* what) const {
  state_->connection.RequireUsable();
  if (state_->transaction.depth() == 0) return;
  throw Error(Status(StatusCode::kInvalidArgument,
                     std::string(what) + " inside of a transaction: end that first"));
}

// ---- Transactions ------------------------------------------------------------------------------

Bookmark ObjectStorage::Commit(std::optional<Durability> durability) {
  RequireNoTransaction("Commit()");
  state_->transaction.Commit(durability);
  return object().BookmarkOf(object().head());
}

void ObjectStorage::Rollback() {
  RequireNoTransaction("Rollback()");
  state_->transaction.Rollback();
}

bool ObjectStorage::NeedsConfirmation() const { return state_->transaction.needs_confirmation(); }

bool ObjectStorage::in_transaction() const { return state_->transaction.depth() > 0; }

StorageTransaction ObjectStorage::BeginTransaction() {
  return StorageTransaction(state_, this, false);
}

StorageTransaction ObjectStorage::BeginSavepoint() {
  return StorageTransaction(state_, this, true);
}

void ObjectStorage::DeleteAll(const DeleteAllOptions& what) {
  RequireNoTransaction("DeleteAll()");
  std::vector<AlarmInfo> alarms;
  if (!what.delete_alarm) alarms = state_->alarm_table.List();
  state_->kv_table.BeginList();
  try {
    state_->transaction.BeginEmpty("the database was deleted by DeleteAll()");
    state_->alarm_table.Restore(alarms);
  } catch (...) {
    state_->connection.BreakByException();
    throw;
  }
  if (options().commit_mode == CommitMode::kEachCall) state_->transaction.Commit();
}

// ---- Durability --------------------------------------------------------------------------------

void ObjectStorage::Sync() {
  RequireNoTransaction("Sync()");
  state_->transaction.Commit();
  WaitDurable(object().BookmarkOf(object().head()));
}

void ObjectStorage::WaitDurable(const Bookmark& token) {
  Store& store = state_->connection.store();
  if (store.durable_lsn() >= token.lsn) return;
  ++state_->metrics.durable_waits;
  const Status status = store.WaitDurable(token.lsn);
  if (status.ok()) return;
  const Error error(status);
  state_->connection.Break(error);
  throw error;
}

void ObjectStorage::OnDurable(const Bookmark& token, std::function<void(const Status&)> call) {
  state_->connection.RequireUsable();
  ThrowIfError(state_->connection.store().NotifyDurable(token.lsn, std::move(call)));
}

// ---- Point-in-time recovery --------------------------------------------------------------------

Bookmark ObjectStorage::GetCurrentBookmark() {
  RequireNoTransaction("GetCurrentBookmark()");
  state_->transaction.Commit();
  return ValueOrThrow(object().CurrentBookmark());
}

void ObjectStorage::WaitForBookmark(const Bookmark& bookmark) {
  state_->connection.RequireUsable();
  ValueOrThrow(object().Resolve(bookmark));
}

Bookmark ObjectStorage::GetBookmarkForTime(Timestamp time) {
  state_->connection.RequireUsable();
  return object().BookmarkOf(ValueOrThrow(object().Resolve(time)));
}

Bookmark ObjectStorage::OnNextSessionRestoreBookmark(const Bookmark& bookmark,
                                                     const RestoreOptions& options) {
  state_->connection.RequireUsable();
  Result<Bookmark> undo = object().ScheduleRestore(bookmark, options);
  RequireWritten(state_->connection, undo.status());
  return *std::move(undo);
}

Bookmark ObjectStorage::OnNextSessionRestore(const StorageSnapshot& snapshot,
                                             const RestoreOptions& options) {
  RequireNoTransaction("OnNextSessionRestore()");
  if (!object().exists()) {
    // What has never been cannot wait for anything: so it is an empty database from here on.
    internal::TransactionState::Call call(state_->transaction, true, true);
    state_->connection.RunOwn("PRAGMA user_version=0");
    call.Done();
    state_->transaction.Commit();
  }
  Result<Bookmark> undo = object().ScheduleRestore(snapshot.object(), snapshot.commit(), options);
  RequireWritten(state_->connection, undo.status());
  return *std::move(undo);
}

void ObjectStorage::CancelOnNextSessionRestore() {
  state_->connection.RequireUsable();
  RequireWritten(state_->connection, object().CancelScheduledRestore());
}

StorageSnapshot ObjectStorage::Snapshot(const std::optional<Bookmark>& at) {
  RequireNoTransaction("Snapshot()");
  state_->transaction.Commit();
  Object& self = object();
  auto handle = ValueOrThrow(
      state_->connection.store().OpenObject(self.namespace_name(), self.id(), IfMissing::kFail));
  const Bookmark point = at ? *at : ValueOrThrow(self.CurrentBookmark());
  tidemark::Snapshot snapshot = ValueOrThrow(handle->OpenSnapshot(point));
  return StorageSnapshot(std::move(handle), std::move(snapshot));
}

// ---- All the rest ------------------------------------------------------------------------------

void ObjectStorage::ReleaseMemory() noexcept { state_->connection.ReleaseMemory(); }

void ObjectStorage::Interrupt() noexcept { state_->connection.Interrupt(); }

const StorageOptions& ObjectStorage::options() const { return state_->connection.options(); }

StorageMetrics ObjectStorage::Metrics() const {
  StorageMetrics metrics = state_->metrics;
  metrics.commits = state_->transaction.commits();
  metrics.log_bytes = state_->transaction.log_bytes();
  metrics.rollbacks = state_->transaction.rollbacks();
  return metrics;
}

const Error* ObjectStorage::broken() const { return state_->connection.broken(); }

}  // namespace tidemark
