#include "tools/table.h"

#include <algorithm>
#include <utility>

#include "tools/console.h"
#include "tools/text.h"

namespace tidemark::tools {

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {
  for (Column& column : columns_) {
    column.title = PrintableLine(column.title);
    widths_.push_back(DisplayWidth(column.title));
  }
}

void Table::AddRow(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = PrintableLine(cell);
  if (measured_) {
    PrintRow(cells);
    return;
  }
  for (size_t i = 0; i < cells.size() && i < widths_.size(); ++i) {
    widths_[i] = std::max(widths_[i], DisplayWidth(cells[i]));
  }
  held_.push_back(std::move(cells));
  if (held_.size() >= kRowsToMeasure) PrintHeldRows();
}

void Table::Finish() {
  if (!measured_) PrintHeldRows();
}

void Table::PrintHeldRows() {
  measured_ = true;
  std::vector<std::string> titles;
  for (const Column& column : columns_) titles.push_back(column.title);
  PrintRow(titles);
  for (const std::vector<std::string>& row : held_) PrintRow(row);
  held_.clear();
}

void Table::PrintRow(const std::vector<std::string>& cells) const {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    const size_t width = DisplayWidth(cells[i]);
    const size_t padding = widths_[i] > width ? widths_[i] - width : 0;
    const bool last = i + 1 == cells.size();
    if (columns_[i].align == Align::kRight) line.append(padding, ' ');
    line += cells[i];
    if (columns_[i].align == Align::kLeft && !last) line.append(padding, ' ');
    if (!last) line += "  ";
  }
  Print(line += '\n');
}

}  // namespace tidemark::tools
