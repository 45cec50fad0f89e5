#include "engine/internal/index_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/file_system.h"
#include "engine/internal/coding.h"

namespace tidemark::internal {
namespace {

using ConstBytes = std::span<const std::byte>;

// LMDB 0.9 on a 64-bit machine. A page: number (8 bytes), pad (2), flags (2), lower (2), upper (2);
// of overflow pages their count stands in place of the last two. Behind it the places of the nodes.
constexpr size_t kPageHeader = 16;
constexpr uint16_t kBranch = 0x01;
constexpr uint16_t kLeaf = 0x02;
constexpr uint16_t kOverflow = 0x04;
constexpr uint16_t kMeta = 0x08;
constexpr uint16_t kLeafOfValues = 0x20;  // keys of one size, without nodes
constexpr uint16_t kSubPage = 0x40;       // inside of a node
constexpr uint16_t kDirty = 0x10;         // which those keep
// A node: low (2), high (2), flags (2), size of the key (2), key, data.
constexpr size_t kNodeHeader = 8;
constexpr uint16_t kBigData = 0x01;
constexpr uint16_t kSubTree = 0x02;
constexpr uint16_t kDuplicates = 0x04;
// A tree: pad (4), flags (2), depth (2), branch, leaf and overflow pages, entries, root (8 each).
constexpr size_t kTreeBytes = 48;
constexpr uint64_t kNoPage = UINT64_MAX;
constexpr uint32_t kMetaMagic = 0xbeefc0de;
constexpr uint16_t kMostLevels = 32;
constexpr uint64_t kMostMapBytes = uint64_t{1} << 47;

template <typename T>
T At(ConstBytes bytes, size_t offset) {
  return LoadFixed<T>(bytes.data() + offset);
}

struct Tree {
  uint16_t depth = 0;
  uint64_t pages[3] = {};  // branch, leaf, overflow
  uint64_t entries = 0;
  uint64_t root = kNoPage;

  static Tree From(ConstBytes bytes) {
    Tree tree;
    tree.depth = At<uint16_t>(bytes, 6);
    for (size_t i = 0; i < 3; ++i) tree.pages[i] = At<uint64_t>(bytes, 8 + 8 * i);
    tree.entries = At<uint64_t>(bytes, 32);
    tree.root = At<uint64_t>(bytes, 40);
    return tree;
  }
};

struct Meta {
  uint32_t page_bytes = 0;
  uint64_t map_bytes = 0;
  Tree free;
  Tree main;
  uint64_t last_page = 0;
  uint64_t transaction = 0;
};

class IndexFile {
 public:
  // Empty if there is nothing to check.
  static Result<std::unique_ptr<IndexFile>> Open(const std::string& path) {
    auto opened = FileSystem::Posix()->Open(path, OpenMode::kReadOnly);
    if (opened.status().code() == StatusCode::kNotFound) return std::unique_ptr<IndexFile>();
    TIDEMARK_RETURN_IF_ERROR(opened.status());
    TIDEMARK_ASSIGN_OR_RETURN(const uint64_t size, (*opened)->SizeBytes());
    if (size <= 4096) return std::unique_ptr<IndexFile>();  // LmdbEnv begins it anew
    return std::unique_ptr<IndexFile>(new IndexFile(path, *std::move(opened), size));
  }

  Status ReadMeta() {
    std::array<std::optional<Meta>, 2> metas;
    TIDEMARK_ASSIGN_OR_RETURN(metas[0], MetaAt(0));
    if (!metas[0]) return Damaged("its first page");
    TIDEMARK_ASSIGN_OR_RETURN(metas[1], MetaAt(metas[0]->page_bytes));
    if (!metas[1] || metas[1]->page_bytes != metas[0]->page_bytes) {
      return Damaged("its second page");
    }
    const uint64_t even = metas[0]->transaction;
    const uint64_t odd = metas[1]->transaction;
    const bool is_new = even == 0 && odd == 0;
    if (!is_new && (even % 2 != 0 || odd % 2 != 1 || (even > odd ? even - odd : odd - even) != 1)) {
      return Damaged("the numbers of its last commits");
    }
    meta_ = odd > even ? *metas[1] : *metas[0];
    for (const Tree* tree : {&meta_.free, &meta_.main}) {
      const bool is_empty = tree->root == kNoPage;
      if (tree->depth > kMostLevels || is_empty != (tree->depth == 0) ||
          (!is_empty && (tree->root < 2 || tree->root > meta_.last_page))) {
        return Damaged("the root of a tree");
      }
      // LMDB may not have written its last pages, if they are free; a root is not.
      if (!is_empty && (tree->root + 1) * meta_.page_bytes > size_) return Damaged("its end");
    }
    return OkStatus();
  }

