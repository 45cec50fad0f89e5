// clang-format off: the tables keep their lines
// The bytes on disk. This is the only description of them; golden tests pin every structure.
//
// Integers are little-endian. `varint` is unsigned LEB128, shortest form, at most 10 bytes. Hashes
// are XXH3-64; "seeded" means with the incarnation of the segment, so that what an earlier life of
// a recycled file left behind never verifies. A reader refuses what this page does not allow:
// unknown kinds, forms and flag bits, longer varints, lengths that do not fit.
//
// A store is a directory:
//
//   LOCK               flock of the owner, its process id; SALVAGE: see internal/salvage_mark.h
//   HEADROOM           any bytes: see internal/head_room.h
//   log/NNNNNNNN.pack  packed segments, likewise numbered by themselves
//   log/NNNNNNNN.seg   segments, numbered from 1, eight decimal digits; never a number twice. At
//                      64 MiB that is 6 PB of log
//   index/data.mdb     LMDB; see engine/internal/index.h. A function of the log
//   index/WRITTEN      text: "open BIRTH BIRTH" or "closed TRANSACTION", by which a copy of an open
//                      index is known; see engine/internal/written_mark.h
//
// Segment: the header at offset 0 and again at 4096 (either will do: the loss of one block must not
// make a segment unreadable), zeros, and from 8192 on groups back to back, each on a multiple of 8
// bytes. What follows the last group is unused: zeros, or leftovers of an earlier life of the file.
// A file of which neither header verifies, or that names another number, is a spare: ready for use,
// empty. A segment is the next one of the log if its header names the segment before it and exactly
// the place where that one ends. Offsets are 32 bits: a segment is at most 1 GiB.
//
//   Segment header   offset  size  field
//                         0     8  magic          "TIDEMARK"
//                         8     4  version        kFormatVersion; every other one is refused
//                        12     4  number         of this segment
//                        16     8  store_id       random, the same in every segment of a store
//                        24     8  incarnation    random, new at every use of the file
//                        32     4  previous       number of the segment before; 0 in the first
//                        36     4  previous_end   where that segment's last group ends
//                        40     8  first_lsn      no record in it has a lower LSN
//                        48     4  packed_from    of a packed segment; else 0
//                        52     4  reserved       0
//                        56     8  hash           of bytes [0, 56)
//
// Group: what one write and one sync put on disk; whole or absent. One write is under way at a
// time, so a valid group proves that every group before it was synced; `durable_lsn` says so.
// Writing a group touches the block in which the one before it ends: a sector that is rewritten
// with the same bytes is taken to stay readable (SQLite's "powersafe overwrite").
//
// Packed segment: what is still needed of the log's segments from `packed_from` up to `previous`,
// which ends at `previous_end`: it stands in their place, and they are gone. Its number in places,
// and in its header, is that of its file plus 2^31. The header is written when all else is durable:
// a file without one is what a crash left of a packing, and no part of the store. Of two that stand
// for the same segments the one with the higher number counts. It ends where its last group does,
// and is at most 2 GiB long. It has groups as the log does, but what is in them is ordered
// otherwise: first all that is no frame, batch or close record, as it was, LSNs rising and leaving
// out; then what is needed of frames and batches, as commits and history records, all with the LSN,
// time and epoch of the last record that the segment stands for, sorted by timelines, and those of
// one by LSNs or pages. The pages of a batch belong to the commit whose frame names it, even if
// that frame stands behind, in the log: batches that it names and that were packed are found by
// their pages. Behind each copy of the header stands what is told of the log that the segment
// stands for:
//
//   Packed log       offset  size  field
//                         0     8  last_lsn       of its last record
//                         8     8  last_time      of that record, us since 1970 UTC
//                        16     4  epoch          of that record
//                        20     4  reserved       0
//                        24     8  hash           of bytes [0, 24), seeded
//
// LSNs leave nothing out, in a group and from each to the next. The one exception is what an
// unclean stop lost: a segment that begins with an open record which says so. So a group that
// stands where others are missing before it is known, though all of it is right.
//
//   Group header     offset  size  field
//                         0     8  hash           of bytes [8, 56), seeded
//                         8     4  magic          "GRP1"
//                        12     4  length         of the whole group; a multiple of 8
//                        16     8  body_hash      of bytes [56, length), seeded
//                        24     8  first_lsn      of its first record
//                        32     8  durable_lsn    highest confirmed LSN when this was written
//                        40     8  time           of its first record, us since 1970 UTC
//                        48     4  epoch          owner epoch
//                        52     4  record_count
//                        56        records, zeros, directory
//   Footer  length-16     4  directory_length
//           length-12     4  length               as in the header
//           length-8      8  hash                 of the directory and the 8 bytes above, seeded
//
// The directory ends where the footer begins; the zeros that fill up to a multiple of 8 stand
// between the last record and the directory. One entry a record, so that damage inside the group
// can be blamed on objects:
//
//   varint lsn      of the first record; for the others, the difference to the one before
//   varint timeline that the record is about: of a frame, or of commits or history, its own; of a
//                   timeline record, the one it ends; of an object or namespace record, its LSN,
//                   which is what it creates, and of a label, hold, policy, licence, purge or
//                   schedule record, too;
//                   of all others 0
//   varint offset   in the group; for all but the first, the difference to the one before
//   u64    tag      only if timeline is the LSN: of an object, and of the object of a label, hold,
//                   policy, purge or schedule, the first 8 bytes of its id, as a big-endian number;
//                   of a namespace, and of a namespace's policy, the XXH3-64 of its name, seed 0;
//                   of a licence, and of the store's policy, the XXH3-64 of nothing, seed 0
//
// Record:
//
//   u8      kind
//   varint  header_length
//   varint  payload_length    0 for all kinds but frames, batches, history and
//                             dictionaries
//   header                    begins with the three fields every kind has:
//     varint  lsn             so that a record is not taken for another one in whose place a
//                             misdirected write has put it
//     varint  time            microseconds after the group's time; never below the record before
//     varint  group_offset    of this record in its group: the way back to the group header
//   u64     hash              of everything above, seeded
//   payload                   page versions, each with its own hash; body_hash covers it all
//
// Header fields by kind, after those three. A string is a varint length and its bytes; an id has
// 32 bytes.
//
//   frame (1)       varint timeline, u8 flags, u8 log2(page size), varint page_count,
//                   u64 state_hash, varint version_count;
//                   if flags & 1: varint batch_count (at least 1), varint versions in all batches,
//                   varint their bytes (of whole records), and where the last one stands:
//                   varint segment, varint offset, u64 its record hash;
//                   if flags & 2: varint the object's earliest alarm, milliseconds since 1970,
//                   at most 2^63 / 1000. flags & 4: the commit changed the schema. Other bits are
//                   0.
//   batch (2)       varint number, from 1; if it is not 1, where the batch before it stands:
//                   varint segment, varint offset, u64 its record hash; varint version_count (at
//                   least 1), and for each version, sorted by page: varint page number minus the
//                   one before (0 before the first), varint length, u8 depth, u8 chain_units,
//                   u64 hash, all as the page version itself says
//   open (3)        varint epoch, varint LSN of the last record before, string library version.
//                   LSNs between the two were lost in a crash and are never used. One of an epoch
//                   that has begun only begins a segment
//   close (4)       nothing. Everything before it was synced
//   namespace (5)   string name, string unique key. Its LSN is the namespace's number
//   object (6)      varint namespace, id, string name. Its LSN is the object's first timeline
//   timeline (7)    u8 operation, + 128 with an alarm, id of the object, varint timeline that ends
//                   here, varint parent timeline, varint parent LSN, u8 log2(page size), varint
//                   page_count, u64 state_hash, string from, string to: bookmarks of what was
//                   current before and of what is now; with an alarm, which the object has from
//                   here on: varint alarm, as in a frame; deletions and rewrites have none. Its LSN
//                   is the timeline, and but for a rewrite it is also that timeline's first commit.
//                   Operations:
//                     restore 1, undelete 6   the parent is a timeline of the same object
//                     promote 4               the parent is a timeline of another object, whose
//                                             bookmark `to` is
//                     fork 3                  so is it here. Stands directly behind the object's
//                                             record, in the same group, and ends that one's
//                                             timeline, which has no commits; `from` is empty
//                     delete 5                inherits no pages; the parent is the timeline that
//                                             ends. 0 pages, page size 0, state hash 0; `to` is
//                                             empty, or the deletion that was restored to
//                     rewrite 8               inherits no pages: another page size. The parent is
//                                             the timeline that ends
//                     scheduled restore 2     as 1, or as 4, as `to` says. Behind all of the above:
//                                             varint LSN of the record that began the session's
//                                             schedule; what waited for the object waits no more
//                     7 is not used
//   label (8)       u8 operation, id of the object, string name (1 to 64 bytes); and if the
//                   operation is to set: u8 flags, and the commit that the label names: varint
//                   timeline, varint LSN, varint epoch, u64 state_hash. Operations: set 1, of one
//                   that is there, too, and remove 2. flags & 1: automatic, which does not keep its
//                   commit from expiring; other bits are 0
//   hold (9)        u8 operation, id of the object, horizons of the object; and if the operation is
//                   to set: string reason (at most 256 bytes). Operations: set 1, of one that is
//                   set, too, and release 2
//   policy (10)     u8 operation, u8 scope, of a namespace its varint number, of an object its id,
//                   horizons of the scope; and if the operation is to set: varint window, varint
//                   hourly, varint daily, in seconds; and with a budget: varint bytes, not 0.
//                   Operations: set 1, clear 2; of the store only set with a budget 3, clear with a
//                   budget 4. Scopes: store 1, namespace 2, object 3
//   licence (12)    u8 operation, varint LSN of the grant in force (of a grant 0), varint time as
//   of
//                   which it was granted, varint horizon that it gives to objects without a policy;
//                   with a budget's horizon: varint that horizon, not 0, varint LSN of the grant
//                   that moved it there (0: this one); if the operation is to pause: varint time
//                   expected, varint time found. Operations: grant 1, pause 2 (the clock is not to
//                   be trusted) and confirm 3 (it is), which repeat the last grant; the same with a
//                   budget's horizon, which is there once a budget has let anything go, 4, 5 and 6
//   schedule (17)   a restore waits for the object's next session. u8 operation, varint namespace
//                   and id of the object; and if the operation is to set: varint LSN of the first
//                   of the records that set it and replaced each other (0: this one), varint
//                   namespace and id of the object whose commit it is, which may be another one,
//                   and the commit: varint timeline, varint LSN, varint epoch, u64 state_hash.
//                   Operations: set 1, in place of one that waits, too, and cancel 2; set 3 has
//                   behind all that which alarm the object has then, where it is not that of the
//                   commit (if that is its own), or none (if it is another's): u8 that of the
//                   commit 1, the one it had before 2, none 3, and 4 with varint that alarm, as in
//                   a frame
//   migration (11): reserved
//   commits (13)    in packed segments only: commits of one timeline. varint timeline, varint
//                   count, 1 to 512, varint decompressed length, varint length, columns; and of
//                   each commit u64 state_hash. The columns are one zstd frame, or as they are,
//                   then with 0 as the decompressed length. A column has a varint a commit: the
//                   difference to the commit before it (of the first, to 0), zigzag. Columns: LSN;
//                   time; epoch; log2(page size), or 0; page count; flags, 1 for a commit that
//                   changed the schema, 2 for one with an alarm; number of page versions; bytes of
//                   log; and if one of them has an alarm: alarm, as in a frame, 0 where there is
//                   none
//   history (14)    in packed segments only: varint timeline; its payload is blocks, sorted by page
//                   and, of one page, by LSN
//   dictionary (16) in packed segments only, before the history that needs it: varint timeline; its
//                   payload is the u64 hash (seed 0) of a dictionary of zstd's, and that dictionary
//   purge (15)      id of an object, varint its namespace, varint count (at least 1), and so many
//                   varints: the LSNs of its timelines, in order, each as the difference to the one
//                   before (of the first, to 0). Whatever is told of the object and its timelines
//                   before counts for nothing: packing leaves it out, and the purge itself once
//                   nothing is left. Until then nothing is told of the object behind it
//
// Horizons, at which the new rule begins: varint everything, varint microseconds to hourly, back
// from there, varint microseconds to daily, back from that; see engine/internal/horizon.h. A time
// in these three records is microseconds since 1970.
//
// A frame leads to its batches from the last to the first. A frame without its batches is damage; a
// batch without a frame counts for nothing. A page that several batches, or a batch and its frame,
// hold is as the last of them says; one above page_count was cut off again.
//
// Block: versions of one page of one timeline, in order of LSNs.
//
//   varint  page number
//   varint  length of what stands behind the hash
//   u64     hash            of what stands behind it, seeded with the page number
//   varint  count           of versions, 1 to 512
//   varint  LSN of the first one
//   varint  LSN of its base, an earlier version of the page in another block; 0 if it has none
//   u8      how many other blocks must be read for that, at most, when this was written
//   u8      log2(page size)
//   count times: varint LSN, as the difference to the version before (not of the first); varint
//           8 * length of its data, as the difference to the version before (of the first, to 0),
//           zigzag + form
//   varint  length of the payload with the dictionary that the data needs; 0 if it needs none, and
//           else: varint offset of that payload in this segment
//   varint  decompressed length of all data; 0 if it is not compressed
//   data    of all versions, side by side; one zstd frame if it is compressed. By form:
//     zeros (0)  nothing
//     image (1)  the page
//     ranges (2) as of a page version, on the version before or, of the first, on its base
//     moves (3)  on the same: (varint skip, varint 2 * length + 0, bytes, or
//                varint skip, varint 2 * length + 1, varint shift)*: keep `skip` bytes, replace
//                `length` (at least 1) by those given, or by those that stood in the base `shift` /
//                2 bytes further on, or before if it is odd
//     slots (4)  the page, which has two-byte big-endian numbers at 3, how many slots, and from 8
//                (if its first byte is 10 or 13; 12 if it is 2 or 5) on, in which place the cell of
//                each slot begins, all different; a cell ends where the next one begins, or the
//                page. The bytes up to 8 (12); of each slot the high byte of its place minus the
//                one before (of the first, minus 0), then the low bytes; the bytes between the
//                slots and the first cell; then the cells, by length and by slot: of those of one
//                length their first bytes, their second ones, and so on, each minus the byte
//                before, the first of each kind as it is
//
// Page version: decodes on its own, given its base.
//
//   varint  page number
//   u8      form
//   u64     hash              of the decoded page, seeded with the page number
//   if form is a patch:
//     u8      depth           links to a full image, or to a block, 1 to 126
//     u8      chain_units     what the patches of the chain, this one included, cost to
//                             read: of each its bytes in units of 256, rounded up, and four
//                             more for a zstd patch; 255 is that or more
//     varint  LSN of the base, an earlier version of the page
//     varint  segment, varint offset, varint length     where it stood when this was written; once
//                     that segment was packed it is found by its LSN. All 0 if it stood in a block
//   varint  data_length
//   data                      by form:
//     zero (0)         nothing: a page of zeros (growth over pages that nobody wrote)
//     raw (1)          the page
//     zstd (2)         one zstd frame
//     ranges (3)       patch: (varint skip, varint length, bytes)*: keep `skip` bytes of the base,
//                      replace `length` (at least 1); what follows the last range is kept
//     zstd patch (4)   patch: one zstd frame, with the base as its (raw) dictionary; never on a
//                      base that begins with zstd's number for dictionaries
//
// State hash: the XOR of the hashes of all pages of the database, page 1 to page_count.
// clang-format on

