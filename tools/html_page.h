// HtmlPage: a document that needs no other file and asks nobody for anything, made of headings,
// tables, and charts with the same tables behind them.

#ifndef TIDEMARK_TOOLS_HTML_PAGE_H_
#define TIDEMARK_TOOLS_HTML_PAGE_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/text.h"

namespace tidemark::tools {

// Text as it can stand in an element or a quoted attribute: what is no UTF-8 or would move a cursor
// is made visible as PrintableLine does.
std::string EscapeHtml(std::string_view text);

struct PageColumn {
  enum class Kind { kText, kName, kNumber };  // names are what users chose
  std::string title;
  Kind kind = Kind::kText;
};

// Bars.
struct PageChart {
  std::string title;    // for those who do not see it
  std::string axis;     // what the labels are; may be empty
  bool bytes = false;   // the values are
  bool across = false;  // bars lie, their labels are names
  std::vector<std::string> labels{};
  std::vector<uint64_t> values{};
};

// Every text that is given is escaped.
class HtmlPage {
 public:
  // `chart_library` is Chart.js; empty: there are no charts. It must outlive this.
  HtmlPage(const std::string& title, std::string_view chart_library);

  bool has_charts() const { return !chart_library_.empty(); }
  // `kind` is a class of tools/report/page.css.
  void Text(const std::string& element, const std::string& text, const char* kind = "");
  // A table of names and what they are.
  void Facts(const std::vector<std::pair<std::string, std::string>>& facts);
  // Each row has a cell a column.
  void Table(const std::vector<PageColumn>& columns,
             const std::vector<std::vector<std::string>>& rows);
  // Nothing where there are no charts, or no values.
  void AddChart(const PageChart& chart);
  // The table of what a chart shows: open where there are no charts.
  void TableBehind(const std::vector<PageColumn>& columns,
                   const std::vector<std::vector<std::string>>& rows);
  // The whole document; nothing can be added to it any more.
  std::string Finish();

 private:
  const std::string_view chart_library_;
  std::string html_;
  Json charts_ = Json::array();
};

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_HTML_PAGE_H_
