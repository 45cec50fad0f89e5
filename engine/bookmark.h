// Bookmark: the text that names one commit of one object, and Point: a bookmark, a time or a label.
//
//   0000002a-00000000-0000c0de-8f14e45fceea167a5a36dedd4bea2543
//   epoch    LSN (64 bits)     object tag      state hash
//
// Four lower-case hex groups of 8, 8, 8 and 32 digits. The highest bit of the LSN, which no commit
// has, is that of a session's end. Within one object bookmarks sort as text in
// the order of commits, and without a commit in between the same bookmark comes again. The tag is
// the first half of the object id's base; the state hash is the commit's, so that a bookmark can
// prove that what is restored is what it named.

#ifndef TIDEMARK_ENGINE_BOOKMARK_H_
#define TIDEMARK_ENGINE_BOOKMARK_H_

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "engine/clock.h"
#include "engine/export.h"
#include "engine/lsn.h"
#include "engine/object_id.h"
#include "engine/result.h"

namespace tidemark {

struct TIDEMARK_API Bookmark {
  uint32_t epoch = 0;  // the owner epoch that committed it
  // Of a commit that need not exist yet: what is current at the end of the session in which a
  // restore was scheduled (Object::ScheduleRestore). `lsn` is that of the record of it,
  // `state_hash` is 0. As text it sorts behind the others of its epoch.
  bool is_session_end = false;
  Lsn lsn;                  // of the commit, or of the restore that made this state current
  uint64_t object_tag = 0;  // ObjectTag() of the object
  uint64_t state_hash = 0;  // of the whole database at that commit

  auto operator<=>(const Bookmark&) const = default;

  // 59 characters and a NUL. Asks for no memory, so that an undo bookmark is never lost for want of
  // it.
  std::array<char, 60> ToText() const;
  std::string ToString() const;  // the same
  // Upper-case digits are accepted. Errors: kMalformed, with what was expected.
  static Result<Bookmark> Parse(std::string_view text);
};

// The part of an object's id that its bookmarks carry.
TIDEMARK_API uint64_t ObjectTag(const ObjectId& id);

// A name that somebody gave to one commit of one object: Object::SetLabel.
struct Label {
  std::string name;
  auto operator<=>(const Label&) const = default;
};

// A label's name is 1 to 64 letters, digits, dots, dashes and underscores, the first one a letter,
// and nothing that ParsePoint takes for something else: "now", "yesterday", eight hex digits and a
// dash. Errors: kInvalidArgument, saying this.
TIDEMARK_API Status ValidateLabelName(std::string_view name);

// A point in time, as a user gives one: a bookmark, a time that means "the last commit at or before
// it", or a label.
using Point = std::variant<Bookmark, Timestamp, Label>;

// Parses what a person types for a point: a bookmark; an RFC 3339 time, "T" or a space between
// date and time, without a zone taken as local time, the time or its seconds optional; unix
// seconds, with a fraction if wanted; "now"; words such as "5 minutes ago", "yesterday"; or a
// label, which any other word is that can be one. `now` is what words are relative to. Errors:
// kMalformed, listing the forms.
TIDEMARK_API Result<Point> ParsePoint(std::string_view text, Timestamp now);

// RFC 3339 in UTC with microseconds: "2026-11-21T04:05:06.789012Z"; at most to the year 9999.
TIDEMARK_API std::string FormatTime(Timestamp time);

}  // namespace tidemark

#endif  // TIDEMARK_ENGINE_BOOKMARK_H_