#ifndef TIDEMARK_ENGINE_FORMAT_H_
#define TIDEMARK_ENGINE_FORMAT_H_

#include <cstddef>
#include <cstdint>

namespace tidemark::format {

inline constexpr uint32_t kFormatVersion = 7;
inline constexpr uint64_t kSegmentMagic = 0x4b52414d45444954;  // "TIDEMARK"
inline constexpr uint32_t kGroupMagic = 0x31505247;            // "GRP1"
inline constexpr size_t kGroupAlignment = 8;

inline constexpr uint32_t kSecondHeaderOffset = 4096;
inline constexpr uint32_t kFirstGroupOffset = 8192;

struct SegmentHeader {
  uint64_t magic;
  uint32_t version;
  uint32_t number;
  uint64_t store_id;
  uint64_t incarnation;
  uint32_t previous;
  uint32_t previous_end;
  uint64_t first_lsn;
  uint32_t packed_from;
  uint32_t reserved;
  uint64_t hash;
};
static_assert(sizeof(SegmentHeader) == 64);

struct PackedLog {
  uint64_t last_lsn;
  uint64_t last_time;
  uint32_t epoch;
  uint32_t reserved;
  uint64_t hash;
};
static_assert(sizeof(PackedLog) == 32);

struct GroupHeader {
  uint64_t hash;
  uint32_t magic;
  uint32_t length;
  uint64_t body_hash;
  uint64_t first_lsn;
  uint64_t durable_lsn;
  uint64_t time;
  uint32_t epoch;
  uint32_t record_count;
};
static_assert(sizeof(GroupHeader) == 56);

struct GroupFooter {
  uint32_t directory_length;
  uint32_t length;
  uint64_t hash;
};
static_assert(sizeof(GroupFooter) == 16);

enum class RecordKind : uint8_t {
  kFrame = 1,
  kBatch = 2,
  kOpen = 3,
  kClose = 4,
  kNamespace = 5,
  kObject = 6,
  kTimeline = 7,
  kLabel = 8,
  kHold = 9,
  kPolicy = 10,
  kMigration = 11,
  kLicence = 12,
  kCommits = 13,
  kHistory = 14,
  kPurge = 15,
  kDictionary = 16,
  kSchedule = 17,
};

enum class TimelineOperation : uint8_t {
  kRestore = 1,
  kScheduledRestore = 2,
  kFork = 3,
  kPromote = 4,
  kDelete = 5,
  kUndelete = 6,
  kRewrite = 8,
};

enum class ScheduleOperation : uint8_t {
  kSet = 1,
  kCancel = 2,
  kSetWithAlarm = 3,
};

enum class ScheduleAlarm : uint8_t {
  kRestore = 1,
  kKeep = 2,
  kClear = 3,
  kThis = 4,
};

enum class LabelOperation : uint8_t {
  kSet = 1,
  kRemove = 2,
};

// Of hold and policy records.
enum class RuleOperation : uint8_t {
  kSet = 1,
  kEnd = 2,
  kSetWithBudget = 3,
  kEndWithBudget = 4,
};

enum class PolicyScope : uint8_t {
  kStore = 1,
  kNamespace = 2,
  kObject = 3,
};

enum class LicenceOperation : uint8_t {
  kGrant = 1,
  kPause = 2,
  kConfirm = 3,
};
// What is added to it where a budget has given a horizon.
inline constexpr uint8_t kLicenceHasBudget = 3;

enum class PageForm : uint8_t {
  kZero = 0,
  kRaw = 1,
  kZstd = 2,
  kRanges = 3,
  kZstdPatch = 4,
};

// Whether a page version has a base.
constexpr bool IsPatch(PageForm form) {
  return form == PageForm::kRanges || form == PageForm::kZstdPatch;
}

inline constexpr uint8_t kFrameHasBatches = 1;
inline constexpr uint8_t kFrameHasAlarm = 2;
inline constexpr uint8_t kFrameChangesSchema = 4;

// The latest alarm, in milliseconds: more cannot be told in microseconds.
inline constexpr uint64_t kMaxAlarm = (uint64_t{1} << 63) / 1000;

// What is added to the operation of a timeline record that has an alarm.
inline constexpr uint8_t kTimelineHasAlarm = 128;

inline constexpr uint8_t kLabelIsAutomatic = 1;
inline constexpr uint32_t kMaxLabelBytes = 64;
inline constexpr uint32_t kMaxReasonBytes = 256;

inline constexpr uint32_t kMinPageSize = 512;
inline constexpr uint32_t kMaxPageSize = 65536;

// After an unclean stop this many LSNs are left out, so that none that a lost record had is used
// again: more records than the commit queue can hold unconfirmed.
inline constexpr uint64_t kLostLsnGap = uint64_t{1} << 20;

// What the numbers may reach; then writing ends with an error, and nothing begins anew. A million
// records a second take 290,000 years to the last LSN; a store that is opened every second has
// epochs (32 bits) for 136 years.
inline constexpr uint64_t kMaxLsn = (uint64_t{1} << 63) - 1;
inline constexpr uint32_t kMaxSegmentNumber = 99'999'999;

// Packed segments' numbers in places.
inline constexpr uint32_t kPackedBit = uint32_t{1} << 31;
constexpr bool IsPacked(uint32_t segment) { return (segment & kPackedBit) != 0; }

}  // namespace tidemark::format

#endif  // TIDEMARK_ENGINE_FORMAT_H_
