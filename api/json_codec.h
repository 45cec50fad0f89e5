// Values of keys as JSON, through nlohmann::json: `kv.Put("settings", json)`,
// `kv.Get<nlohmann::json>("settings")`. The program that includes this finds nlohmann's headers
// (Debian's nlohmann-json3-dev) by itself.

#ifndef TIDEMARK_API_JSON_CODEC_H_
#define TIDEMARK_API_JSON_CODEC_H_

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "api/codec.h"

namespace tidemark {

template <>
struct Codec<nlohmann::json> {
  static std::string Encode(const nlohmann::json& value) { return value.dump(); }
  static nlohmann::json Decode(std::string_view bytes) {
    nlohmann::json value = nlohmann::json::parse(bytes, nullptr, false);
    if (value.is_discarded()) ThrowBadValue(bytes, "JSON");
    return value;
  }
};

namespace internal {
inline std::string EncodeValue(const nlohmann::json& value) {
  return Codec<nlohmann::json>::Encode(value);
}
}  // namespace internal

}  // namespace tidemark

#endif  // TIDEMARK_API_JSON_CODEC_H_
