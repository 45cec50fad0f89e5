#include "vfs/diff_script.h"

#include <algorithm>
#include <new>
#include <set>
#include <string>

#include "vfs/internal/snapshot_connection.h"
#include "vfs/internal/sql_literal.h"
#include "vfs/internal/sql_name.h"
#include "vfs/internal/stored_schema.h"

namespace tidemark {
namespace {

using internal::QuoteName;
using internal::QuoteText;
using internal::SameName;
using internal::SqlLiteral;

constexpr char kSequence[] = "sqlite_sequence";

bool IsVirtual(const std::string& sql) {
  constexpr std::string_view kBegin = "CREATE VIRTUAL TABLE";
  return sqlite3_strnicmp(sql.c_str(), kBegin.data(), static_cast<int>(kBegin.size())) == 0;
}

bool HasAutoincrement(const std::string& sql) {
  return sqlite3_strlike("%autoincrement%", sql.c_str(), 0) == 0;
}

class Script {
 public:
  Script(RowDiff& diff, const std::vector<std::string>& tables,
         const std::function<void(std::string_view)>& write)
      : diff_(diff), tables_(tables), write_(write) {}

  Status Write() {
    TIDEMARK_RETURN_IF_ERROR(FindWork());
    if (changed_.empty() && differing_.empty() && pragmas_.empty() && !sequence_differs_) {
      return OkStatus();
    }
    write_("PRAGMA foreign_keys=OFF;\nBEGIN;\n");
    DropOld();
    MakeTables();
    for (const DiffTable* table : differing_) TIDEMARK_RETURN_IF_ERROR(WriteRows(*table));
    MakeOthers();
    TIDEMARK_RETURN_IF_ERROR(WriteSequence());
    for (const SchemaChange* pragma : pragmas_) {
      Line("PRAGMA " + pragma->name + "=" + pragma->after);
    }
    Line("COMMIT");
    if (writable_schema_) Line("PRAGMA writable_schema=RESET");
    return OkStatus();
  }

 private:
  bool Wants(const std::string& table) const {
    return tables_.empty() ||
           std::any_of(tables_.begin(), tables_.end(),
                       [&](const std::string& name) { return SameName(name, table); });
  }

  void Line(const std::string& sql) { write_(sql + ";\n"); }
  // As the schema has it, where a remark may be the end. (Of a line break SQLite would keep what
  // stands before the semicolon.)
  void SchemaLine(const std::string& sql) {
    const std::string_view last_line = std::string_view(sql).substr(sql.rfind('\n') + 1);
    const bool has_remark = last_line.find("--") != std::string_view::npos;
    write_(sql + (has_remark ? "\n;\n" : ";\n"));
  }

  Status FindWork() {
    for (const SchemaChange& change : diff_.schema_changes()) {
      if (change.type == "pragma") {
        if (tables_.empty()) pragmas_.push_back(&change);
      } else if (Wants(change.table)) {
        changed_.push_back(&change);
        if (change.type == "view") touched_.insert(change.name);
        if (change.type != "table") continue;
        remade_.insert(change.name);
        touched_.insert(change.name);
        if (!change.before.empty() && IsVirtual(change.before)) gone_virtual_.insert(change.name);
      }
    }
    for (const DiffTable& table : diff_.tables()) {
      if (!Wants(table.name)) continue;
      // A virtual table takes its own tables with it.
      for (const std::string& name : gone_virtual_) {
        if (!table.name.starts_with(name + "_")) continue;
        remade_.insert(table.name);
        touched_.insert(table.name);
      }
      if (remade_.contains(table.name)) {
        if (table.in_after) differing_.push_back(&table);
        continue;
      }
      bool differs = false;
      TIDEMARK_RETURN_IF_ERROR(diff_.VisitRows(table, [&](const RowChange&) {
        differs = true;
        return false;
      }));
      if (!differs) continue;
      if (table.name == kSequence) {
        sequence_differs_ = true;
        continue;
      }
      differing_.push_back(&table);
      touched_.insert(table.name);
    }
    return OkStatus();
  }

  bool IsChanged(const SchemaEntry& entry) const {
    return std::any_of(changed_.begin(), changed_.end(), [&](const SchemaChange* change) {
      return change->type == entry.type && change->name == entry.name;
    });
  }

  void DropOld() {
    const auto drop = [this](const char* type, const char* word, const auto& is_dropped) {
      for (const SchemaEntry& entry : diff_.schema_before()) {
        if (entry.type == type && Wants(entry.table) && is_dropped(entry)) {
          Line(std::string("DROP ") + word + " IF EXISTS " + QuoteName(entry.name));
        }
      }
    };
    drop("trigger", "TRIGGER", [&](const SchemaEntry& entry) {
      return IsChanged(entry) || touched_.contains(entry.table);
    });
    drop("view", "VIEW", [&](const SchemaEntry& entry) { return IsChanged(entry); });
    drop("index", "INDEX", [&](const SchemaEntry& entry) {
      return IsChanged(entry) || remade_.contains(entry.table);
    });
    drop("table", "TABLE", [&](const SchemaEntry& entry) {
      return remade_.contains(entry.name) && IsVirtual(entry.sql);
    });
    drop("table", "TABLE", [&](const SchemaEntry& entry) {
      return remade_.contains(entry.name) && !IsVirtual(entry.sql);
    });
  }

  void MakeTables() {
    for (const SchemaEntry& entry : diff_.schema_after()) {
      if (entry.type != "table" || !remade_.contains(entry.name)) continue;
      if (!IsVirtual(entry.sql)) {
        SchemaLine(entry.sql);
        continue;
      }
      // Made as usual it would make its own tables, too.
      if (!writable_schema_) Line("PRAGMA writable_schema=ON");
      writable_schema_ = true;
      const std::string name = QuoteText(entry.name);
      Line("INSERT INTO sqlite_schema(type, name, tbl_name, rootpage, sql) VALUES('table', " +
           name + ", " + name + ", 0, " + QuoteText(entry.sql) + ")");
    }
  }

