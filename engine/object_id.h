// ObjectId: the 32 bytes that name an object, compatible with Durable Objects.
//
// Bytes 0-15 are the base: the first half of HMAC-SHA256(key, name), or random for an unnamed
// object. Bytes 16-31 are the first half of HMAC-SHA256(key, base): they prove that the id belongs
// to its namespace. The key is SHA-256 of the namespace's unique key; here that is the namespace's
// name. (workerd, src/workerd/server/actor-id-impl.c++.)

#ifndef TIDEMARK_ENGINE_OBJECT_ID_H_
#define TIDEMARK_ENGINE_OBJECT_ID_H_

#include <array>
#include <compare>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "engine/export.h"
#include "engine/result.h"
#include "engine/status.h"

namespace tidemark {

struct TIDEMARK_API ObjectId {
  std::array<std::byte, 32> bytes{};

  auto operator<=>(const ObjectId&) const = default;

  // 64 lower-case hex digits.
  std::string ToString() const;
};

// Names: 1 to 1024 bytes of valid UTF-8 without NUL; a namespace's has 512 at most, and no '/'.
// `what` ("object name") begins the message. Errors: kInvalidArgument.
TIDEMARK_API Status ValidateName(std::string_view what, std::string_view name);
TIDEMARK_API Status ValidateNamespaceName(std::string_view name);

// Makes and checks the ids of one namespace. Immutable: any thread may use it.
class TIDEMARK_API ObjectIdFactory {
 public:
  explicit ObjectIdFactory(std::string_view unique_key);

  // Same name, same id. Any bytes are accepted; ValidateName is the caller's.
  ObjectId FromName(std::string_view name) const;
  // 16 bytes from the operating system's generator and their MAC.
  ObjectId NewUnique() const;
  // Parses 64 hex digits of either case. Errors: kInvalidArgument "must be 64 hex digits", or
  // "not valid for this namespace" when the second half does not fit.
  Result<ObjectId> FromString(std::string_view hex) const;
  bool Owns(const ObjectId& id) const;

 private:
  class TIDEMARK_HIDDEN Mac;

  ObjectId WithMac(const std::array<std::byte, 16>& base) const;

  std::shared_ptr<const Mac> mac_;
};

}  // namespace tidemark

template <>
struct std::hash<tidemark::ObjectId> {
  size_t operator()(const tidemark::ObjectId& id) const noexcept {
    size_t h;  // the base is a MAC or random: its first bytes are as good as any hash
    static_assert(sizeof(h) <= sizeof(id.bytes));
    __builtin_memcpy(&h, id.bytes.data(), sizeof(h));
    return h;
  }
};

#endif  // TIDEMARK_ENGINE_OBJECT_ID_H_
