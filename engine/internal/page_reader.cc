#include "engine/internal/page_reader.h"

#include <algorithm>

#include "engine/internal/batched_pages.h"
#include "engine/internal/record.h"

namespace tidemark::internal {

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
      if (!out[i]) out[i] = indexed[i];
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
    out.resize(begin + version.length);
    const Status status = ReadBytes(version.location, Bytes(out).subspan(begin));
    if (status.ok() || timeline == nullptr || !segments_->WasPacked(version.location.segment)) {
      return status;
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
                        Bytes out) const {
  thread_local Buffer bytes;
  bytes.clear();
  PageVersion there = version;
  TIDEMARK_RETURN_IF_ERROR(ReadVersion(timeline, page, there, bytes));
  return Decode(timeline, page, there, bytes, out);
}

Status PageReader::Decode(const Timeline* timeline, PageNo page, const PageVersion& version,
                          ConstBytes bytes, Bytes out) const {
  const auto damaged = [&](const char* what) {
    return Status(StatusCode::kCorruption, Describe(page, version) + " is damaged: " + what);
  };
  // The chain's links, newest first, and where in them the patches lie. The buffers stay, so that
  // nothing is allocated once they have grown.
  struct Patch {
    format::PageForm form;
    size_t begin;
    size_t size;
  };
  thread_local Buffer links;
  thread_local std::vector<Patch> patches;
  links.clear();
  patches.clear();

  auto view = ParsePageVersion(bytes);
  if (view && view->depth > 0) AppendBytes(links, bytes);
  size_t begin = 0;
  // A base that was packed may be nearer to its full image than it was when this was written.
  for (unsigned depth = version.depth;; --depth) {
    if (!view || view->page != page) return damaged("not a version of this page");
    if (view->depth > depth) return damaged("the chain is longer than it says");
    depth = view->depth;
    if (depth == 0) break;
    if (view->base_length > 2 * format::kMaxPageSize) return damaged("a link is too long");
    patches.push_back({view->form, begin + view->length - view->data.size(), view->data.size()});
    begin = links.size();
    PageVersion base;
    base.lsn = view->base_lsn;
    base.location = view->base;
    base.length = view->base_length;
    TIDEMARK_RETURN_IF_ERROR(ReadVersion(timeline, page, base, links));
    view = ParsePageVersion(ConstBytes(links).subspan(begin));
  }
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
  for (auto patch = patches.rbegin(); patch != patches.rend(); ++patch) {
    if (!ApplyPatch(patch->form, ConstBytes(links).subspan(patch->begin, patch->size), out)) {
      return damaged("a patch does not fit");
    }
  }
  if (PageHash(page, out) != version.hash) return damaged("its hash does not fit");
  return OkStatus();
}

}  // namespace tidemark::internal
