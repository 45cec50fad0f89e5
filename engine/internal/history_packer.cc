#include "engine/internal/history_packer.h"

#include <algorithm>
#include <string>
#include <utility>

#include "engine/internal/record.h"

namespace tidemark::internal {
namespace {

constexpr Lsn kEndOfTime(UINT64_MAX);

// What a version takes in the log beside its data, and in a block, about.
constexpr uint64_t kLogOverhead = 24;
constexpr uint64_t kVersionOverhead = 4;
constexpr uint64_t kBlockOverhead = 24;

}  // namespace

Status HistoryPacker::Damaged(const PackedPiece& piece) const {
  return Status(StatusCode::kCorruption,
                Describe(piece.page, piece.version) + " is damaged: " + kNotPacked);
}

HistoryPacker::End HistoryPacker::EndOf(const PageRows& rows) {
  const auto& next = rows.behind;
  if (!next) return {.lsn = kEndOfTime};
  // A large commit's, ahead of others that may build on this page.
  if (!rows.checkpoint || next->lsn > *rows.checkpoint) {
    return {.lsn = kEndOfTime, .needs_base = true};
  }
  return {.lsn = next->lsn,
          .needs_base = next->is_block() ? next->chain_units > 0 : next->depth > 0,
          .is_block = next->is_block()};
}

Status HistoryPacker::LoadBlock(const PackedPiece& piece) {
  block_bytes_.resize(piece.version.length);
  TIDEMARK_RETURN_IF_ERROR(reader_.ReadBytes(piece.version.location, block_bytes_));
  const Status loaded = reader_.LoadBlock(piece.page, piece.version, block_bytes_, block_);
  return loaded.code() == StatusCode::kCorruption ? Damaged(piece) : loaded;
}

Result<ConstBytes> HistoryPacker::BytesOf(const PackedPiece& piece) {
  const PageVersion& version = piece.version;
  if (piece.held_at != PackedPiece::kNotHeld) {
    return ConstBytes(held_).subspan(piece.held_at, version.length);
  }
  bytes_.resize(version.length);
  TIDEMARK_RETURN_IF_ERROR(reader_.ReadBytes(version.location, bytes_));
  return ConstBytes(bytes_);
}

Status HistoryPacker::LoadBase(const Timeline& timeline, const PackedPiece& piece, Lsn lsn) {
  const PageVersion* const row = rows_->RowAt(Lsn(lsn.value - 1));
  if (row != nullptr && row == base_row_) return OkStatus();
  base_row_ = nullptr;
  if (row == nullptr || !row->is_block() || is_input_(row->location.segment)) return OkStatus();
  base_.resize(piece.page_size);
  PageVersion base = *row;
  base.lsn = Lsn(lsn.value - 1);
  PageIdentity identity;
  TIDEMARK_RETURN_IF_ERROR(reader_.Read(&timeline, piece.page, base, base_, &identity));
  base_row_ = row;
  base_lsn_ = identity.lsn;
  return OkStatus();
}

Status HistoryPacker::Step(const Timeline& timeline, const PackedPiece& piece) {
  const PageVersion& version = piece.version;
  TIDEMARK_ASSIGN_OR_RETURN(const ConstBytes bytes, BytesOf(piece));
  const auto view = ParsePageVersion(bytes);
  if (!view || view->page != piece.page || view->length != version.length ||
      view->hash != version.hash) {
    return Damaged(piece);
  }
  if (format::IsPatch(view->form) && !image_lsn_.valid()) {
    TIDEMARK_RETURN_IF_ERROR(LoadBase(timeline, piece, version.lsn));
    if (base_row_ != nullptr) {
      image_ = base_;
      image_lsn_ = base_lsn_;
    }
  }
  const bool at_hand = format::IsPatch(view->form) && image_lsn_.valid() &&
                       view->base_lsn == image_lsn_ && image_.size() == piece.page_size;
  image_.resize(piece.page_size);
  if (at_hand) {
    if (!ApplyPatch(view->form, view->data, image_)) return Damaged(piece);
  } else {
    TIDEMARK_RETURN_IF_ERROR(reader_.Read(&timeline, piece.page, version, image_));
  }
  image_lsn_ = version.lsn;
  hash_ = version.hash;
  return OkStatus();
}

Status HistoryPacker::LoadBlockBase(const Timeline& timeline, const PackedPiece& piece) {
  TIDEMARK_RETURN_IF_ERROR(LoadBase(timeline, piece, block_.versions().front().lsn));
  if (base_row_ != nullptr && base_lsn_ == block_.base_lsn()) {
    image_ = base_;
    return OkStatus();
  }
  TIDEMARK_ASSIGN_OR_RETURN(const PageVersion base,
                            reader_.FindBlock(timeline, piece.page, block_.base_lsn()));
  image_.resize(block_.page_size());
  PageIdentity identity;
  TIDEMARK_RETURN_IF_ERROR(reader_.Read(&timeline, piece.page, base, image_, &identity));
  return identity.lsn == block_.base_lsn() ? OkStatus() : Damaged(piece);
}

Status HistoryPacker::StepBlock(const Timeline& timeline, const PackedPiece& piece, size_t i) {
  const HistoryBlock::Version& version = block_.versions()[i];
  if (i == 0 && block_.IsPatch(0) && image_lsn_ != block_.base_lsn()) {
    TIDEMARK_RETURN_IF_ERROR(LoadBlockBase(timeline, piece));
  }
  image_.resize(block_.page_size());
  if (!block_.Apply(i, image_)) return Damaged(piece);
  image_lsn_ = version.lsn;
  hash_ = PageHash(piece.page, image_);
  return OkStatus();
}

// On what stands before the input, if that is short: so that a page does not need an image in every
// packed segment.
Status HistoryPacker::BeginBlock(const Timeline& timeline, const PackedPiece& piece, Lsn lsn) {
  const auto page_size = static_cast<uint32_t>(image_.size());
  builder_.Begin(piece.page, page_size);
  const PageVersion* const before = rows_->RowAt(Lsn(lsn.value - 1));
  if (before == nullptr || !before->is_block() || before->chain_units >= most_before_ ||
      before->length > 2 * page_size) {
    return OkStatus();
  }
  TIDEMARK_RETURN_IF_ERROR(LoadBase(timeline, piece, lsn));
  if (base_row_ == nullptr) return OkStatus();
  builder_.BeginOn(piece.page, base_lsn_, base_, static_cast<uint8_t>(before->chain_units + 1));
  return OkStatus();
}

Status HistoryPacker::EndBlock(PageNo page) {
  if (builder_.empty()) return OkStatus();
  if (samples_ != nullptr) {
    builder_.EndAsSample(*samples_);
    hashes_.clear();
    return OkStatus();
  }
  Block& block = blocks_->emplace_back();
  block.page = page;
  builder_.End(*out_, block.row);
  TIDEMARK_RETURN_IF_ERROR(Check(block, ConstBytes(*out_).subspan(block.row.location.offset)));
  hashes_.clear();
  return (*on_block_)();
}

Status HistoryPacker::Check(const Block& block, ConstBytes bytes) {
  const auto wrong = [&](const char* what) {
    return Status(StatusCode::kCorruption,
                  Describe(block.page, block.row) + ", packed anew: " + what);
  };
  if (!made_.Parse(block.page, bytes, block.row.hash)) return wrong("it is no block");
  if (made_.dictionary() && *made_.dictionary() != made_dictionary_place_) {
    return wrong("it has another dictionary");
  }
  const Dictionary* const dictionary = made_.dictionary() ? made_dictionary_.get() : nullptr;
  if (!made_.Decompress(dictionary)) return wrong("it is not decompressed");
  if (made_.versions().size() != hashes_.size()) return wrong("versions are missing");
  made_image_.resize(made_.page_size());
  if (made_.base_lsn().valid()) {
    if (base_row_ == nullptr || made_.base_lsn() != base_lsn_) return wrong("it has another base");
    made_image_.assign(base_.begin(), base_.end());
  }
  for (size_t i = 0; i < hashes_.size(); ++i) {
    if (!made_.Apply(i, made_image_) || PageHash(block.page, made_image_) != hashes_[i]) {
      // What the log has may be made of a page that it does not say.
      return Status(StatusCode::kCorruption,
                    "page " + std::to_string(block.page.value) + " at LSN " +
                        std::to_string(made_.versions()[i].lsn.value) +
                        " is not the page that was committed: " + kNotPacked);
    }
  }
  return OkStatus();
}

Status HistoryPacker::Keep(const Timeline& timeline, const PackedPiece& piece, Lsn lsn) {
  if (builder_.empty()) TIDEMARK_RETURN_IF_ERROR(BeginBlock(timeline, piece, lsn));
  if (!builder_.Add(lsn, image_)) {
    TIDEMARK_RETURN_IF_ERROR(EndBlock(piece.page));
    builder_.Begin(piece.page, static_cast<uint32_t>(image_.size()));
    if (!builder_.Add(lsn, image_)) return Damaged(piece);
  }
  hashes_.push_back(hash_);
  return OkStatus();
}

Status HistoryPacker::Pack(const Timeline& timeline, const KeptPoints& points,
                           std::span<const PackedPiece> pieces, const PageRows& rows, Buffer& out,
                           std::vector<Block>& blocks, const std::function<Status()>& on_block) {
  if (points.empty()) return OkStatus();  // nobody will ever read it, nor what was made on it
  const End end = EndOf(rows);
  if (!end.needs_base && !points.AnyIn(pieces.front().version.lsn, end.lsn)) return OkStatus();
  // Blocks that build on this page's last one have counted what it needs: it must not become more.
  const PageVersion& first = pieces.front().version;
  most_before_ = kMostBlocksBefore;
  if (end.needs_base && end.is_block) most_before_ = first.is_block() ? first.chain_units : 0;
  image_lsn_ = {};
  hashes_.clear();
  rows_ = &rows;
  base_row_ = nullptr;
  out_ = &out;
  blocks_ = &blocks;
  on_block_ = &on_block;
  for (size_t p = 0; p < pieces.size(); ++p) {
    const PackedPiece& piece = pieces[p];
    const bool is_last = p + 1 == pieces.size();
    const Lsn next_piece = is_last ? end.lsn : pieces[p + 1].version.lsn;
    if (!piece.version.is_block()) {
      TIDEMARK_RETURN_IF_ERROR(Step(timeline, piece));
      if (points.AnyIn(piece.version.lsn, next_piece) || (is_last && end.needs_base)) {
        TIDEMARK_RETURN_IF_ERROR(Keep(timeline, piece, piece.version.lsn));
      }
      continue;
    }
    TIDEMARK_RETURN_IF_ERROR(LoadBlock(piece));
    const size_t count = block_.versions().size();
    for (size_t i = 0; i < count; ++i) {
      TIDEMARK_RETURN_IF_ERROR(StepBlock(timeline, piece, i));
      const bool is_very_last = is_last && i + 1 == count;
      const Lsn next = i + 1 == count ? next_piece : block_.versions()[i + 1].lsn;
      if (points.AnyIn(image_lsn_, next) || (is_very_last && end.needs_base)) {
        TIDEMARK_RETURN_IF_ERROR(Keep(timeline, piece, image_lsn_));
      }
    }
  }
  return EndBlock(pieces.front().page);
}

Status HistoryPacker::Sample(const Timeline& timeline, const KeptPoints& points,
                             std::span<const PackedPiece> pieces, const PageRows& rows,
                             BlockSamples& samples) {
  samples_ = &samples;
  Buffer out;
  std::vector<Block> blocks;
  const Status made = Pack(timeline, points, pieces, rows, out, blocks, [] { return OkStatus(); });
  samples_ = nullptr;
  return made;
}

void HistoryPacker::UseDictionary(const CompressionDictionary* dictionary,
                                  const DictionaryPlace& place) {
  builder_.UseDictionary(dictionary, place);
  made_dictionary_ = dictionary == nullptr ? nullptr : Dictionary::Parse(dictionary->bytes());
  made_dictionary_place_ = place;
}

Status HistoryPacker::Estimate(const KeptPoints& points, std::span<const PackedPiece> pieces,
                               const PageRows& rows,
                               const std::function<void(const PackedPiece&, uint64_t)>& note) {
  if (points.empty()) return OkStatus();
  const End end = EndOf(rows);
  if (!end.needs_base && !points.AnyIn(pieces.front().version.lsn, end.lsn)) return OkStatus();
  // A patch behind what goes becomes an image, if nothing stays before it, or perhaps one.
  uint64_t gap = pieces.front().page_size;
  for (size_t p = 0; p < pieces.size(); ++p) {
    const PackedPiece& piece = pieces[p];
    const bool is_last = p + 1 == pieces.size();
    const Lsn next_piece = is_last ? end.lsn : pieces[p + 1].version.lsn;
    const uint32_t length = piece.version.length;
    if (!piece.version.is_block()) {
      if (points.AnyIn(piece.version.lsn, next_piece) || (is_last && end.needs_base)) {
        const uint64_t image = piece.version.depth > 0 ? gap : 0;
        note(piece, image + length - std::min<uint64_t>(length, kLogOverhead) + kVersionOverhead);
        gap = 0;
      } else if (gap == 0) {
        gap = piece.page_size / 2;
      }
      continue;
    }
    TIDEMARK_RETURN_IF_ERROR(LoadBlock(piece));
    const auto& versions = block_.versions();
    uint64_t needed = 0;
    uint64_t all = 0;
    for (size_t i = 0; i < versions.size(); ++i) {
      const Lsn next = i + 1 == versions.size() ? next_piece : versions[i + 1].lsn;
      const uint64_t bytes = versions[i].length + kVersionOverhead;
      all += bytes;
      if (points.AnyIn(versions[i].lsn, next) ||
          (is_last && i + 1 == versions.size() && end.needs_base)) {
        needed += bytes + (block_.IsPatch(i) ? gap : 0);
        gap = 0;
      } else if (gap == 0) {
        gap = piece.page_size / 2;
      }
    }
    if (needed > 0) note(piece, kBlockOverhead + needed * length / all);
  }
  return OkStatus();
}

}  // namespace tidemark::internal
