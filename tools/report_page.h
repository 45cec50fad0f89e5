// The page that `tidemark report` writes.

#ifndef TIDEMARK_TOOLS_REPORT_PAGE_H_
#define TIDEMARK_TOOLS_REPORT_PAGE_H_

#include <string>
#include <string_view>

#include "tools/report_data.h"

namespace tidemark::tools {

// One HTML document that needs no other file and asks nobody for anything. `chart_library` draws
// charts in it; without one (empty) it has the tables that are behind them only, and says so. Its
// size does not grow with the store. (Sorts the lists of `data`.)
std::string ReportPage(ReportData& data, const std::string& store, std::string_view chart_library);

// Text as it can stand in an element or a quoted attribute: what is no UTF-8 or would move a cursor
// is made visible as PrintableLine does.
std::string EscapeHtml(std::string_view text);

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_REPORT_PAGE_H_
