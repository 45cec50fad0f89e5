// Connection: the one SQLite connection of an object's storage, and what its parts share:
// statements, the authorizer, limits, and the error that broke the object.
//
// Ordinary errors of statements (syntax, constraints) leave everything as it was before the
// statement. A critical one (out of space, I/O, memory, an interrupt) makes SQLite itself roll the
// open transaction back: then writes are lost that callers have been told of, and the object is
// broken. So it is where such an error ends a write that is its own transaction, whichever way
// writes become commits. From then on every call throws that same error.
//
// Used by one thread at a time.

#ifndef TIDEMARK_API_INTERNAL_CONNECTION_H_
#define TIDEMARK_API_INTERNAL_CONNECTION_H_

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/error.h"
#include "api/internal/authorizer.h"
#include "api/internal/statement.h"
#include "api/options.h"
#include "vfs/database.h"

namespace tidemark::internal {

// Throws what a Status or Result says.
void ThrowIfError(const Status& status);
template <typename T>
T ValueOrThrow(Result<T> result) {
  ThrowIfError(result.status());
  return std::move(result).value();
}

class OwnStatement;

class Connection {
 public:
  Connection(Store& store, std::shared_ptr<Object> object, const StorageOptions& options);
  ~Connection();

  // Throws if the object is broken or its storage was closed.
  void RequireUsable() const {
    if (broken_ != nullptr) throw Error(*broken_);
  }
  // Only the first error counts. Where memory is short, one that says so stands for it.
  void Break(const Error& error) noexcept;
  // With the exception that is being handled: for what has to be done, or undone, as a whole.
  void BreakByException() noexcept;
  const Error* broken() const { return broken_; }

  sqlite3* handle() const { return database_->handle(); }
  Database& database() { return *database_; }
  Object& object() const { return database_->object(); }
  Store& store() const { return store_; }
  const StorageOptions& options() const { return options_; }
  StatementCache& statements() { return statements_; }
  Authorizer& authorizer() { return authorizer_; }

  // Compiles the first statement of `sql`; its handle is null if there is none. `tail` becomes what
  // follows. `position` is that of `sql` in the text the caller was given, for offsets.
  Statement Compile(std::string_view sql, std::string_view* tail, size_t position = 0);
  // Statements of the layer's own, which the authorizer does not look at.
  sqlite3_stmt* CompileOwn(const char* sql);
  void RunOwn(const char* sql);

  // Throws the error of the last call, which gave `code`; breaks the object if it was critical.
  [[noreturn]] void Fail(int code, size_t position = 0);
  [[noreturn]] void FailWith(const Error& error);  // the same, with LastError's answer
  // Where memory is too short to say more, that.
  Error LastError(int code, size_t position = 0) const noexcept;

  // Everything compiled goes and cursors are cancelled, with `why`, literal text; then a new
  // connection, that finds the object as it was committed last or, `empty`, nothing.
  void Reopen(bool empty, const char* why);
  // Without a new connection.
  void Close() noexcept;
  const char* cancelled_because() const { return cancelled_because_; }

  // What is got again when it is needed goes: statements that do not run, buffers. Nothing happens
  // in a transaction.
  void ReleaseMemory() noexcept;

  // Any thread.
  void Interrupt() noexcept;

  // Around a step of a statement that an application handed in, which may run so many operations
  // (Limits::operations_per_row). EndStep returns what is left of them.
  void BeginStep(int64_t operations) noexcept {
    operations_left_ = operations;
    ran_out_ = false;
  }
  int64_t EndStep() noexcept { return std::exchange(operations_left_, INT64_MAX); }

  // While a transaction is thought to be open: SQLite must not have ended it by itself.
  void set_in_transaction(bool in) { in_transaction_ = in; }
  bool in_transaction() const { return in_transaction_; }
  // While a statement runs that is a transaction by itself.
  void set_commits_alone(bool alone) { commits_alone_ = alone; }

 private:
  friend class OwnStatement;
  void Open(bool empty);
  void ApplyLimits();
  void FinalizeAll(const char* why) noexcept;
  void SetDatabase(std::optional<Database> database);
  static int CountOperations(void* self) noexcept;

  Store& store_;
  const std::shared_ptr<Object> object_;
  const StorageOptions options_;
  Authorizer authorizer_;      // outlives the database
  std::mutex database_mutex_;  // for Interrupt: held while database_ comes and goes
  std::optional<Database> database_;
  StatementCache statements_;
  std::vector<OwnStatement*> own_statements_;
  bool opened_before_ = false;
  bool in_transaction_ = false;
  bool commits_alone_ = false;
  int64_t operations_left_ = INT64_MAX;
  bool ran_out_ = false;                // of these
  const char* cancelled_because_ = "";  // literal text
  const Error out_of_memory_;
  std::unique_ptr<const Error> owned_broken_;
  const Error* broken_ = nullptr;  // one of these two
};

// A statement of the layer's own, compiled when it is first used.
class OwnStatement {
 public:
  // `sql` is literal text.
  OwnStatement(Connection& connection, const char* sql);
  ~OwnStatement();
  OwnStatement(const OwnStatement&) = delete;
  OwnStatement& operator=(const OwnStatement&) = delete;

  // One run of it, to the end of the scope.
  class Use {
   public:
    explicit Use(OwnStatement& statement)
        : connection_(statement.connection_), handle_(statement.Get()) {}
    ~Use() { sqlite3_reset(handle_); }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

    sqlite3_stmt* handle() const { return handle_; }
    // True if there is a row. Throws what went wrong.
    bool Step() { return StepOwn(connection_, handle_); }

   private:
    Connection& connection_;
    sqlite3_stmt* handle_;
  };
  // Runs it for its effect.
  void Run() {
    Use use(*this);
    while (use.Step()) continue;
  }

  sqlite3_stmt* Get() {
    if (handle_ == nullptr) handle_ = connection_.CompileOwn(sql_);
    return handle_;
  }
  void Finalize() noexcept;
  // What is bound is needed between two runs: only Finalize ends it.
  void KeepBound() { keeps_bound_ = true; }
  void FinalizeIfUnused() noexcept {
    if (handle_ != nullptr && !keeps_bound_ && sqlite3_stmt_busy(handle_) == 0) Finalize();
  }
  void ResetIfCompiled() noexcept { sqlite3_reset(handle_); }  // null is no statement to SQLite
  // SQLite compiles a statement anew in its step if the schema has changed, so it is trusted there.
  static bool StepOwn(Connection& connection, sqlite3_stmt* statement) {
    const Authorizer::Trusted trusted(connection.authorizer());
    const int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) connection.Fail(code);
    return false;
  }

 private:
  Connection& connection_;
  const char* sql_;
  bool keeps_bound_ = false;
  sqlite3_stmt* handle_ = nullptr;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_API_INTERNAL_CONNECTION_H_
