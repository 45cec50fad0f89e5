// Object storage with what an application hands in: SQL in pieces through Ingest and whole through
// Exec, bounds of lists, and values that are decoded.
//
// Of the first byte the kind, then the input. What must hold: an Error is the only exception;
// nothing of the layer's own is changed or read by SQL; Ingest in pieces of any size does what it
// does in one; a list is what a filter of all keys gives; what decodes encodes to the same.

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "api/json_codec.h"
#include "api/storage.h"
#include "engine/check.h"
#include "engine/memory_file_system.h"
#include "tests/fuzz/fuzz_input.h"

namespace tidemark::testing {
namespace {

class Bed {
 public:
  Bed() {
    files_ = *MemoryFileSystem::Create();
    store_ = *Store::Open("data", files_->Options(&clock_));
  }
  // An object that has never been.
  std::unique_ptr<ObjectStorage> Open() {
    return ObjectStorage::Open(*store_, "ns", "o" + std::to_string(++count_),
                               {.commit_mode = CommitMode::kTurn,
                                .durability = Durability::kPipelined,
                                .limits = {.row_bytes = 10'000,
                                           .program_operations = 2'000,
                                           .operations_per_row = 100'000,
                                           .database_bytes = 100 * 4096}});
  }
  // Another store now and then, so that memory stays bounded.
  static Bed& Get() {
    static std::unique_ptr<Bed> bed;
    if (bed == nullptr || bed->count_ >= 500) bed = std::make_unique<Bed>();
    return *bed;
  }

 private:
  ManualClock clock_;
  std::unique_ptr<MemoryFileSystem> files_;
  std::unique_ptr<Store> store_;
  int count_ = 0;
};

// What the layer's own table has, and nothing else does.
constexpr char kSecret[] = "7d1f-secret-93ab";

// No row has it, unless the text itself does.
void CheckKeepsTheSecret(Cursor& cursor, const std::string& sql) {
  if (sql.find("7d1f") != std::string::npos) return;
  for (size_t i = 0; i < cursor.ColumnCount(); ++i) {
    const ValueView value = cursor.Column(i);
    std::string_view bytes;
    if (const auto* text = std::get_if<std::string_view>(&value)) bytes = *text;
    if (const auto* blob = std::get_if<BlobView>(&value)) {
      bytes = {reinterpret_cast<const char*>(blob->data()), blob->size()};
    }
    CHECK(bytes.find(kSecret) == std::string_view::npos);
  }
}

struct Outcome {
  uint64_t statements = 0;
  std::string remainder;
  bool failed = false;
  bool operator==(const Outcome&) const = default;
};

Outcome IngestPieces(const std::string& sql, size_t piece) {
  const auto storage = Bed::Get().Open();
  storage->kv().Put("own", kSecret);
  Outcome outcome;
  try {
    for (size_t at = 0; at < sql.size(); at += piece) {
      outcome.remainder += sql.substr(at, piece);
      const IngestResult result = storage->sql().Ingest(outcome.remainder);
      outcome.statements += result.statement_count;
      outcome.remainder = std::string(result.remainder);
    }
  } catch (const Error&) {
    outcome.failed = true;
    outcome.remainder.clear();
    outcome.statements = 0;
  }
  if (storage->broken() == nullptr) CHECK(storage->kv().Get("own") == kSecret);
  return outcome;
}

void CheckSql(const std::string& sql) {
  const Outcome whole = IngestPieces(sql, std::max<size_t>(sql.size(), 1));
  CHECK(IngestPieces(sql, 1 + sql.size() / 3) == whole);
  const auto storage = Bed::Get().Open();
  storage->kv().Put("own", kSecret);
  try {
    Cursor cursor = storage->sql().Exec(sql);
    for (int rows = 0; rows < 100 && cursor.Next(); ++rows) CheckKeepsTheSecret(cursor, sql);
  } catch (const Error&) {
  }
  if (storage->broken() == nullptr) CHECK(storage->kv().Get("own") == kSecret);
}

void CheckList(FuzzInput& input) {
  const auto text = [&] {
    std::string bytes;
    for (int left = input.Byte() % 4; left > 0; --left) {
      bytes += static_cast<char>("\0ab\xff"[input.Byte() % 4]);
    }
    return bytes;
  };
  const auto storage = Bed::Get().Open();
  std::map<std::string, std::string> model;
  for (int left = input.Byte() % 16; left > 0; --left) {
    const std::string key = text();
    storage->kv().Put(key, "v");
    model[key] = "v";
  }
  ListOptions options;
  const int which = input.Byte();
  if ((which & 1) != 0) options.start = text();
  if ((which & 2) != 0) options.start_after = text();
  if ((which & 4) != 0) options.end = text();
  if ((which & 8) != 0) options.prefix = text();
  if ((which & 16) != 0) options.limit = input.Byte() - 2;
  options.reverse = (which & 32) != 0;
  std::vector<std::string> expected;
  for (const auto& [key, _] : model) {
    if (options.start && key < *options.start) continue;
    if (options.start_after && key <= *options.start_after) continue;
    if (options.end && key >= *options.end) continue;
    if (options.prefix && !key.starts_with(*options.prefix)) continue;
    expected.push_back(key);
  }
  if (options.reverse) std::ranges::reverse(expected);
  if (options.limit && *options.limit >= 0 &&
      expected.size() > static_cast<size_t>(*options.limit)) {
    expected.resize(static_cast<size_t>(*options.limit));
  }
  try {
    std::vector<std::string> keys;
    for (const KvEntry& entry : storage->kv().List(options)) keys.emplace_back(entry.key);
    CHECK(keys == expected);
  } catch (const Error& error) {
    const bool both = options.start && options.start_after;
    CHECK(both || (options.limit && *options.limit <= 0));
    CHECK(error.code() == StatusCode::kInvalidArgument);
  }
}

template <typename T>
void CheckCodec(const std::string& bytes) {
  try {
    const T value = Codec<T>::Decode(bytes);
    const auto encoded = Codec<T>::Encode(value);
    CHECK(std::string_view(encoded) == bytes);
  } catch (const Error& error) {
    CHECK(error.code() == StatusCode::kMalformed);
  }
}

void CheckCodecs(const std::string& bytes) {
  CheckCodec<bool>(bytes);
  CheckCodec<int8_t>(bytes);
  CheckCodec<int64_t>(bytes);
  CheckCodec<uint64_t>(bytes);
  CheckCodec<double>(bytes);
  CheckCodec<std::string>(bytes);
  CheckCodec<Blob>(bytes);
  try {
    const auto json = Codec<nlohmann::json>::Decode(bytes);
    CHECK(Codec<nlohmann::json>::Decode(Codec<nlohmann::json>::Encode(json)) == json);
  } catch (const Error&) {
  } catch (const nlohmann::json::exception&) {  // a text that is not UTF-8 cannot be written
  }
}

}  // namespace
}  // namespace tidemark::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemark::testing;
  if (size == 0 || size > 2000) return 0;
  const std::string rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'l': {
      FuzzInput input(data + 1, size - 1);
      CheckList(input);
      break;
    }
    case 'v': CheckCodecs(rest); break;
    default: CheckSql(rest);
  }
  return 0;
}