  void MakeOthers() {
    for (const char* type : {"index", "view", "trigger"}) {
      for (const SchemaEntry& entry : diff_.schema_after()) {
        if (entry.type != type || !Wants(entry.table)) continue;
        const bool went = entry.type == "trigger" ? touched_.contains(entry.table)
                                                  : remade_.contains(entry.table);
        if (IsChanged(entry) || went) SchemaLine(entry.sql);
      }
    }
  }

  Status WriteRows(const DiffTable& table) {
    const std::string name = QuoteName(table.name);
    const auto insert = [&](const RowChange& row) {
      Insert(table, row);
      return true;
    };
    if (remade_.contains(table.name)) return diff_.VisitAllAfter(table, insert);
    if (table.has_rowid && table.rowid_name.empty()) {  // no way to say which row
      Line("DELETE FROM " + name);
      return diff_.VisitAllAfter(table, insert);
    }
    TIDEMARK_RETURN_IF_ERROR(diff_.VisitRows(table, [&](const RowChange& row) {
      if (row.kind == ChangeKind::kDeleted ||
          (row.kind == ChangeKind::kChanged && table.has_unique)) {
        Line("DELETE FROM " + name + Where(table, row));
      }
      return true;
    }));
    return diff_.VisitRows(table, [&](const RowChange& row) {
      if (row.kind == ChangeKind::kInserted ||
          (row.kind == ChangeKind::kChanged && table.has_unique)) {
        Insert(table, row);
      } else if (row.kind == ChangeKind::kChanged) {
        Update(table, row);
      }
      return true;
    });
  }

  static bool SaysRowid(const DiffTable& table) {
    return table.has_rowid && table.key.empty() && !table.rowid_name.empty();
  }

  static std::string Where(const DiffTable& table, const RowChange& row) {
    if (SaysRowid(table)) return " WHERE " + table.rowid_name + "=" + std::to_string(*row.rowid);
    std::string where;
    for (size_t k = 0; k < table.key.size(); ++k) {
      const std::string& key = table.key[k];
      const auto& columns = table.columns_before;
      const auto found = std::find_if(columns.begin(), columns.end(),
                                      [&](const std::string& name) { return SameName(name, key); });
      const auto i = static_cast<size_t>(found - columns.begin());
      where +=
          (where.empty() ? " WHERE " : " AND ") + QuoteName(key) + "=" + SqlLiteral(row.before[i]);
      // That of the key, by which rows are told apart, need not be that of the column.
      if (k < table.key_collations.size())
        where += " COLLATE " + QuoteName(table.key_collations[k]);
    }
    return where;
  }

  void Insert(const DiffTable& table, const RowChange& row) {
    std::string columns;
    std::string values;
    if (SaysRowid(table)) {
      columns = table.rowid_name;
      values = std::to_string(*row.rowid);
    }
    for (size_t i = 0; i < table.columns_after.size(); ++i) {
      columns += (columns.empty() ? "" : ",") + QuoteName(table.columns_after[i]);
      values += (values.empty() ? "" : ",") + SqlLiteral(row.after[i]);
    }
    Line("INSERT INTO " + QuoteName(table.name) + "(" + columns + ") VALUES(" + values + ")");
  }

  void Update(const DiffTable& table, const RowChange& row) {
    std::string set;
    for (size_t i = 0; i < row.after.size(); ++i) {  // the columns are the same on both sides
      const std::string value = SqlLiteral(row.after[i]);
      if (value == SqlLiteral(row.before[i])) continue;
      set += (set.empty() ? " SET " : ", ") + QuoteName(table.columns_after[i]) + "=" + value;
    }
    Line("UPDATE " + QuoteName(table.name) + set + Where(table, row));
  }

  // What AUTOINCREMENT remembers, which the inserts have changed.
  Status WriteSequence() {
    if (!tables_.empty()) return OkStatus();
    const DiffTable* sequence = diff_.FindTable(kSequence);
    if (sequence == nullptr) return OkStatus();
    const bool made = std::any_of(diff_.schema_after().begin(), diff_.schema_after().end(),
                                  [](const SchemaEntry& entry) {
                                    return entry.type == "table" && HasAutoincrement(entry.sql);
                                  });
    if (!sequence->in_before && !made) return OkStatus();
    Line("DELETE FROM sqlite_sequence");
    return diff_.VisitAllAfter(*sequence, [&](const RowChange& row) {
      Line("INSERT INTO sqlite_sequence(name, seq) VALUES(" + SqlLiteral(row.after[0]) + "," +
           SqlLiteral(row.after[1]) + ")");
      return true;
    });
  }

  RowDiff& diff_;
  const std::vector<std::string>& tables_;
  const std::function<void(std::string_view)>& write_;
  std::vector<const SchemaChange*> pragmas_;
  std::vector<const SchemaChange*> changed_;
  std::vector<const DiffTable*> differing_;  // whose rows are written
  std::set<std::string> remade_;             // tables that go, and come again if they are there
  std::set<std::string> touched_;            // whose triggers must not run
  std::set<std::string> gone_virtual_;
  bool sequence_differs_ = false;
  bool writable_schema_ = false;
};

}  // namespace

Status WriteDiffScript(RowDiff& diff, const std::vector<std::string>& tables,
                       const std::function<void(std::string_view)>& write) try {
  return Script(diff, tables, write).Write();
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
}

}  // namespace tidemark
