// ResultPrinter: rows of SQL results on stdout, as a table, as CSV or as JSON, row by row.

#ifndef TIDEMARK_TOOLS_RESULT_PRINTER_H_
#define TIDEMARK_TOOLS_RESULT_PRINTER_H_

#include <sqlite3.h>

#include <memory>

namespace tidemark::tools {

enum class ResultFormat {
  kTable,  // NULL as "NULL", BLOBs as x'00ff', long ones cut short
  kCsv,    // RFC 4180 with line feeds; NULL as nothing, an empty text as "", BLOBs as x'00ff'
  kJson,  // {"columns":[…],"rows":[[…],…]}; BLOBs and text that is not UTF-8 as {"blob":"00ff"}
};

// Begin, Row..., End, and again for the next result. The statement of Begin and Row must stand on
// what they print; Begin needs its columns only.
class ResultPrinter {
 public:
  virtual ~ResultPrinter() = default;
  virtual void Begin(sqlite3_stmt* statement) = 0;
  virtual void Row(sqlite3_stmt* statement) = 0;
  virtual void End() = 0;

  static std::unique_ptr<ResultPrinter> Make(ResultFormat format);
};

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_RESULT_PRINTER_H_
