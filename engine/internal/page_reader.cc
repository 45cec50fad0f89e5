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
  TIDEMARK_ASSIGN_OR_RETURN(auto version, recent.large->pages->Find(*this, page));
  if (version) version->lsn = recent.large->lsn;
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
    lsn = at->row().parent_lsn;
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
    lsn = at->row().parent_lsn;
  }
  return OkStatus();
}

bool PageReader::ReadStretch(Location location, Bytes out) const {
  const Location end{location.segment, location.offset + static_cast<uint32_t>(out.size())};
  return queue_->IsWritten(end) && segments_->Read(location, out).ok();
}

Status PageReader::ReadBytes(Location location, Bytes out) const {
  if (queue_->ReadPending(location, out)) return OkStatus();
  return segments_->Read(location, out);
}

Result<uint64_t> PageReader::IncarnationOf(uint32_t segment) const {
  TIDEMARK_ASSIGN_OR_RETURN(const auto open, segments_->Get(segment));
  return open->incarnation;
}

Status PageReader::Read(PageNo page, const PageVersion& version, Bytes out) const {
  thread_local Buffer bytes;
  bytes.resize(version.length);
  TIDEMARK_RETURN_IF_ERROR(ReadBytes(version.location, bytes));
  return Decode(page, version, bytes, out);
}

Status PageReader::Decode(PageNo page, const PageVersion& version, ConstBytes bytes,
                          Bytes out) const {
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
  for (unsigned depth = version.depth;; --depth) {
    if (!view || view->page != page) return damaged("not a version of this page");
    if (view->depth != depth) return damaged("the chain has another length");
    if (depth == 0) break;
    if (view->base_length > 2 * format::kMaxPageSize) return damaged("a link is too long");
    patches.push_back({view->form, begin + view->length - view->data.size(), view->data.size()});
    begin = links.size();
    links.resize(begin + view->base_length);
    const Bytes base = Bytes(links).subspan(begin);
    TIDEMARK_RETURN_IF_ERROR(ReadBytes(view->base, base));
    view = ParsePageVersion(base);
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
