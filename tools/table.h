// Table: rows in aligned columns on stdout, in constant memory however many there are.

#ifndef TIDEMARK_TOOLS_TABLE_H_
#define TIDEMARK_TOOLS_TABLE_H_

#include <string>
#include <vector>

namespace tidemark::tools {

enum class Align { kLeft, kRight };

struct Column {
  std::string title;
  Align align = Align::kLeft;
};

// Widths come from the first rows, which are held back for that; later rows that are wider stand
// out to the right. Cells are printed by PrintableLine: one line each.
class Table {
 public:
  explicit Table(std::vector<Column> columns);
  ~Table() = default;  // prints nothing: call Finish

  void AddRow(std::vector<std::string> cells);
  // Prints what is held back; the titles also when there was no row.
  void Finish();

 private:
  static constexpr size_t kRowsToMeasure = 500;

  void PrintHeldRows();
  void PrintRow(const std::vector<std::string>& cells) const;

  std::vector<Column> columns_;
  std::vector<size_t> widths_;
  std::vector<std::vector<std::string>> held_;
  bool measured_ = false;
};

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_TABLE_H_
