#include "engine/internal/page_reader.h"

#include <algorithm>
#include <array>

#include "engine/internal/batched_pages.h"
#include "engine/internal/history_block.h"
#include "engine/internal/record.h"

namespace tidemark::internal {

namespace {

// A chain's link that is a patch, and where in the links' bytes its data lies.
struct Patch {
  format::PageForm form;
  size_t begin;
  size_t size;
};

// What decoding needs. It stays, so that nothing is allocated once it has grown. A version in the
// log may build on a block, and that on others.
struct Workspace {
  Buffer bytes;  // of the version itself
  Buffer links;  // of a chain's links, newest first
  std::vector<Patch> patches;
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
  for (const Timeline* at = &timeline; at != nullptr; at = at->parent().get()) {
    TIDEMARK_RETURN_IF_ERROR(at->CheckTrusted(lsn));
    TIDEMARK_ASSIGN_OR_RETURN(auto version, FindOwn(*at, page, lsn));
    if (version && version->is_block()) version->lsn = lsn;
    if (version) return version;
    lsn = std::min(lsn, at->row().parent_lsn);
  }
  return std::optional<PageVersion>();
}

Status PageReader::FindRange(const Timeline& timeline, PageNo first, Lsn lsn,
                             std::span<std::optional<PageVersion>> out) const {
  TIDEMARK_RETURN_IF_ERROR(queue_->broken());  // closed: there is no index
  std::fill(out.begin(), out.end(), std::nullopt);
  std::vector<std::optional<PageVersion>> indexed(out.size());
  for (const Timeline* at = &timeline; at != nullptr; at = at->parent().get()) {
    TIDEMARK_RETURN_IF_ERROR(at->CheckTrusted(lsn));
    bool all_found = true;
    for (size_t i = 0; i < out.size(); ++i) {
      if (!out[i]) {
        const PageNo page(first.value + static_cast<uint32_t>(i));
        TIDEMARK_ASSIGN_OR_RETURN(out[i], FindRecent(*at, page, lsn));
      }
      all_found = all_found && out[i].has_value();
    }
    if (all_found) break;
    TIDEMARK_RETURN_IF_ERROR(index_->FindPageVersions(at->id(), first, lsn, indexed));
    for (size_t i = 0; i < out.size(); ++i) {
      if (out[i]) continue;
      out[i] = indexed[i];
      if (out[i] && out[i]->is_block()) out[i]->lsn = lsn;
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
    TIDEMARK_ASSIGN_OR_RETURN(const auto found, Find(*timeline, page, version.lsn));
    if (!found || found->lsn != version.lsn || found->location == version.location) {
      return Status(StatusCode::kCorruption,
                    Describe(page, version) + " was packed, and the index does not say where to");
    }
    version = *found;
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

Result<uint64_t> PageReader::HashOf(const Timeline& timeline, PageNo page,
                                    const PageVersion& version, uint32_t page_size) const {
  if (!version.is_block()) return version.hash;
  Buffer image(page_size);
  PageIdentity identity;
  TIDEMARK_RETURN_IF_ERROR(Read(&timeline, page, version, image, &identity));
  return identity.hash;
}

Status PageReader::Decode(const Timeline* timeline, PageNo page, const PageVersion& version,
                          ConstBytes bytes, Bytes out) const {
  PageIdentity identity;
  return DecodeAt(timeline, page, version, bytes, out, &identity, 0);
}

Status PageReader::ReadAt(const Timeline* timeline, PageNo page, const PageVersion& version,
                          Bytes out, PageIdentity* identity, size_t level) const {
  if (level == kMostLevels) return Damaged(page, version, "it needs too many blocks");
  Buffer& bytes = workspaces[level].bytes;
  bytes.clear();
  PageVersion there = version;
  TIDEMARK_RETURN_IF_ERROR(ReadVersion(timeline, page, there, bytes));
  PageIdentity found;
  TIDEMARK_RETURN_IF_ERROR(DecodeAt(timeline, page, there, bytes, out, &found, level));
  if (identity != nullptr) *identity = found;
  return CheckMoved(page, version, there, found);
}

// A version that was found as a block, because it was packed since it was looked up.
Status PageReader::CheckMoved(PageNo page, const PageVersion& version, const PageVersion& there,
                              const PageIdentity& found) {
  if (version.is_block() || !there.is_block() ||
      (found.lsn == version.lsn && found.hash == version.hash)) {
    return OkStatus();
  }
  return Damaged(page, version, "where it was packed to stands another version");
}

Status PageReader::DecodeAt(const Timeline* timeline, PageNo page, const PageVersion& version,
                            ConstBytes bytes, Bytes out, PageIdentity* identity,
                            size_t level) const {
  Lsn lsn = version.lsn;
  Status status = version.is_block() ? DecodeBlock(timeline, page, version, bytes, out, &lsn, level)
                                     : DecodeChain(timeline, page, version, bytes, out,
                                                   Bases::kWhereTheyWere, level);
  // What it builds on may have gone since it was looked up, when it was packed, or only a link of
  // its chain was. (Its own file may be there still: the index changes first.) While the index does
  // not change, what a version that stands in it builds on stands in it, too.
  while (status.code() == StatusCode::kCorruption && timeline != nullptr) {
    const auto moved = Find(*timeline, page, version.lsn);
    if (!moved.ok() || !*moved) return status;
    if ((*moved)->is_block() && (*moved)->location != version.location) {
      TIDEMARK_RETURN_IF_ERROR(ReadAt(timeline, page, **moved, out, identity, level + 1));
      return CheckMoved(page, version, **moved, *identity);
    }
    if (version.is_block()) return status;
    const uint64_t change = index_->LastChange();
    status = DecodeChain(timeline, page, version, bytes, out, Bases::kWhereTheyAre, level);
    if (index_->LastChange() == change) break;
  }
  TIDEMARK_RETURN_IF_ERROR(status);
  *identity = {lsn, version.is_block() ? PageHash(page, out) : version.hash};
  return OkStatus();
}

Status PageReader::DecodeBlock(const Timeline* timeline, PageNo page, const PageVersion& block,
                               ConstBytes bytes, Bytes out, Lsn* lsn, size_t level) const {
  HistoryBlock& history = workspaces[level].block;
  if (!history.Parse(page, bytes, block.hash)) return Damaged(page, block, "its block");
  const size_t count = history.CountUpTo(block.lsn);
  if (count == 0) return Damaged(page, block, "the block is younger");
  size_t first = count - 1;
  while (first > 0 && history.IsPatch(first)) --first;
  if (history.IsPatch(first)) {
    const Lsn base_lsn = history.base_lsn();
    if (timeline == nullptr) return Damaged(page, block, "its block has no timeline");
    TIDEMARK_ASSIGN_OR_RETURN(const auto base, Find(*timeline, page, base_lsn));
    if (!base) return Damaged(page, block, "what its block builds on is missing");
    PageIdentity identity;
    TIDEMARK_RETURN_IF_ERROR(ReadAt(timeline, page, *base, out, &identity, level + 1));
    if (identity.lsn != base_lsn) return Damaged(page, block, "what it builds on is missing");
  }
  for (size_t i = first; i < count; ++i) {
    if (!history.Apply(i, out)) return Damaged(page, block, "a version in its block does not fit");
  }
  *lsn = history.versions()[count - 1].lsn;
  return OkStatus();
}

Status PageReader::DecodeChain(const Timeline* timeline, PageNo page, const PageVersion& version,
                               ConstBytes bytes, Bytes out, Bases bases, size_t level) const {
  const auto damaged = [&](const char* what) { return Damaged(page, version, what); };
  Buffer& links = workspaces[level].links;
  std::vector<Patch>& patches = workspaces[level].patches;
  links.clear();
  patches.clear();

  auto view = ParsePageVersion(bytes);
  if (view && view->depth > 0) AppendBytes(links, bytes);
  size_t begin = 0;
  bool on_block = false;
  // A base that was packed may be nearer to its full image than it was when this was written.
  for (unsigned depth = version.depth; !on_block; --depth) {
    if (!view || view->page != page) return damaged("not a version of this page");
    if (view->depth > depth) return damaged("the chain is longer than it says");
    depth = view->depth;
    if (depth == 0) break;
    if (view->base_length > 2 * format::kMaxPageSize) return damaged("a link is too long");
    patches.push_back({view->form, begin + view->length - view->data.size(), view->data.size()});
    begin = links.size();
    const Lsn base_lsn = view->base_lsn;
    PageVersion base;
    base.lsn = base_lsn;
    base.location = view->base;
    base.length = view->base_length;
    if (bases == Bases::kWhereTheyAre) {
      TIDEMARK_ASSIGN_OR_RETURN(const auto now, Find(*timeline, page, base_lsn));
      if (now && now->lsn == base_lsn) base = *now;
    }
    TIDEMARK_RETURN_IF_ERROR(ReadVersion(timeline, page, base, links));
    on_block = base.is_block();
    if (on_block) {
      Lsn lsn;
      TIDEMARK_RETURN_IF_ERROR(
          DecodeBlock(timeline, page, base, ConstBytes(links).subspan(begin), out, &lsn, level));
      if (lsn != base_lsn) return damaged("what it builds on is missing");
    } else {
      view = ParsePageVersion(ConstBytes(links).subspan(begin));
    }
  }
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
  for (auto patch = patches.rbegin(); patch != patches.rend(); ++patch) {
    if (!ApplyPatch(patch->form, ConstBytes(links).subspan(patch->begin, patch->size), out)) {
      return damaged("a patch does not fit");
    }
  }
  if (PageHash(page, out) != version.hash) return damaged("its hash does not fit");
  return OkStatus();
}

}  // namespace tidemark::internal
