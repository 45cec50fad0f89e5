#include "vfs/internal/foreign_key_watch.h"

#include <algorithm>

#include "vfs/internal/prepared.h"
#include "vfs/internal/sql_name.h"
#include "vfs/internal/table_shape.h"

namespace tidemark::internal {

Result<ForeignKeyWatch> ForeignKeyWatch::Begin(const Database& live, const Database& past,
                                               const std::vector<std::string>& changed) {
  ForeignKeyWatch watch(live);
  const auto is_changed = [&](const std::string& name) {
    return std::ranges::any_of(changed,
                               [&](const std::string& table) { return SameName(table, name); });
  };
  // A table that comes back has its keys from the past.
  for (const Database* database : {&live, &past}) {
    TIDEMARK_ASSIGN_OR_RETURN(
        Prepared keys,
        Prepared::Make(*database,
                       "SELECT t.name, k.\"table\" FROM pragma_table_list AS t, "
                       "pragma_foreign_key_list(t.name) AS k WHERE t.schema = 'main' AND t.type = "
                       "'table'"));
    while (true) {
      TIDEMARK_ASSIGN_OR_RETURN(const bool row, keys.Step());
      if (!row) break;
      const std::string child = keys.Text(0);
      const bool is_known = std::ranges::any_of(
          watch.children_, [&](const std::string& known) { return SameName(known, child); });
      if (!is_known && (is_changed(child) || is_changed(keys.Text(1)))) {
        watch.children_.push_back(child);
      }
    }
  }
  if (watch.children_.empty()) return watch;
  for (const char* table : {"tidemark_before", "tidemark_after"}) {
    TIDEMARK_ASSIGN_OR_RETURN(Prepared create,
                              Prepared::Make(live, std::string("CREATE TEMP TABLE ") + table +
                                                       "(child, row, parent, number)"));
    TIDEMARK_RETURN_IF_ERROR(create.Step().status());
  }
  TIDEMARK_RETURN_IF_ERROR(watch.Count(live, "tidemark_before"));
  TIDEMARK_RETURN_IF_ERROR(watch.Count(past, "tidemark_before"));
  return watch;
}

Status ForeignKeyWatch::Count(const Database& in, const std::string& into) const {
  TIDEMARK_ASSIGN_OR_RETURN(Prepared insert, Prepared::Make(*live_, "INSERT INTO temp." + into +
                                                                        " VALUES(?1, ?2, ?3, ?4)"));
  TIDEMARK_ASSIGN_OR_RETURN(Prepared count,
                            Prepared::Make(in,
                                           "SELECT \"table\", rowid, parent, count(*) FROM "
                                           "pragma_foreign_key_check(?1) GROUP BY 2, 3"));
  for (const std::string& child : children_) {
    TIDEMARK_RETURN_IF_ERROR(count.Bind(1, child));
    int code = SQLITE_ROW;
    while ((code = count.Try()) == SQLITE_ROW) {
      for (int i = 0; i < 4; ++i) TIDEMARK_RETURN_IF_ERROR(insert.Bind(i + 1, count.Value(i)));
      TIDEMARK_RETURN_IF_ERROR(insert.Step().status());
      insert.Reset();
    }
    // A key that refers to what is no key of its parent cannot be checked, then or now.
    if (code != SQLITE_DONE && code != SQLITE_ERROR) return in.ErrorStatus();
  }
  return OkStatus();
}

Status ForeignKeyWatch::Check() {
  if (children_.empty()) return OkStatus();
  TIDEMARK_RETURN_IF_ERROR(Count(*live_, "tidemark_after"));
  TIDEMARK_ASSIGN_OR_RETURN(
      Prepared added,
      Prepared::Make(*live_,
                     "SELECT a.child, a.row, a.parent FROM temp.tidemark_after AS a LEFT JOIN "
                     "(SELECT child, row, parent, max(number) AS number FROM "
                     "temp.tidemark_before GROUP BY 1, 2, 3) AS b ON b.child = a.child AND b.row "
                     "IS a.row AND b.parent = a.parent WHERE a.number > ifnull(b.number, 0) "
                     "LIMIT 1"));
  TIDEMARK_ASSIGN_OR_RETURN(const bool found, added.Step());
  if (found) {
    const std::string row =
        added.Type(1) == SQLITE_NULL ? "a row" : "the row with rowid " + added.Text(1);
    return Status(StatusCode::kInvalidArgument,
                  row + " of " + added.Text(0) + " would refer to a row of " + added.Text(2) +
                      " that is not there (FOREIGN KEY): bring that one back, too, or leave this "
                      "one out");
  }
  for (const char* table : {"tidemark_before", "tidemark_after"}) {
    TIDEMARK_ASSIGN_OR_RETURN(Prepared drop,
                              Prepared::Make(*live_, std::string("DROP TABLE temp.") + table));
    TIDEMARK_RETURN_IF_ERROR(drop.Step().status());
  }
  return OkStatus();
}

}  // namespace tidemark::internal
