// Files that are part of the command: tools/report/embed.cmake makes their definitions.

#ifndef TIDEMARK_TOOLS_REPORT_ASSETS_H_
#define TIDEMARK_TOOLS_REPORT_ASSETS_H_

#include <string_view>

namespace tidemark::tools {

extern const std::string_view kReportStyle;   // tools/report/page.css
extern const std::string_view kReportScript;  // tools/report/page.js
// Chart.js with its notice of copyright (MIT); empty if npm could not get it when this was built.
extern const std::string_view kChartLibrary;

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_REPORT_ASSETS_H_
