// What SQL inside an object may do: the lists of Durable Objects, as an authorizer
// of SQLite's.
//
// SQL that applications hand in sees one database, `main`, without the tables, indexes, views and
// triggers whose names begin with `_cf_`; it uses the functions, pragmas and virtual tables that
// are listed, and no statement that begins or ends a transaction. So it reaches no file, no other
// object and nothing of the engine. What the layer runs for itself is not looked at.

#ifndef TIDEMARK_API_INTERNAL_AUTHORIZER_H_
#define TIDEMARK_API_INTERNAL_AUTHORIZER_H_

#include <sqlite3.h>

#include <string>
#include <string_view>

namespace tidemark::internal {

// Of one connection; used by the thread that uses that.
class Authorizer {
 public:
  // The authorizer must outlive the connection's statements, and stay where it is.
  void Install(sqlite3* connection) noexcept;

  // While one lives, what is compiled is the layer's own.
  class Trusted {
   public:
    explicit Trusted(Authorizer& authorizer) : authorizer_(authorizer) { ++authorizer_.trusted_; }
    ~Trusted() { --authorizer_.trusted_; }
    Trusted(const Trusted&) = delete;
    Trusted& operator=(const Trusted&) = delete;

   private:
    Authorizer& authorizer_;
  };

  // Around the compilation of a statement that an application hands in. What is compiled at other
  // times comes from SQLite's own extensions, on behalf of one that was let through.
  void Begin() noexcept {
    compiling_ = true;
    reason_ = {};
    changes_table_ = false;
    creates_program_ = false;
    deletes_from_.clear();
  }
  void End() noexcept { compiling_ = false; }
  // Why the statement was refused, where "not authorized" says too little; else empty.
  std::string_view reason() const { return reason_; }
  // What stock SQLite does not tell an authorizer has to be looked at otherwise, see
  // own_tables.h: the name that ALTER TABLE ... RENAME TO gives, and what a foreign key refers to;
  bool changes_table() const { return changes_table_; }  // CREATE TABLE or ALTER TABLE
  // and what is compiled later, from the schema.
  bool creates_program() const { return creates_program_; }  // a view, trigger or virtual table

  // The table that the statement itself deletes from; empty if from none.
  const std::string& deletes_from() const { return deletes_from_; }

  // A name that is not the layer's: does not begin with "_cf_", in whatever letters.
  static bool AllowsName(const char* name) noexcept;

 private:
  static int Callback(void* self, int action, const char* first, const char* second,
                      const char* database, const char* trigger) noexcept;
  int Check(int action, const char* first, const char* second, const char* database) noexcept;
  bool Allows(int action, const char* first, const char* second) noexcept;

  int trusted_ = 0;
  std::string_view reason_;
  bool compiling_ = false;
  bool changes_table_ = false;
  bool creates_program_ = false;
  std::string deletes_from_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_API_INTERNAL_AUTHORIZER_H_
