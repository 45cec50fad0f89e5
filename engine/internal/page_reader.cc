#include "engine/internal/page_reader.h"

#include <algorithm>

#include "engine/internal/record.h"

namespace tidemark::internal {
namespace {

Status CheckTrusted(const Timeline& timeline, Lsn lsn) {
  const Lsn damaged_from = timeline.damaged_from();
  if (!damaged_from.valid() || lsn < damaged_from) return OkStatus();
  const Location place = timeline.damage_location();
  return Status(StatusCode::kCorruption,
                "its commits from LSN " + std::to_string(damaged_from.value) +
                    " on are damaged (segment " + std::to_string(place.segment) + ", offset " +
                    std::to_string(place.offset) +
                    "); earlier ones are whole: restore to a bookmark before it");
}

}  // namespace

std::string Describe(PageNo page, const PageVersion& version) {
  return "page " + std::to_string(page.value) + " at LSN " + std::to_string(version.lsn.value) +
         " (segment " + std::to_string(version.location.segment) + ", offset " +
         std::to_string(version.location.offset) + ")";
}

Result<std::optional<PageVersion>> PageReader::Find(const Timeline& timeline, PageNo page,
                                                    Lsn lsn) const {
  for (const Timeline* at = &timeline; at != nullptr; at = at->parent().get()) {
    TIDEMARK_RETURN_IF_ERROR(CheckTrusted(*at, lsn));
    if (auto version = at->FindRecent(page, lsn)) return version;
    auto indexed = index_->FindPageVersion(at->id(), page, lsn);
    if (!indexed.ok()) return indexed.status();
    if (indexed->has_value()) return *indexed;
    lsn = at->row().parent_lsn;
  }
  return std::optional<PageVersion>();
}

Status PageReader::FindRange(const Timeline& timeline, PageNo first, Lsn lsn,
                             std::span<std::optional<PageVersion>> out) const {
  std::fill(out.begin(), out.end(), std::nullopt);
  std::vector<std::optional<PageVersion>> indexed(out.size());
  for (const Timeline* at = &timeline; at != nullptr; at = at->parent().get()) {
    TIDEMARK_RETURN_IF_ERROR(CheckTrusted(*at, lsn));
    bool all_found = true;
    for (size_t i = 0; i < out.size(); ++i) {
      if (!out[i]) {
        out[i] = at->FindRecent(PageNo(first.value + static_cast<uint32_t>(i)), lsn);
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
    patches.push_back({begin + view->length - view->data.size(), view->data.size()});
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
    if (!ApplyPatch(ConstBytes(links).subspan(patch->begin, patch->size), out)) {
      return damaged("a patch does not fit");
    }
  }
  if (PageHash(page, out) != version.hash) return damaged("its hash does not fit");
  return OkStatus();
}

}  // namespace tidemark::internal
