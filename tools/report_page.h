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

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_REPORT_PAGE_H_
