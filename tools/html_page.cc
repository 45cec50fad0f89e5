#include "tools/html_page.h"

#include "tools/report_assets.h"

namespace tidemark::tools {

std::string EscapeHtml(std::string_view text) {
  std::string escaped;
  for (const char c : PrintableLine(text)) {
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '"': escaped += "&quot;"; break;
      case '\'': escaped += "&#39;"; break;
      default: escaped += c;
    }
  }
  return escaped;
}

HtmlPage::HtmlPage(const std::string& title, std::string_view chart_library)
    : chart_library_(chart_library) {
  html_ =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      // It asks nobody for anything, whatever stands in it.
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
      "<title>" +
      EscapeHtml(title) + "</title>\n<style>\n" + std::string(kReportStyle) +
      "</style>\n</head>\n<body>\n<main>\n";
}

void HtmlPage::Text(const std::string& element, const std::string& text, const char* kind) {
  html_ += "<" + element + (*kind == '\0' ? "" : std::string(" class=\"") + kind + "\"") + ">" +
           EscapeHtml(text) + "</" + element + ">\n";
}

void HtmlPage::Facts(const std::vector<std::pair<std::string, std::string>>& facts) {
  html_ += "<table class=\"facts\"><tbody>\n";
  for (const auto& [name, value] : facts) {
    html_ += "<tr><th scope=\"row\">" + EscapeHtml(name) + "</th><td>" + EscapeHtml(value) +
             "</td></tr>\n";
  }
  html_ += "</tbody></table>\n";
}

void HtmlPage::Table(const std::vector<PageColumn>& columns,
                     const std::vector<std::vector<std::string>>& rows) {
  html_ += "<div class=\"scroll\"><table><thead><tr>";
  for (const PageColumn& column : columns) {
    html_ += std::string("<th scope=\"col\"") +
             (column.kind == PageColumn::Kind::kNumber ? " class=\"number\"" : "") + ">" +
             EscapeHtml(column.title) + "</th>";
  }
  html_ += "</tr></thead><tbody>\n";
  for (const std::vector<std::string>& row : rows) {
    html_ += "<tr>";
    for (size_t i = 0; i < row.size(); ++i) {
      const auto kind = columns[i].kind;
      // A name may be written from right to left: that must not turn what stands beside it.
      html_ += std::string(kind == PageColumn::Kind::kNumber ? "<td class=\"number\">"
                           : kind == PageColumn::Kind::kName ? "<td class=\"name\">"
                                                             : "<td>") +
               (kind == PageColumn::Kind::kName ? "<bdi>" : "") + EscapeHtml(row[i]) +
               (kind == PageColumn::Kind::kName ? "</bdi>" : "") + "</td>";
    }
    html_ += "</tr>\n";
  }
  html_ += "</tbody></table></div>\n";
}

void HtmlPage::AddChart(const PageChart& chart) {
  if (!has_charts() || chart.values.empty()) return;
  const std::string id = "chart" + std::to_string(charts_.size());
  const size_t height = chart.across ? 60 + 28 * chart.values.size() : 260;
  html_ += "<figure><div class=\"chart\" style=\"height:" + std::to_string(height) +
           "px\"><canvas id=\"" + id + "\" role=\"img\" aria-label=\"" +
           EscapeHtml("Bar chart: " + chart.title + "; the table below has the same") +
           "\"></canvas></div></figure>\n";
  charts_.push_back({{"id", id},
                     {"axis", chart.axis},
                     {"bytes", chart.bytes},
                     {"across", chart.across},
                     {"labels", chart.labels},
                     {"values", chart.values}});
}

void HtmlPage::TableBehind(const std::vector<PageColumn>& columns,
                           const std::vector<std::vector<std::string>>& rows) {
  html_ += !has_charts() ? "<details open>" : "<details>";
  html_ += "<summary>as a table</summary>\n";
  Table(columns, rows);
  html_ += "</details>\n";
}

std::string HtmlPage::Finish() {
  html_ += "</main>\n";
  if (!charts_.empty()) {
    // No text may end the element early, nor begin a comment in it.
    std::string data;
    for (const char c : DumpJson(charts_)) data += c == '<' ? "\\u003c" : std::string(1, c);
    html_ += "<script type=\"application/json\" id=\"chart-data\">" + data + "</script>\n<script>";
    html_ += chart_library_;
    html_ += "</script>\n<script>\n" + std::string(kReportScript) + "</script>\n";
  }
  html_ += "</body>\n</html>\n";
  return std::move(html_);
}

}  // namespace tidemark::tools
