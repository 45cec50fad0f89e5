#include "engine/object_id.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <span>

#include "engine/check.h"

namespace tidemark {
namespace {

constexpr size_t kBaseSize = 16;
constexpr size_t kMaxNameBytes = 1024;
constexpr size_t kMaxNamespaceNameBytes = 512;

Status TooLong(std::string_view what, size_t size, size_t most) {
  return Status(StatusCode::kInvalidArgument, std::string(what) + " has " + std::to_string(size) +
                                                  " bytes; at most " + std::to_string(most) +
                                                  " are allowed");
}

const unsigned char* AsUnsigned(const void* bytes) {
  return static_cast<const unsigned char*>(bytes);
}

// -1 if `c` is no hex digit.
int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The length of the UTF-8 sequence that `text` begins with; 0 if there is none that Unicode allows
// (table 3-7 of the standard: no overlong forms, no surrogates, nothing above U+10FFFF).
size_t Utf8SequenceLength(std::string_view text) {
  const auto at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = at(0);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (text.size() < length) return 0;
  unsigned char lowest = 0x80;
  unsigned char highest = 0xBF;
  if (lead == 0xE0) lowest = 0xA0;
  if (lead == 0xED) highest = 0x9F;
  if (lead == 0xF0) lowest = 0x90;
  if (lead == 0xF4) highest = 0x8F;
  if (at(1) < lowest || at(1) > highest) return 0;
  for (size_t i = 2; i < length; ++i) {
    if (at(i) < 0x80 || at(i) > 0xBF) return 0;
  }
  return length;
}

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

Context NewContext() {
  Context context(EVP_MD_CTX_new());
  CHECK(context != nullptr);
  return context;
}

}  // namespace

// HMAC-SHA256 with one key (RFC 2104), whose two half-way states are computed once: opening an
// object by name takes two MACs, and looking the algorithm up again for each costs 5 us.
class ObjectIdFactory::Mac {
 public:
  explicit Mac(std::span<const unsigned char, SHA256_DIGEST_LENGTH> key)
      : inner_(AfterPad(key, 0x36)), outer_(AfterPad(key, 0x5c)) {}

  // The first half of the MAC. Any thread.
  std::array<std::byte, kBaseSize> Half(const void* message, size_t size) const {
    thread_local const Context context = NewContext();
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
    Finish(context.get(), inner_.get(), message, size, digest);
    Finish(context.get(), outer_.get(), digest.data(), digest.size(), digest);
    std::array<std::byte, kBaseSize> half;
    std::memcpy(half.data(), digest.data(), half.size());
    return half;
  }

 private:
  // The digest of one block: the key, filled up with zeros, XOR the pad.
  static Context AfterPad(std::span<const unsigned char, SHA256_DIGEST_LENGTH> key,
                          unsigned char pad) {
    std::array<unsigned char, SHA256_CBLOCK> block{};
    std::copy(key.begin(), key.end(), block.begin());
    for (unsigned char& byte : block) byte ^= pad;
    Context context = NewContext();
    CHECK(EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1);
    CHECK(EVP_DigestUpdate(context.get(), block.data(), block.size()) == 1);
    return context;
  }

  static void Finish(EVP_MD_CTX* context, const EVP_MD_CTX* start, const void* message, size_t size,
                     std::array<unsigned char, SHA256_DIGEST_LENGTH>& digest) {
    CHECK(EVP_MD_CTX_copy_ex(context, start) == 1);
    CHECK(EVP_DigestUpdate(context, message, size) == 1);
    CHECK(EVP_DigestFinal_ex(context, digest.data(), nullptr) == 1);
  }

  const Context inner_;
  const Context outer_;
};

std::string ObjectId::ToString() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::byte byte : bytes) {
    text += kDigits[static_cast<unsigned>(byte) >> 4];
    text += kDigits[static_cast<unsigned>(byte) & 15];
  }
  return text;
}

Status ValidateName(std::string_view what, std::string_view name) {
  const auto invalid = [&](const std::string& why) {
    return Status(StatusCode::kInvalidArgument, std::string(what) + " " + why);
  };
  if (name.empty()) return invalid("is empty");
  if (name.size() > kMaxNameBytes) return TooLong(what, name.size(), kMaxNameBytes);
  for (size_t i = 0; i < name.size();) {
    if (name[i] == '\0') return invalid("has a NUL at byte " + std::to_string(i));
    const size_t length = Utf8SequenceLength(name.substr(i));
    if (length == 0) return invalid("is not valid UTF-8 at byte " + std::to_string(i));
    i += length;
  }
  return OkStatus();
}

Status ValidateNamespaceName(std::string_view name) {
  if (name.size() > kMaxNamespaceNameBytes) {
    return TooLong("namespace name", name.size(), kMaxNamespaceNameBytes);
  }
  TIDEMARK_RETURN_IF_ERROR(ValidateName("namespace name", name));
  if (const size_t slash = name.find('/'); slash != std::string_view::npos) {
    return Status(StatusCode::kInvalidArgument,
                  "namespace name has a '/' at byte " + std::to_string(slash));
  }
  return OkStatus();
}

ObjectIdFactory::ObjectIdFactory(std::string_view unique_key) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> key;
  SHA256(AsUnsigned(unique_key.data()), unique_key.size(), key.data());
  mac_ = std::make_shared<const Mac>(key);
}

ObjectId ObjectIdFactory::FromName(std::string_view name) const {
  return WithMac(mac_->Half(name.data(), name.size()));
}

ObjectId ObjectIdFactory::NewUnique() const {
  std::array<std::byte, kBaseSize> base;
  ssize_t size;
  do {
    size = getrandom(base.data(), base.size(), 0);
  } while (size < 0 && errno == EINTR);
  CHECK(size == static_cast<ssize_t>(base.size()));  // at most 256 bytes are never cut short
  return WithMac(base);
}

Result<ObjectId> ObjectIdFactory::FromString(std::string_view hex) const {
  const Status not_hex(StatusCode::kInvalidArgument, "object id must be 64 hex digits");
  ObjectId id;
  if (hex.size() != 2 * id.bytes.size()) return not_hex;
  for (size_t i = 0; i < id.bytes.size(); ++i) {
    const int high = HexDigit(hex[2 * i]);
    const int low = HexDigit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return not_hex;
    id.bytes[i] = static_cast<std::byte>(high << 4 | low);
  }
  if (!Owns(id)) {
    return Status(StatusCode::kInvalidArgument, "object id is not valid for this namespace");
  }
  return id;
}

bool ObjectIdFactory::Owns(const ObjectId& id) const {
  std::array<std::byte, kBaseSize> base;
  std::copy_n(id.bytes.begin(), base.size(), base.begin());
  return WithMac(base) == id;
}

ObjectId ObjectIdFactory::WithMac(const std::array<std::byte, 16>& base) const {
  const auto mac = mac_->Half(base.data(), base.size());
  ObjectId id;
  std::copy(base.begin(), base.end(), id.bytes.begin());
  std::copy(mac.begin(), mac.end(), id.bytes.begin() + kBaseSize);
  return id;
}

}  // namespace tidemark
