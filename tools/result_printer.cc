#include "tools/result_printer.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tools/console.h"
#include "tools/row_json.h"
#include "tools/table.h"
#include "tools/text.h"

namespace tidemark::tools {

namespace {

constexpr size_t kBlobBytesInTable = 32;

std::string ColumnName(sqlite3_stmt* statement, int column) {
  const char* name = sqlite3_column_name(statement, column);
  return name == nullptr ? "" : name;
}

std::string_view Text(sqlite3_stmt* statement, int column) {
  // The pointer first: it converts the value, and the size is that of the converted one.
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
  const auto size = static_cast<size_t>(sqlite3_column_bytes(statement, column));
  return text == nullptr ? std::string_view() : std::string_view(text, size);
}

std::string BlobHex(sqlite3_stmt* statement, int column, size_t limit) {
  const void* bytes = sqlite3_column_blob(statement, column);
  const auto size = static_cast<size_t>(sqlite3_column_bytes(statement, column));
  return Hex(bytes, size < limit ? size : limit);
}

class TablePrinter : public ResultPrinter {
 public:
  void Begin(sqlite3_stmt* statement) override {
    if (results_++ > 0) Print("\n");
    std::vector<Column> columns;
    for (int i = 0; i < sqlite3_column_count(statement); ++i) {
      columns.push_back({.title = ColumnName(statement, i)});
    }
    table_ = std::make_unique<Table>(std::move(columns));
  }

  void Row(sqlite3_stmt* statement) override {
    std::vector<std::string> cells;
    for (int i = 0; i < sqlite3_data_count(statement); ++i) cells.push_back(Cell(statement, i));
    table_->AddRow(std::move(cells));
  }

  void End() override { table_->Finish(); }

 private:
  static std::string Cell(sqlite3_stmt* statement, int column) {
    switch (sqlite3_column_type(statement, column)) {
      case SQLITE_NULL: return "NULL";
      case SQLITE_FLOAT: return RealText(sqlite3_column_double(statement, column));
      case SQLITE_BLOB: {
        std::string cell = "x'" + BlobHex(statement, column, kBlobBytesInTable);
        const auto size = static_cast<size_t>(sqlite3_column_bytes(statement, column));
        if (size <= kBlobBytesInTable) return cell + "'";
        return cell + "…' (" + FormatBytes(size) + ")";
      }
      default: return std::string(Text(statement, column));
    }
  }

  uint64_t results_ = 0;
  std::unique_ptr<Table> table_;
};

class CsvPrinter : public ResultPrinter {
 public:
  void Begin(sqlite3_stmt* statement) override {
    if (results_++ > 0) Print("\n");
    std::string line;
    for (int i = 0; i < sqlite3_column_count(statement); ++i) {
      if (i > 0) line += ',';
      AppendQuoted(ColumnName(statement, i), &line);
    }
    WriteLine(line);
  }

  void Row(sqlite3_stmt* statement) override {
    std::string line;
    for (int i = 0; i < sqlite3_data_count(statement); ++i) {
      if (i > 0) line += ',';
      switch (sqlite3_column_type(statement, i)) {
        case SQLITE_NULL: break;
        case SQLITE_FLOAT: line += RealText(sqlite3_column_double(statement, i)); break;
        case SQLITE_BLOB: line += "x'" + BlobHex(statement, i, SIZE_MAX) + "'"; break;
        default: AppendQuoted(Text(statement, i), &line);
      }
    }
    WriteLine(line);
  }

  void End() override {}

 private:
  static void AppendQuoted(std::string_view text, std::string* line) {
    if (!text.empty() && text.find_first_of(",\"\r\n") == std::string_view::npos) {
      *line += text;
      return;
    }
    *line += '"';
    for (const char c : text) {
      if (c == '"') *line += '"';
      *line += c;
    }
    *line += '"';
  }

  static void WriteLine(std::string line) {
    line += '\n';
    Print(line);
  }

  uint64_t results_ = 0;
};

class JsonPrinter : public ResultPrinter {
 public:
  void Begin(sqlite3_stmt* statement) override {
    Json columns = Json::array();
    for (int i = 0; i < sqlite3_column_count(statement); ++i) {
      columns.push_back(ColumnName(statement, i));
    }
    Print((results_++ > 0 ? ",{\"columns\":" : "{\"columns\":") + DumpJson(columns) +
          ",\"rows\":[");
    rows_ = 0;
  }

  void Row(sqlite3_stmt* statement) override {
    std::string line = rows_++ > 0 ? ",\n[" : "\n[";
    for (int i = 0; i < sqlite3_data_count(statement); ++i) {
      if (i > 0) line += ',';
      line += Value(statement, i);
    }
    Print(line += ']');
  }

  void End() override { Print("]}"); }

 private:
  static std::string Value(sqlite3_stmt* statement, int column) {
    switch (sqlite3_column_type(statement, column)) {
      case SQLITE_NULL: return "null";
      case SQLITE_INTEGER: return std::to_string(sqlite3_column_int64(statement, column));
      case SQLITE_FLOAT: return RealText(sqlite3_column_double(statement, column));
      case SQLITE_TEXT: {
        const std::string_view text = Text(statement, column);
        if (IsUtf8(text)) return DumpJson(Json(text));
        return "{\"blob\":\"" + Hex(text.data(), text.size()) + "\"}";
      }
      default: return "{\"blob\":\"" + BlobHex(statement, column, SIZE_MAX) + "\"}";
    }
  }

  uint64_t results_ = 0;
  uint64_t rows_ = 0;
};

}  // namespace

std::unique_ptr<ResultPrinter> ResultPrinter::Make(ResultFormat format) {
  switch (format) {
    case ResultFormat::kTable: return std::make_unique<TablePrinter>();
    case ResultFormat::kCsv: return std::make_unique<CsvPrinter>();
    case ResultFormat::kJson: return std::make_unique<JsonPrinter>();
  }
  return nullptr;
}

}  // namespace tidemark::tools
