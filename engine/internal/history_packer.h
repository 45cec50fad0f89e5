// HistoryPacker: what is needed of one timeline's pages, as blocks for a packed segment.
//
// A page is gone through from its oldest version in the input to its latest one. Each is made from
// the one before it, which is at hand, and checked against its hash; those that somebody needs are
// added to blocks. So it does not matter what a version was a patch on.
//
// Threads: one at a time.

#ifndef TIDEMARK_ENGINE_INTERNAL_HISTORY_PACKER_H_
#define TIDEMARK_ENGINE_INTERNAL_HISTORY_PACKER_H_

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "engine/internal/history_block.h"
#include "engine/internal/kept_points.h"
#include "engine/internal/page_reader.h"
#include "engine/internal/page_rows.h"

namespace tidemark::internal {

// A row of the index that a packing takes in: a version, or a block of versions.
struct PackedPiece {
  TimelineId timeline;
  PageNo page;
  uint32_t page_size = 0;
  uint32_t held_at = kNotHeld;  // where its bytes stand in what the job holds of the log
  PageVersion version;
  static constexpr uint32_t kNotHeld = UINT32_MAX;
};

// Ends the message of damage that packing meets.
inline constexpr char kNotPacked[] =
    "its file is not packed, nor, of the log, what stands behind it; `tidemark verify` says what "
    "is "
    "hit. Bring the file back from a copy of the store, or export what is whole to a new one";

class HistoryPacker {
 public:
  // `is_input` tells segments that are being packed; `held` has bytes of pieces.
  HistoryPacker(const PageReader& reader, const Buffer& held,
                std::function<bool(uint32_t)> is_input)
      : reader_(reader), held_(held), is_input_(std::move(is_input)) {}

  // A block that was made. Its place in `row` is an offset in `out`.
  struct Block {
    PageNo page;
    PageVersion row;
  };
  // Appends to `out` the blocks of one page, each taken apart again and found to be right, and to
  // `blocks` what they are; calls `on_block` behind
  // each, which may empty both. `pieces` are all that the input has of the page, in order of LSNs,
  // and `rows` what the index has around them. Errors: kCorruption, kIoError, those of `on_block`.
  Status Pack(const Timeline& timeline, const KeptPoints& points,
              std::span<const PackedPiece> pieces, const PageRows& rows, Buffer& out,
              std::vector<Block>& blocks, const std::function<Status()>& on_block);

  // Appends to `samples` what the blocks of one page would be made of. Errors: as Pack.
  Status Sample(const Timeline& timeline, const KeptPoints& points,
                std::span<const PackedPiece> pieces, const PageRows& rows, BlockSamples& samples);
  // For the blocks that Pack makes from now on; see HistoryBlockBuilder.
  void UseDictionary(const CompressionDictionary* dictionary, const DictionaryPlace& place);

  // How many bytes a block would take for what is needed of each piece, about. Reads no page.
  Status Estimate(const KeptPoints& points, std::span<const PackedPiece> pieces,
                  const PageRows& rows,
                  const std::function<void(const PackedPiece&, uint64_t)>& note);

 private:
  // What stands behind the pieces decides about the last of them.
  struct End {
    Lsn lsn;                  // up to which the last version is the page's
    bool needs_base = false;  // what comes then is made on it
    bool is_block = false;    // and is a block
  };
  static End EndOf(const PageRows& rows);
  Result<ConstBytes> BytesOf(const PackedPiece& piece);
  // The page as the last block before `lsn` has it, in `base_`, if there is one and it does not
  // go with the input.
  Status LoadBase(const Timeline& timeline, const PackedPiece& piece, Lsn lsn);
  // Makes the pieces' versions in `image_`, one after the other.
  Status Step(const Timeline& timeline, const PackedPiece& piece);
  Status StepBlock(const Timeline& timeline, const PackedPiece& piece, size_t i);
  Status LoadBlock(const PackedPiece& piece);
  // What `block_` begins on, in `image_`.
  Status LoadBlockBase(const Timeline& timeline, const PackedPiece& piece);
  // Adds what is in `image_`.
  Status Keep(const Timeline& timeline, const PackedPiece& piece, Lsn lsn);
  Status BeginBlock(const Timeline& timeline, const PackedPiece& piece, Lsn lsn);
  Status EndBlock(PageNo page);
  // Does a block decode to what it was made of?
  Status Check(const Block& block, ConstBytes bytes);
  Status Damaged(const PackedPiece& piece) const;

  const PageReader& reader_;
  const Buffer& held_;
  const std::function<bool(uint32_t)> is_input_;
  const PageRows* rows_ = nullptr;  // of the page that is packed
  // Where Pack's blocks go.
  Buffer* out_ = nullptr;
  std::vector<Block>* blocks_ = nullptr;
  const std::function<Status()>* on_block_ = nullptr;
  BlockSamples* samples_ = nullptr;  // blocks go there, while it is not null
  HistoryBlockBuilder builder_;
  std::vector<uint64_t> hashes_;  // of the pages of the versions of the block that is being made
  HistoryBlock made_;
  std::shared_ptr<const Dictionary> made_dictionary_;
  DictionaryPlace made_dictionary_place_;
  Buffer made_image_;
  HistoryBlock block_;  // that is being read
  Buffer bytes_;
  Buffer block_bytes_;
  Buffer image_;
  Buffer base_;
  const PageVersion* base_row_ = nullptr;  // whose last version is in `base_`; null: none
  Lsn base_lsn_;                           // of that
  uint8_t most_before_ = 0;  // so many other blocks may be needed to read the page's first one
  Lsn image_lsn_;            // the version in `image_`; not valid: none
  uint64_t hash_ = 0;        // of the page in it, as its row says, if it has one
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_HISTORY_PACKER_H_