  Status ReadPages() {
    TIDEMARK_RETURN_IF_ERROR(ReadMeta());
    used_.assign(meta_.last_page + 1, false);
    used_[0] = used_[1] = true;
    in_free_ = true;
    TIDEMARK_RETURN_IF_ERROR(WalkTree(meta_.free, false));
    in_free_ = false;
    TIDEMARK_RETURN_IF_ERROR(WalkTree(meta_.main, false));
    // What is used and free would be overwritten.
    for (const uint64_t page : free_pages_) TIDEMARK_RETURN_IF_ERROR(Use(page));
    return OkStatus();
  }

 private:
  IndexFile(std::string path, std::unique_ptr<File> file, uint64_t size)
      : path_(std::move(path)), file_(std::move(file)), size_(size) {}

  Status Damaged(const std::string& what) const {
    return Status(StatusCode::kCorruption,
                  "index " + path_ + " is damaged (" + what +
                      "); no data is lost: the index can be rebuilt from the log");
  }
  Status DamagedPage(uint64_t page) const { return Damaged("page " + std::to_string(page)); }

  Result<std::optional<Meta>> MetaAt(uint64_t offset) const {
    std::array<std::byte, kPageHeader + 24 + 2 * kTreeBytes + 16> bytes;
    TIDEMARK_ASSIGN_OR_RETURN(const size_t got, file_->ReadAt(offset, bytes));
    const ConstBytes body = ConstBytes(bytes).subspan(kPageHeader);
    if (got != bytes.size() || At<uint16_t>(bytes, 10) != kMeta ||
        At<uint64_t>(bytes, 0) != (offset == 0 ? 0u : 1u) || At<uint32_t>(body, 0) != kMetaMagic) {
      return std::optional<Meta>();
    }
    Meta meta;
    meta.map_bytes = At<uint64_t>(body, 16);
    meta.page_bytes = At<uint32_t>(body, 24);  // the pad of the tree of free pages
    meta.free = Tree::From(body.subspan(24, kTreeBytes));
    meta.main = Tree::From(body.subspan(24 + kTreeBytes, kTreeBytes));
    meta.last_page = At<uint64_t>(body, 24 + 2 * kTreeBytes);
    meta.transaction = At<uint64_t>(body, 24 + 2 * kTreeBytes + 8);
    if (!std::has_single_bit(meta.page_bytes) || meta.page_bytes < 512 || meta.page_bytes > 32768 ||
        meta.map_bytes > kMostMapBytes || meta.last_page < 1 ||
        meta.last_page >= meta.map_bytes / meta.page_bytes) {
      return std::optional<Meta>();
    }
    return std::optional<Meta>(meta);
  }

  Status Use(uint64_t page) {
    if (page > meta_.last_page || used_[page]) return DamagedPage(page);
    used_[page] = true;
    return OkStatus();
  }

  // `values` has no values of its own: the duplicates of a key.
  Status WalkTree(const Tree& tree, bool values) {
    if (tree.root == kNoPage) return OkStatus();
    Tree seen;
    TIDEMARK_RETURN_IF_ERROR(WalkPage(tree.root, tree.depth, values, seen));
    if (!std::equal(std::begin(seen.pages), std::end(seen.pages), std::begin(tree.pages)) ||
        seen.entries != tree.entries) {
      return Damaged("the tree at page " + std::to_string(tree.root));
    }
    return OkStatus();
  }

