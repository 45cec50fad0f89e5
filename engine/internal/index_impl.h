// What Index's look-ups share: the environment, and reading typed rows. For index.cc and
// index_history.cc only.

#ifndef TIDEMARK_ENGINE_INTERNAL_INDEX_IMPL_H_
#define TIDEMARK_ENGINE_INTERNAL_INDEX_IMPL_H_

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/internal/coding.h"
#include "engine/internal/index.h"
#include "engine/internal/index_rows.h"
#include "engine/internal/lmdb_env.h"
#include "engine/internal/written_mark.h"

namespace tidemark::internal {

inline bool BeginsWith(ConstBytes bytes, ConstBytes prefix) {
  return bytes.size() >= prefix.size() && std::ranges::equal(bytes.first(prefix.size()), prefix);
}

// The latest duplicate at or before `lsn`, in tables whose duplicates begin with an LSN.
inline bool SeekLatest(LmdbCursor& cursor, ConstBytes key, Lsn lsn) {
  return cursor.SeekDuplicateAtOrBefore(key, NumberKey(lsn.value));
}

class Index::Impl {
 public:
  Impl(std::string directory, std::unique_ptr<LmdbEnv> env)
      : directory_(std::move(directory)), env_(std::move(env)), mark_(directory_) {}

  LmdbEnv& env() const { return *env_; }

  WrittenMark& mark() { return mark_; }
  // Another file is to take the place of this one; that is marked before anything is written to it.
  Status ForgetMark() {
    has_mark_ = false;
    return mark_.Forget();
  }
  Status Write(const std::function<Status(LmdbWriteTransaction&)>& change) {
    return env_->Write([&](LmdbWriteTransaction& transaction) {
      if (!has_mark_) TIDEMARK_RETURN_IF_ERROR(mark_.SetOpen());
      has_mark_ = true;
      return change(transaction);
    });
  }

  // The row that `seek` puts the table's cursor on; empty if it finds none. `decode` makes it from
  // key and value, or nothing if they are damaged.
  template <typename Seek, typename Decode>
  auto Find(IndexTable table, Seek seek, Decode decode) const
      -> Result<decltype(decode(ConstBytes(), ConstBytes()))> {
    LmdbReadTransaction read(*env_);
    LmdbCursor& cursor = read.cursor(table);
    decltype(decode(ConstBytes(), ConstBytes())) row;
    if (!seek(cursor)) {
      TIDEMARK_RETURN_IF_ERROR(read.status());
      return row;
    }
    row = decode(cursor.key(), cursor.value());
    if (!row) return Damaged(table);
    return row;
  }

  // The rows from where `seek` puts the cursor on, moving by `next`, up to `limit`.
  template <typename Row, typename Seek, typename Next, typename Decode>
  Result<std::vector<Row>> List(IndexTable table, Seek seek, Next next, Decode decode,
                                size_t limit = SIZE_MAX) const {
    std::vector<Row> rows;
    LmdbReadTransaction read(*env_);
    LmdbCursor& cursor = read.cursor(table);
    for (bool there = limit > 0 && seek(cursor); there; there = next(cursor)) {
      std::optional<Row> row = decode(cursor.key(), cursor.value());
      if (!row) return Damaged(table);
      rows.push_back(std::move(*row));
      if (rows.size() == limit) break;
    }
    TIDEMARK_RETURN_IF_ERROR(read.status());
    return rows;
  }

  // The rows whose keys begin with `prefix`.
  template <typename Row, typename Decode>
  Result<std::vector<Row>> ListPrefix(IndexTable table, ConstBytes prefix, Decode decode) const {
    const auto there = [prefix](LmdbCursor& cursor) { return BeginsWith(cursor.key(), prefix); };
    const std::byte first[1] = {};  // LMDB has no empty keys
    return List<Row>(
        table,
        [&](LmdbCursor& cursor) {
          return cursor.SeekAtOrAfter(prefix.empty() ? ConstBytes(first) : prefix) && there(cursor);
        },
        [&](LmdbCursor& cursor) { return cursor.Next() && there(cursor); }, decode);
  }

  uint64_t Count(IndexTable table) const {
    LmdbReadTransaction read(*env_);
    return read.CountValues(table);
  }

  Status Damaged(IndexTable table) const {
    return Status(StatusCode::kCorruption,
                  "index " + directory_ + " is damaged (a row of table " +
                      kIndexTables[table].name +
                      " is malformed); no data is lost: the index can be rebuilt from the log");
  }

  // Marks a new index with its version, refuses one it cannot read.
  Status CheckVersion() {
    TIDEMARK_ASSIGN_OR_RETURN(
        const std::optional<uint32_t> version,
        Find(
            kMetaTable, [](LmdbCursor& cursor) { return cursor.Seek(TextKey(kVersionKey)); },
            [](ConstBytes, ConstBytes value) -> std::optional<uint32_t> {
              if (value.size() != sizeof(uint32_t)) return std::nullopt;
              return LoadFixed<uint32_t>(value.data());
            }));
    if (version == kIndexVersion) return OkStatus();
    if (version.has_value()) {
      return Status(StatusCode::kUnsupportedVersion,
                    "index " + directory_ + " has format version " + std::to_string(*version) +
                        ", this library reads version " + std::to_string(kIndexVersion) +
                        ": remove " + directory_ + ", and opening the store makes it anew");
    }
    return env_->Write([](LmdbWriteTransaction& transaction) {
      std::vector<std::byte> value;
      AppendFixed(value, kIndexVersion);
      return transaction.Put(kMetaTable, TextKey(kVersionKey), value);
    });
  }

 private:
  const std::string directory_;
  const std::unique_ptr<LmdbEnv> env_;
  WrittenMark mark_;
  bool has_mark_ = true;  // changed while nobody else writes
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_INDEX_IMPL_H_
