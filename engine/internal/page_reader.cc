#include "engine/internal/page_reader.h"

#include <algorithm>
#include <array>

#include "engine/internal/batched_pages.h"
#include "engine/internal/history_block.h"
#include "engine/internal/record.h"

namespace tidemark::internal {

namespace {

// A chain's link that is a patch: where in the links' bytes its data lies, and what a row would say
// of it; of the first link all but its LSN is known from its row.
struct Patch {
  format::PageForm form;
  size_t begin;
  size_t size;
  PageVersion version;
};

// What decoding needs. It stays, so that nothing is allocated once it has grown. A version in the
// log may build on a block, and that on others.
struct Workspace {
  Buffer bytes;  // of the version itself
  Buffer links;  // of a chain's links, newest first
  std::vector<Patch> patches;
  Buffer later;  // what versions behind the one wanted are applied to
  HistoryBlock block;
};
constexpr size_t kMostLevels = 16;
thread_local std::array<Workspace, kMostLevels> workspaces;

Status Damaged(PageNo page, const PageVersion& version, const char* what) {
  return Status(StatusCode::kCorruption, Describe(page, version) + " is damaged: " + what);
}

}  // namespace

std::string Describe(PageNo page, const PageVersion& version) {
  return "page " + std::to_string(page.value) + " at LSN " + std::to_string(version.lsn.value) +
         " (segment " + std::to_string(version.location.segment) + ", offset " +
         std::to_string(version.location.offset) + ")";
}

Result<std::optional<PageVersion>> PageReader::FindRecent(const Timeline& timeline, PageNo page,
                                                          Lsn lsn) const {
  RecentPage recent = timeline.FindRecent(page, lsn);
  if (!recent.large) return std::move(recent.version);
  auto version = recent.large->pages->Find(*this, page);
  if (!version.ok()) {
    // Indexed and packed since it was looked up?
    recent = timeline.FindRecent(page, lsn);
    return recent.large ? std::move(version) : std::move(recent.version);
  }
  if (*version) (*version)->lsn = recent.large->lsn;
  return version;
}

Result<std::optional<PageVersion>> PageReader::FindOwn(const Timeline& timeline, PageNo page,
                                                       Lsn lsn) const {
  TIDEMARK_RETURN_IF_ERROR(queue_->broken());  // closed: there is no index
  TIDEMARK_ASSIGN_OR_RETURN(auto version, FindRecent(timeline, page, lsn));
  if (version) return version;
  return index_->FindPageVersion(timeline.id(), page, lsn);
}

Result<std::optional<PageVersion>> PageReader::Find(const Timeline& timeline, PageNo page,
                                                    Lsn lsn) const {
  std::optional<PageVersion> version;
  size_t depth = 0;
  bool may_have = true;
  for (const Timeline* at = &timeline; at != nullptr; at = at->parent().get(), ++depth) {
    TIDEMARK_RETURN_IF_ERROR(at->CheckTrusted(lsn));
    if (may_have) {
      TIDEMARK_ASSIGN_OR_RETURN(version, FindOwn(*at, page, lsn));
    }
    if (version && version->is_indirect()) version->lsn = lsn;
    if (version) break;
    lsn = std::min(lsn, at->row().parent_lsn);
    may_have = at->MayInherit(page);
  }
  NoteDepth(timeline, depth);
  return version;
}

void PageReader::NoteDepth(const Timeline& timeline, size_t depth) const {
  constexpr size_t kDeep = 8;
  if (depth <= kDeep) return;
  const Timeline* child = &timeline;
  for (; depth > 0 && child->parent() != nullptr; --depth, child = child->parent().get()) {
    const Lsn lsn = child->row().parent_lsn;
    if (!child->NoteDeepLook()) continue;
    // Only if all of it is in the index: then none of it comes in any more. What fails costs speed.
    if (child->parent()->FindRecentCommit(lsn)) continue;
    auto pages = index_->ListPages(child->parent()->id());
    if (pages.ok()) child->SetInherited(std::make_unique<const PageSet>(*std::move(pages)));
  }
}

// A row behind it may be of a chain that ends in that block: so the row at or before `lsn` counts.
Result<PageVersion> PageReader::FindBlock(const Timeline& timeline, PageNo page, Lsn lsn) const {
  TIDEMARK_RETURN_IF_ERROR(queue_->broken());  // closed: there is no index
  for (const Timeline* at = &timeline; at != nullptr; at = at->parent().get()) {
    TIDEMARK_RETURN_IF_ERROR(at->CheckTrusted(lsn));
    TIDEMARK_ASSIGN_OR_RETURN(auto row, index_->FindPageRow(at->id(), page, lsn));
    if (row && !row->is_block()) break;
    if (row) {
      row->lsn = lsn;
      return *row;
    }
    lsn = std::min(lsn, at->row().parent_lsn);
  }
  return Status(StatusCode::kCorruption, "page " + std::to_string(page.value) + " at LSN " +
                                             std::to_string(lsn.value) +
                                             " was packed, and the index does not say where to");
}

Status PageReader::FindRange(const Timeline& timeline, PageNo first, Lsn lsn,
                             std::span<std::optional<PageVersion>> out) const {
  TIDEMARK_RETURN_IF_ERROR(queue_->broken());  // closed: there is no index
  std::fill(out.begin(), out.end(), std::nullopt);
  std::vector<std::optional<PageVersion>> indexed(out.size());
  const Timeline* child = nullptr;
  const auto page_of = [first](size_t i) { return PageNo(first.value + static_cast<uint32_t>(i)); };
  for (const Timeline* at = &timeline; at != nullptr; child = at, at = at->parent().get()) {
    TIDEMARK_RETURN_IF_ERROR(at->CheckTrusted(lsn));
    bool all_found = true;
    bool may_have = false;
    for (size_t i = 0; i < out.size(); ++i) {
      if (!out[i] && (child == nullptr || child->MayInherit(page_of(i)))) {
        TIDEMARK_ASSIGN_OR_RETURN(out[i], FindRecent(*at, page_of(i), lsn));
        may_have = may_have || !out[i];
      }
      all_found = all_found && out[i].has_value();
    }
    if (all_found) break;
    if (may_have) {
      TIDEMARK_RETURN_IF_ERROR(index_->FindPageVersions(at->id(), first, lsn, indexed));
      for (size_t i = 0; i < out.size(); ++i) {
        if (out[i]) continue;
        out[i] = indexed[i];
        if (out[i] && out[i]->is_indirect()) out[i]->lsn = lsn;
      }
    }
    lsn = std::min(lsn, at->row().parent_lsn);
  }
  return OkStatus();
}

bool PageReader::ReadStretch(Location location, Bytes out) const {
  const Location end{location.segment, location.offset + static_cast<uint32_t>(out.size())};
  return (format::IsPacked(location.segment) || queue_->IsWritten(end)) &&
         segments_->Read(location, out).ok();
}

Status PageReader::ReadBytes(Location location, Bytes out) const {
  if (!format::IsPacked(location.segment) && queue_->ReadPending(location, out)) return OkStatus();
  return segments_->Read(location, out);
}

Status PageReader::ReadVersion(const Timeline* timeline, PageNo page, PageVersion& version,
                               Buffer& out) const {
  const size_t begin = out.size();
  while (true) {
    Status status = OkStatus();
    if (version.location.segment != 0) {
      out.resize(begin + version.length);
      status = ReadBytes(version.location, Bytes(out).subspan(begin));
      if (status.ok() || timeline == nullptr || !WasPacked(version.location.segment)) return status;
    } else if (timeline == nullptr) {
      return Damaged(page, version, "its base has no place");
    }
    TIDEMARK_ASSIGN_OR_RETURN(const PageVersion found, FindBlock(*timeline, page, version.lsn));
    if (found.location == version.location) return status;
    version = found;
  }
}

Result<uint64_t> PageReader::IncarnationOf(uint32_t segment) const {
  TIDEMARK_ASSIGN_OR_RETURN(const auto open, segments_->Get(segment));
  return open->incarnation;
}

Status PageReader::Read(const Timeline* timeline, PageNo page, const PageVersion& version,
                        Bytes out, PageIdentity* identity) const {
  return ReadAt(timeline, page, version, out, identity, 0);
}

Result<std::optional<Lsn>> PageReader::ReadCached(const Timeline& timeline, PageNo page, Lsn lsn,
                                                  Bytes out) const {
  const auto written = cache_->Read(timeline.id(), page, lsn, out);
  if (!written) return written;
  // What Find asks of each timeline down to the one that wrote it.
  for (const Timeline* at = &timeline; at != nullptr; at = at->parent().get()) {
    TIDEMARK_RETURN_IF_ERROR(at->CheckTrusted(lsn));
    lsn = std::min(lsn, at->row().parent_lsn);
    if (*written > lsn) break;
  }
  return written;
}

Status PageReader::ReadAndKeep(const Timeline& timeline, PageNo page, Lsn lsn,
                               const PageVersion& version, Bytes out,
                               PageIdentity* identity) const {
  if (!version.is_indirect() && cache_->ReadVersion(timeline.id(), page, version.lsn, lsn, out)) {
    return OkStatus();
  }
  PageIdentity found;
  TIDEMARK_RETURN_IF_ERROR(Read(&timeline, page, version, out, &found));
  if (found.lsn.valid() && found.lsn <= lsn) {
    cache_->Put(timeline.id(), page, found.lsn, lsn, out);
  }
  if (identity != nullptr) *identity = found;
  return OkStatus();
}

Result<uint64_t> PageReader::HashOf(const Timeline& timeline, PageNo page,
                                    const PageVersion& version, uint32_t page_size) const {
  if (!version.is_indirect()) return version.hash;
  Buffer image(page_size);
  PageIdentity identity;
  TIDEMARK_RETURN_IF_ERROR(Read(&timeline, page, version, image, &identity));
  return identity.hash;
}

Status PageReader::Decode(const Timeline* timeline, PageNo page, const PageVersion& version,
                          ConstBytes bytes, Bytes out, PageIdentity* identity) const {
  const Status status = DecodeAt(timeline, page, version, bytes, out, identity, 0);
  if (status.ok()) return status;
  return ReadBySearch(status, timeline, page, version, out, identity, 0);
}

Status PageReader::ReadAt(const Timeline* timeline, PageNo page, const PageVersion& version,
                          Bytes out, PageIdentity* identity, size_t level) const {
  if (level == kMostLevels) return Damaged(page, version, "it needs too many blocks");
  Buffer& bytes = workspaces[level].bytes;
  bytes.clear();
  PageVersion there = version;
  PageIdentity found;
  Status status = ReadVersion(timeline, page, there, bytes);
  if (status.ok()) status = DecodeAt(timeline, page, there, bytes, out, &found, level);
  if (!status.ok()) status = ReadBySearch(status, timeline, page, version, out, &found, level);
  TIDEMARK_RETURN_IF_ERROR(status);
  if (identity != nullptr) *identity = found;
  return CheckMoved(page, version, there, found);
}

// A version that was found as a block, because it was packed since it was looked up.
Status PageReader::CheckMoved(PageNo page, const PageVersion& version, const PageVersion& there,
                              const PageIdentity& found) {
  if (version.is_indirect() || !there.is_block() ||
      (found.lsn == version.lsn && found.hash == version.hash)) {
    return OkStatus();
  }
  return Damaged(page, version, "where it was packed to stands another version");
}

Status PageReader::DecodeAt(const Timeline* timeline, PageNo page, const PageVersion& version,
                            ConstBytes bytes, Bytes out, PageIdentity* identity,
                            size_t level) const {
  Status status;
  if (version.is_block()) {
    Lsn lsn = version.lsn;
    status = DecodeBlock(timeline, page, version, bytes, out, &lsn, level);
    if (status.ok()) *identity = {lsn, PageHash(page, out), std::nullopt};
  } else {
    status =
        DecodeChain(timeline, page, version, bytes, out, identity, Bases::kWhereTheyWere, level);
  }
  // What it builds on may have gone since it was looked up, when it was packed, or only a link of
  // its chain was. (Its own file may be there still: the index changes first.) While the index does
  // not change, what a version that stands in it builds on stands in it, too.
  while (status.code() == StatusCode::kCorruption && timeline != nullptr) {
    const uint64_t change = index_->LastChange();
    if (version.is_indirect()) {
      TIDEMARK_ASSIGN_OR_RETURN(const auto moved, Find(*timeline, page, version.lsn));
      if (!moved) return status;
      if (moved->location != version.location) {
        return ReadAt(timeline, page, *moved, out, identity, level + 1);
      }
      if (version.is_block()) return status;
    } else if (const auto moved = FindBlock(*timeline, page, version.lsn);
               moved.ok() && moved->location != version.location) {
      // Of the block only this very version counts: it may have none, and the log still have it.
      const Status there = ReadAt(timeline, page, *moved, out, identity, level + 1);
      if (there.ok() && CheckMoved(page, version, *moved, *identity).ok()) return there;
    }
    status =
        DecodeChain(timeline, page, version, bytes, out, identity, Bases::kWhereTheyAre, level);
    if (index_->LastChange() == change) break;
  }
  return status;
}

Status PageReader::LoadBlock(PageNo page, const PageVersion& row, ConstBytes bytes,
                             HistoryBlock& block) const {
  if (!block.Parse(page, bytes, row.hash)) return Damaged(page, row, "its block");
  std::shared_ptr<const Dictionary> dictionary;
  if (block.dictionary()) {
    TIDEMARK_ASSIGN_OR_RETURN(dictionary,
                              FindDictionary(row.location.segment, *block.dictionary()));
    if (dictionary == nullptr) return Damaged(page, row, "the dictionary of its block");
  }
  return block.Decompress(dictionary.get()) ? OkStatus()
                                            : Damaged(page, row, "its block is not decompressed");
}

// Null if it is damaged.
Result<std::shared_ptr<const Dictionary>> PageReader::FindDictionary(
    uint32_t segment, const DictionaryPlace& place) const {
  const Location location{segment, place.offset};
  return dictionaries_.Find(location, [&]() -> Result<std::shared_ptr<const Dictionary>> {
    if (place.length > CompressionDictionary::kMostBytes) {
      return std::shared_ptr<const Dictionary>();
    }
    Buffer bytes(place.length);
    TIDEMARK_RETURN_IF_ERROR(ReadBytes(location, bytes));
    return Dictionary::Parse(bytes);
  });
}

Status PageReader::DecodeBlock(const Timeline* timeline, PageNo page, const PageVersion& block,
                               ConstBytes bytes, Bytes out, Lsn* lsn, size_t level) const {
  HistoryBlock& history = workspaces[level].block;
  TIDEMARK_RETURN_IF_ERROR(LoadBlock(page, block, bytes, history));
  const size_t count = history.CountUpTo(block.lsn);
  if (count == 0) return Damaged(page, block, "the block is younger");
  size_t first = count - 1;
  while (first > 0 && history.IsPatch(first)) --first;
  if (history.IsPatch(first)) {
    const Lsn base_lsn = history.base_lsn();
    if (timeline == nullptr) return Damaged(page, block, "its block has no timeline");
    TIDEMARK_ASSIGN_OR_RETURN(const PageVersion base, FindBlock(*timeline, page, base_lsn));
    PageIdentity identity;
    TIDEMARK_RETURN_IF_ERROR(ReadAt(timeline, page, base, out, &identity, level + 1));
    if (identity.lsn != base_lsn) return Damaged(page, block, "what it builds on is missing");
  }
  for (size_t i = first; i < count; ++i) {
    if (!history.Apply(i, out)) return Damaged(page, block, "a version in its block does not fit");
  }
  *lsn = history.versions()[count - 1].lsn;
  return OkStatus();
}

Status PageReader::DecodeChain(const Timeline* timeline, PageNo page, const PageVersion& version,
                               ConstBytes bytes, Bytes out, PageIdentity* identity, Bases bases,
                               size_t level) const {
  const auto damaged = [&](const char* what) { return Damaged(page, version, what); };
  Workspace& space = workspaces[level];
  Buffer& links = space.links;
  std::vector<Patch>& patches = space.patches;
  links.clear();
  patches.clear();

  auto view = ParsePageVersion(bytes);
  if (view && view->depth > 0) AppendBytes(links, bytes);
  size_t begin = 0;
  bool on_block = false;
  PageVersion link = version;
  if (version.in_chain) link.lsn = Lsn(UINT64_MAX);  // later than the one wanted
  // A base that was packed may be nearer to its full image than it was when this was written.
  for (unsigned depth = version.depth; !on_block; --depth) {
    if (!view || view->page != page) return damaged("not a version of this page");
    if (view->depth > depth) return damaged("the chain is longer than it says");
    depth = view->depth;
    link.hash = view->hash;
    link.depth = view->depth;
    link.chain_units = view->chain_units;
    if (depth == 0) break;
    if (view->base_length > 2 * format::kMaxPageSize) return damaged("a link is too long");
    patches.push_back(
        {view->form, begin + view->length - view->data.size(), view->data.size(), link});
    begin = links.size();
    const Lsn base_lsn = view->base_lsn;
    PageVersion base;
    base.lsn = base_lsn;
    base.location = view->base;
    base.length = view->base_length;
    if (bases == Bases::kWhereTheyAre) {
      const auto block = FindBlock(*timeline, page, base_lsn);
      PageIdentity found;
      if (block.ok() && ReadAt(timeline, page, *block, out, &found, level + 1).ok() &&
          found.lsn == base_lsn) {
        base = *block;
      }
    }
    TIDEMARK_RETURN_IF_ERROR(ReadVersion(timeline, page, base, links));
    on_block = base.is_block();
    if (on_block && version.in_chain && base_lsn > version.lsn) {
      // The one wanted was packed, too.
      TIDEMARK_ASSIGN_OR_RETURN(const PageVersion block, FindBlock(*timeline, page, version.lsn));
      return ReadAt(timeline, page, block, out, identity, level + 1);
    }
    if (on_block) {
      Lsn lsn;
      TIDEMARK_RETURN_IF_ERROR(
          DecodeBlock(timeline, page, base, ConstBytes(links).subspan(begin), out, &lsn, level));
      if (lsn != base_lsn) return damaged("what it builds on is missing");
    } else {
      view = ParsePageVersion(ConstBytes(links).subspan(begin));
    }
    link = base;
  }
  if (version.in_chain && link.lsn > version.lsn) return damaged("what it builds on is missing");
  if (!on_block) {
    switch (view->form) {
      case format::PageForm::kZero: std::fill(out.begin(), out.end(), std::byte{0}); break;
      case format::PageForm::kRaw:
        if (view->data.size() != out.size()) return damaged("an image of another size");
        std::copy(view->data.begin(), view->data.end(), out.begin());
        break;
      case format::PageForm::kZstd:
        if (!DecompressPage(view->data, out)) return damaged("its image cannot be decompressed");
        break;
      default: return damaged("a form of page version that is not in use");
    }
  }
  Bytes target = out;
  for (auto patch = patches.rbegin(); patch != patches.rend(); ++patch) {
    if (version.in_chain && target.data() == out.data() && patch->version.lsn > version.lsn) {
      space.later.assign(out.begin(), out.end());
      target = space.later;
    }
    if (!ApplyPatch(patch->form, ConstBytes(links).subspan(patch->begin, patch->size), target)) {
      return damaged("a patch does not fit");
    }
    if (target.data() == out.data()) link = patch->version;
  }
  if (PageHash(page, target) != version.hash) return damaged("its hash does not fit");
  *identity = {link.lsn, version.hash, version};
  if (!version.in_chain) return OkStatus();
  identity->version.reset();
  identity->hash = PageHash(page, out);
  if (link.is_block()) return OkStatus();
  if (link.hash != identity->hash) return damaged("it builds on another page");
  identity->version = link;
  return OkStatus();
}

}  // namespace tidemark::internal