  Status WalkPage(uint64_t number, unsigned levels, bool values, Tree& seen) {
    if (levels == 0 || levels > kMostLevels) return DamagedPage(number);
    TIDEMARK_RETURN_IF_ERROR(Use(number));
    std::vector<std::byte> bytes(meta_.page_bytes);
    TIDEMARK_ASSIGN_OR_RETURN(const size_t got, file_->ReadAt(number * meta_.page_bytes, bytes));
    const ConstBytes page = bytes;
    const auto flags = At<uint16_t>(page, 10);
    const size_t lower = At<uint16_t>(page, 12);
    const size_t upper = At<uint16_t>(page, 14);
    if (got != bytes.size() || At<uint64_t>(page, 0) != number || lower < kPageHeader ||
        lower > upper || upper > page.size() || lower % 2 != 0) {
      return DamagedPage(number);
    }
    const size_t count = (lower - kPageHeader) / 2;
    if (levels > 1) {
      if (flags != kBranch || count < 2) return DamagedPage(number);
      ++seen.pages[0];
      return WalkBranch(number, page, count, levels, values, seen);
    }
    if (count == 0 || (flags != kLeaf && !(values && flags == (kLeaf | kLeafOfValues)))) {
      return DamagedPage(number);
    }
    ++seen.pages[1];
    if (flags == kLeaf) return WalkLeaf(number, page, count, values, seen);
    seen.entries += count;
    return IsSorted(page, count, At<uint16_t>(page, 8)) ? OkStatus() : DamagedPage(number);
  }

  // Values of one size, side by side.
  static bool IsSorted(ConstBytes page, size_t count, size_t size) {
    if (size == 0 || kPageHeader + count * size > page.size()) return false;
    for (size_t i = 1; i < count; ++i) {
      const std::byte* const at = page.data() + kPageHeader + i * size;
      if (std::memcmp(at - size, at, size) >= 0) return false;
    }
    return true;
  }

  // Where node `i` begins; empty if not inside of the page, its key included.
  static std::optional<size_t> NodeAt(ConstBytes page, size_t i) {
    const size_t at = At<uint16_t>(page, kPageHeader + 2 * i);
    if (at < At<uint16_t>(page, 14) || at + kNodeHeader > page.size() || at % 2 != 0 ||
        at + kNodeHeader + At<uint16_t>(page, at + 6) > page.size()) {
      return std::nullopt;
    }
    return at;
  }

  // The keys of free pages are numbers.
  bool Follows(ConstBytes key, std::optional<ConstBytes>& before) const {
    bool follows = true;
    if (before && in_free_) {
      follows = key.size() == 8 && At<uint64_t>(*before, 0) < At<uint64_t>(key, 0);
    } else if (before) {
      follows =
          std::lexicographical_compare(before->begin(), before->end(), key.begin(), key.end());
    }
    before = key;
    return follows && !key.empty() && (!in_free_ || key.size() == 8);
  }

  Status WalkBranch(uint64_t number, ConstBytes page, size_t count, unsigned levels, bool values,
                    Tree& seen) {
    std::optional<ConstBytes> before;
    for (size_t i = 0; i < count; ++i) {
      const auto at = NodeAt(page, i);
      if (!at) return DamagedPage(number);
      const ConstBytes key = page.subspan(*at + kNodeHeader, At<uint16_t>(page, *at + 6));
      // The first key is not looked at.
      if (i > 0 && !Follows(key, before)) return DamagedPage(number);
      const uint64_t child = uint64_t{At<uint16_t>(page, *at)} |
                             (uint64_t{At<uint16_t>(page, *at + 2)} << 16) |
                             (uint64_t{At<uint16_t>(page, *at + 4)} << 32);
      TIDEMARK_RETURN_IF_ERROR(WalkPage(child, levels - 1, values, seen));
    }
    return OkStatus();
  }

  Status WalkLeaf(uint64_t number, ConstBytes page, size_t count, bool values, Tree& seen) {
    std::optional<ConstBytes> before;
    for (size_t i = 0; i < count; ++i) {
      const auto at = NodeAt(page, i);
      if (!at) return DamagedPage(number);
      const size_t key_size = At<uint16_t>(page, *at + 6);
      const ConstBytes key = page.subspan(*at + kNodeHeader, key_size);
      const auto flags = At<uint16_t>(page, *at + 4);
      const size_t size =
          size_t{At<uint16_t>(page, *at)} | (size_t{At<uint16_t>(page, *at + 2)} << 16);
      const size_t begin = *at + kNodeHeader + key_size;
      const size_t stored = (flags & kBigData) != 0 ? sizeof(uint64_t) : size;
      if (!Follows(key, before) || begin + stored > page.size() || (values && flags != 0)) {
        return DamagedPage(number);
      }
      const ConstBytes data = page.subspan(begin, stored);
      if ((flags & kBigData) == 0) {
        TIDEMARK_RETURN_IF_ERROR(WalkValue(number, data, flags, seen));
      } else if (flags == kBigData) {
        TIDEMARK_RETURN_IF_ERROR(WalkOverflow(At<uint64_t>(data, 0), size, seen));
      } else {
        return DamagedPage(number);
      }
    }
    return OkStatus();
  }

