// What packed segments hold: blocks of history, runs of commits, dictionaries.
//
// An input is a byte for the way, a byte or two of numbers, and bytes. Hashes are made right; and
// what is to be compressed is compressed here, because no mutation makes a zstd frame that is one.

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "engine/check.h"
#include "engine/internal/coding.h"
#include "engine/internal/commit_run.h"
#include "engine/internal/dictionary.h"
#include "engine/internal/history_block.h"
#include "engine/internal/record.h"
#include "tests/fuzz/fix_hashes.h"
#include "tests/fuzz/fuzz_input.h"

namespace tidemark::testing {
namespace {

using internal::Buffer;
using internal::ConstBytes;
using internal::HistoryBlock;

// A dictionary without tables: to zstd any bytes are one.
const internal::Dictionary& PlainDictionary() {
  static const auto dictionary = [] {
    Buffer bytes(8 + 256, std::byte{'d'});
    internal::StoreFixed(bytes.data(), internal::SeededHash(ConstBytes(bytes).subspan(8), 0));
    return internal::Dictionary::Parse(bytes);
  }();
  CHECK(dictionary != nullptr);
  return *dictionary;
}

// As a reader does: every version, each on the one before. Returns whether all of it was whole.
void ReadBlock(Buffer bytes) {
  if (FixBlock(bytes) != bytes.size()) return;
  const auto head = internal::ParseHistoryBlockHead(bytes);
  internal::Reader reader(bytes);
  const PageNo page_no(reader.Varint32());
  HistoryBlock block;
  if (!block.Parse(page_no, bytes, std::nullopt)) return;
  CHECK(!block.versions().empty());
  block.CountUpTo(block.versions().back().lsn);
  // Who has parsed one knows that it needs a dictionary.
  if (!block.Decompress(block.dictionary() ? &PlainDictionary() : nullptr)) return;
  if (head) CHECK(head->page_size == block.page_size());
  Buffer page(block.page_size());
  for (size_t i = 0; i < block.versions().size(); ++i) {
    if (!block.Apply(i, page)) return;
  }
}

// A block of the fields up to its dictionary, and of the data, compressed or not.
Buffer BlockOf(uint8_t page, ConstBytes fields, ConstBytes data) {
  Buffer body(fields.begin(), fields.end());
  Buffer compressed;
  const bool smaller = internal::CompressPage(data, compressed);
  internal::AppendVarint(body, smaller ? data.size() : 0);
  internal::AppendBytes(body, smaller ? ConstBytes(compressed) : data);
  Buffer block;
  internal::AppendVarint(block, page);
  internal::AppendVarint(block, body.size());
  internal::AppendFixed(block, uint64_t{0});
  internal::AppendBytes(block, body);
  return block;
}

void ReadRun(const Buffer& fields) {
  const auto commits = internal::DecodeCommitRun(fields);
  if (!commits) return;
  CHECK(!commits->empty());
  CHECK(commits->size() <= internal::kMostCommitsInRun);
  Buffer again;
  internal::EncodeCommitRun(*commits, again);
  CHECK(internal::DecodeCommitRun(again) == commits);
}

// A run of `count` commits of which the columns are given, compressed.
Buffer RunOf(uint16_t count, ConstBytes columns) {
  Buffer compressed;
  const bool smaller = internal::CompressPage(columns, compressed);
  Buffer fields;
  internal::AppendVarint(fields, 1);  // timeline
  internal::AppendVarint(fields, count);
  internal::AppendVarint(fields, smaller ? columns.size() : 0);
  internal::AppendVarint(fields, smaller ? compressed.size() : columns.size());
  internal::AppendBytes(fields, smaller ? ConstBytes(compressed) : columns);
  fields.resize(fields.size() + count * sizeof(uint64_t));  // state hashes
  return fields;
}

void ReadDictionary(ConstBytes contents, ConstBytes frame) {
  Buffer bytes;
  internal::AppendFixed(bytes, internal::SeededHash(contents, 0));
  internal::AppendBytes(bytes, contents);
  const auto dictionary = internal::Dictionary::Parse(bytes);
  if (dictionary == nullptr) return;
  Buffer out(4096);
  dictionary->Decompress(frame, out);
}

// Images come back from a block as they were: each is the one before with some bytes of the input.
void WriteBlock(FuzzInput& input) {
  const size_t page_size = size_t{512} << input.Byte() % 4;
  internal::HistoryBlockBuilder builder;
  builder.Begin(PageNo(3), static_cast<uint32_t>(page_size));
  Buffer page(page_size);
  std::vector<Buffer> images;
  while (input.remaining() > 0 && images.size() < 64) {
    const size_t at = input.Below(page_size);
    const auto bytes = input.Take(std::min<size_t>(input.Byte(), page_size - at));
    std::copy(bytes.begin(), bytes.end(), page.begin() + static_cast<ptrdiff_t>(at));
    if (!builder.Add(Lsn(images.size() + 1), page)) break;
    images.push_back(page);
  }
  if (images.empty()) return;
  Buffer bytes;
  internal::PageVersion row;
  builder.End(bytes, row);
  HistoryBlock block;
  CHECK(block.Parse(PageNo(3), bytes, row.hash));
  CHECK(block.Decompress(nullptr));
  CHECK(block.versions().size() == images.size());
  std::fill(page.begin(), page.end(), std::byte{0xee});
  for (size_t i = 0; i < images.size(); ++i) {
    CHECK(block.Apply(i, page));
    CHECK(page == images[i]);
  }
}

}  // namespace
}  // namespace tidemark::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemark::testing;
  FuzzInput input(data, size);
  switch (input.Byte() % 7) {
    case 0: ReadBlock(input.Rest()); break;
    case 1: {
      const uint8_t page = input.Byte();
      const auto fields = input.Take(input.Byte());
      ReadBlock(BlockOf(page, fields, input.Rest()));
      break;
    }
    case 2: ReadRun(input.Rest()); break;
    case 3: {
      const uint16_t count = input.Short();
      ReadRun(RunOf(count, input.Rest()));
      break;
    }
    case 4: {
      const auto contents = input.Take(input.Short());
      ReadDictionary(contents, input.Rest());
      break;
    }
    case 5: {  // with the number by which zstd knows one with tables
      tidemark::internal::Buffer contents;
      tidemark::internal::AppendFixed(contents, uint32_t{ZSTD_MAGIC_DICTIONARY});
      tidemark::internal::AppendBytes(contents, input.Take(input.Short()));
      ReadDictionary(contents, input.Rest());
      break;
    }
    default: WriteBlock(input);
  }
  return 0;
}
