#include "tools/row_json.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace tidemark::tools {

namespace {

std::string ValuesJson(const std::vector<std::string>& columns,
                       const std::vector<RowValue>& values) {
  if (values.empty()) return "null";
  std::string json = "{";
  for (size_t i = 0; i < values.size(); ++i) {
    json += (i == 0 ? "" : ",") + DumpJson(Json(columns[i])) + ":" + ValueJson(values[i]);
  }
  return json + "}";
}

}  // namespace

std::string RealText(double value) {
  if (std::isinf(value)) return value < 0 ? "-9.0e+999" : "9.0e+999";
  std::array<char, 40> text{};
  for (int digits = 15; digits <= 17; ++digits) {
    std::snprintf(text.data(), text.size(), "%.*g", digits, value);
    if (std::strtod(text.data(), nullptr) == value) break;
  }
  std::string number = text.data();
  if (number.find_first_of(".e") == std::string::npos) number += ".0";
  return number;
}

std::string ValueJson(const RowValue& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
  if (const auto* real = std::get_if<double>(&value)) return RealText(*real);
  if (const auto* text = std::get_if<std::string>(&value)) {
    if (IsUtf8(*text)) return DumpJson(Json(*text));
    return "{\"blob\":\"" + Hex(text->data(), text->size()) + "\",\"text\":true}";
  }
  if (const auto* blob = std::get_if<BlobValue>(&value)) {
    return "{\"blob\":\"" + Hex(blob->bytes.data(), blob->bytes.size()) + "\"}";
  }
  return "null";
}

std::string RowJson(const DiffTable& table, const RowChange& row) {
  return "{\"change\":\"" + std::string(ChangeKindName(row.kind)) +
         "\",\"rowid\":" + (row.rowid ? std::to_string(*row.rowid) : "null") +
         ",\"before\":" + ValuesJson(table.columns_before, row.before) +
         ",\"after\":" + ValuesJson(table.columns_after, row.after) + "}";
}

Json SchemaJson(const SchemaChange& change) {
  Json json = {{"change", ChangeKindName(change.kind)},
               {"type", change.type},
               {"name", change.name},
               {"table", change.table},
               {"before", nullptr},
               {"after", nullptr}};
  if (!change.before.empty()) json["before"] = change.before;
  if (!change.after.empty()) json["after"] = change.after;
  return json;
}

}  // namespace tidemark::tools