  Status WalkValue(uint64_t number, ConstBytes data, uint16_t flags, Tree& seen) {
    switch (flags) {
      case 0: ++seen.entries; return in_free_ ? TakeFree(number, data) : OkStatus();
      case kSubTree:                // a table
      case kSubTree | kDuplicates:  // many values of one key
      {
        if (data.size() != kTreeBytes) return DamagedPage(number);
        const Tree tree = Tree::From(data);
        seen.entries += flags == kSubTree ? 1 : tree.entries;
        const bool is_empty = tree.root == kNoPage;
        if (is_empty != (tree.depth == 0)) return DamagedPage(number);
        return WalkTree(tree, flags != kSubTree);
      }
      case kDuplicates: {  // few
        if (data.size() < kPageHeader) return DamagedPage(number);
        const size_t lower = At<uint16_t>(data, 12);
        const size_t count = lower < kPageHeader ? 0 : (lower - kPageHeader) / 2;
        seen.entries += count;
        if ((At<uint16_t>(data, 10) | kDirty) != (kLeaf | kLeafOfValues | kSubPage | kDirty) ||
            count == 0 || lower % 2 != 0 || At<uint16_t>(data, 14) > data.size() ||
            !IsSorted(data, count, At<uint16_t>(data, 8))) {
          return DamagedPage(number);
        }
        return OkStatus();
      }
      default: return DamagedPage(number);
    }
  }

  Status WalkOverflow(uint64_t first, size_t size, Tree& seen) {
    if (first > meta_.last_page) return DamagedPage(first);
    const uint64_t pages = (kPageHeader + size + meta_.page_bytes - 1) / meta_.page_bytes;
    std::vector<std::byte> bytes(kPageHeader + size);
    TIDEMARK_ASSIGN_OR_RETURN(const size_t got, file_->ReadAt(first * meta_.page_bytes, bytes));
    if (got != bytes.size() || At<uint64_t>(bytes, 0) != first ||
        At<uint16_t>(bytes, 10) != kOverflow || At<uint32_t>(bytes, 12) != pages) {
      return DamagedPage(first);
    }
    for (uint64_t i = 0; i < pages; ++i) TIDEMARK_RETURN_IF_ERROR(Use(first + i));
    seen.pages[2] += pages;
    ++seen.entries;
    return in_free_ ? TakeFree(first, ConstBytes(bytes).subspan(kPageHeader)) : OkStatus();
  }

  // A list of free pages: how many, then their numbers.
  Status TakeFree(uint64_t number, ConstBytes data) {
    if (data.size() < 8 || data.size() % 8 != 0) return DamagedPage(number);
    const auto count = At<uint64_t>(data, 0);
    if (count > data.size() / 8 - 1) return DamagedPage(number);
    for (uint64_t i = 1; i <= count; ++i) free_pages_.push_back(At<uint64_t>(data, 8 * i));
    return OkStatus();
  }

  const std::string path_;
  const std::unique_ptr<File> file_;
  const uint64_t size_;
  Meta meta_;
  bool in_free_ = false;
  std::vector<bool> used_;
  std::vector<uint64_t> free_pages_;
};

}  // namespace

Status CheckIndexMeta(const std::string& path) {
  TIDEMARK_ASSIGN_OR_RETURN(const auto file, IndexFile::Open(path));
  return file == nullptr ? OkStatus() : file->ReadMeta();
}

Status CheckIndexPages(const std::string& path) {
  TIDEMARK_ASSIGN_OR_RETURN(const auto file, IndexFile::Open(path));
  return file == nullptr ? OkStatus() : file->ReadPages();
}

}  // namespace tidemark::internal
