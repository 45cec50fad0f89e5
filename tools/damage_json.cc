#include "tools/damage_json.h"

#include <nlohmann/json.hpp>

namespace tidemark::tools {

Json DamageJson(const std::vector<Damage>& damage) {
  Json rows = Json::array();
  for (const Damage& place : damage) {
    Json row = {{"object", nullptr},
                {"segment", place.segment},
                {"offset", place.offset},
                {"message", place.message}};
    if (!place.object.empty()) row["object"] = place.object;
    rows.push_back(row);
  }
  return rows;
}

}  // namespace tidemark::tools
