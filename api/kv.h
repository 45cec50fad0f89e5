// Kv: keys and values of one object, as Durable Objects' ctx.storage.kv (and, but for awaiting, its
// ctx.storage).
//
//   kv.Put("visits", 1);
//   int64_t visits = kv.Get<int64_t>("visits").value_or(0);
//   for (const KvEntry& entry : kv.List({.prefix = "user:"})) Use(entry.key, entry.value);
//
// Keys are text, in the order of their bytes; they may be empty and may hold NUL. Values are bytes;
// Codec<T> (api/codec.h) makes them of other types. They stand in a hidden table of the object's
// own database: SQL and KV share transactions, history and restores.

#ifndef TIDEMARK_API_KV_H_
#define TIDEMARK_API_KV_H_

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/codec.h"
#include "engine/export.h"

namespace tidemark {

namespace internal {
class KvTable;
class StorageState;
}  // namespace internal

struct WriteOptions {
  // The commit need not be confirmed for this write's sake. If any other write of the commit has
  // to be, all of it is.
  bool allow_unconfirmed = false;
};

struct ListOptions {
  std::optional<std::string> start{};        // inclusive
  std::optional<std::string> start_after{};  // exclusive; not together with `start`
  std::optional<std::string> end{};          // exclusive
  std::optional<std::string> prefix{};
  bool reverse = false;            // `start` is the low end and `end` the high one all the same
  std::optional<int64_t> limit{};  // above 0; in reverse the highest keys count
};

// Views of the list's row: they hold until it moves.
struct KvEntry {
  std::string_view key;
  std::string_view value;

  template <typename T>
  T Get() const {
    return Codec<T>::Decode(value);
  }
};

// Keys and their values, read as they are asked for, in one pass. Another List of the same object
// ends it: then it throws. So do DeleteAll and a close.
class TIDEMARK_API KvList {
 public:
  KvList(KvList&&) noexcept;
  KvList& operator=(KvList&&) = delete;
  ~KvList();

  // To the next key; false at the end.
  bool Next();
  const KvEntry& entry() const { return entry_; }

  // The rest, copied.
  std::vector<std::pair<std::string, std::string>> ToVector();

  class Iterator {
   public:
    using value_type = KvEntry;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;
    Iterator() = default;
    explicit Iterator(KvList* list) : list_(list) { ++*this; }
    Iterator& operator++() {
      if (!list_->Next()) list_ = nullptr;
      return *this;
    }
    void operator++(int) { ++*this; }
    const KvEntry& operator*() const { return list_->entry(); }
    const KvEntry* operator->() const { return &list_->entry(); }
    friend bool operator==(const Iterator& it, std::default_sentinel_t) {
      return it.list_ == nullptr;
    }

   private:
    KvList* list_ = nullptr;
  };
  Iterator begin() { return Iterator(this); }
  std::default_sentinel_t end() const { return {}; }

 private:
  friend class Kv;
  KvList(std::shared_ptr<internal::StorageState> state, size_t which, uint64_t number,
         int64_t limit);
  void Close() noexcept;

  std::shared_ptr<internal::StorageState> state_;
  size_t which_;     // of the table's statements
  uint64_t number_;  // of this list among all
  int64_t left_;     // rows that may come
  bool open_;        // the statement is at work
  KvEntry entry_;
};

// Part of an ObjectStorage, and used by its thread. Calls throw Error.
class TIDEMARK_API Kv {
 public:
  template <typename T = std::string>
  std::optional<T> Get(std::string_view key) {
    std::optional<T> value;
    Load(key, &value, [](void* out, std::string_view bytes) {
      static_cast<std::optional<T>*>(out)->emplace(Codec<T>::Decode(bytes));
    });
    return value;
  }
  // In the order of keys; those that are missing are absent. Errors: kLimitExceeded
  // (Limits::keys_per_call).
  template <typename T = std::string>
  std::map<std::string, T, std::less<>> GetMany(std::span<const std::string> keys) {
    RequireCount(keys.size());
    std::map<std::string, T, std::less<>> values;
    for (const std::string& key : keys) {
      if (std::optional<T> value = Get<T>(key)) values.emplace(key, *std::move(value));
    }
    return values;
  }

  // Replaces what the key had. A Get that follows sees it.
  template <typename T>
  void Put(std::string_view key, const T& value, const WriteOptions& options = {}) {
    const auto encoded = internal::EncodeValue(value);
    PutBytes(key, std::string_view(encoded), options);
  }
  // All pairs or, if one of them fails, none: what was put before stays. `entries` is a range of
  // pairs, a std::map for one. Errors: kLimitExceeded.
  template <std::ranges::input_range Entries>
  void PutMany(const Entries& entries, const WriteOptions& options = {}) {
    std::vector<std::pair<std::string, std::string>> encoded;
    for (const auto& [key, value] : entries) {
      encoded.emplace_back(key, std::string_view(internal::EncodeValue(value)));
    }
    PutAll(encoded, options);
  }

  // True if it was there.
  bool Delete(std::string_view key, const WriteOptions& options = {});
  // How many of them were there; one that is listed twice counts once. Errors: kLimitExceeded.
  uint64_t DeleteMany(std::span<const std::string> keys, const WriteOptions& options = {});

  // Errors: kInvalidArgument (`start` with `start_after`; a limit below 1).
  KvList List(const ListOptions& options = {});

 private:
  friend class ObjectStorage;
  using Visit = void (*)(void* out, std::string_view bytes);
  explicit Kv(std::shared_ptr<internal::StorageState> state);

  void RequireCount(size_t keys) const;
  void Load(std::string_view key, void* out, Visit visit);
  void PutBytes(std::string_view key, std::string_view value, const WriteOptions& options);
  void PutAll(std::span<const std::pair<std::string, std::string>> entries,
              const WriteOptions& options);

  std::shared_ptr<internal::StorageState> state_;
};

}  // namespace tidemark

#endif  // TIDEMARK_API_KV_H_
