// Session: the store that a verb works on, from opening to closing, and what names things in it.

#ifndef TIDEMARK_TOOLS_SESSION_H_
#define TIDEMARK_TOOLS_SESSION_H_

#include <memory>
#include <optional>
#include <string>

#include "engine/bookmark.h"
#include "engine/object.h"
#include "engine/store.h"
#include "tools/failure.h"
#include "tools/text.h"

namespace tidemark::tools {

// "rooms/lobby": the first slash ends the namespace, the name may have more of them.
struct ObjectName {
  std::string namespace_name;
  std::string name;
  std::string text;
};

// Of --alarms: "restore", "keep" or "clear"; without it `otherwise`. Throws UsageFailure.
RestoreOptions ParseAlarms(const std::optional<std::string>& text, Alarms otherwise);

// Throws Failure (usage) for a text that can name no object of any store.
ObjectName ParseObjectName(const std::string& text, const std::string& store);

// ParsePoint as of now. Throws Failure (usage) for a time without a zone where this process's is
// not that of who wrote it (tools/console.h).
Result<Point> ParsePointNow(const std::string& text);
// Parses a POINT; words are relative to now. Throws Failure (usage).
Point ParsePointArgument(const std::string& text, const std::string& store,
                         const ObjectName& object);

// For messages and for commands that can be pasted in any directory.
std::string AbsolutePath(const std::string& path);

// Parse arguments before making a Session: wrong usage must not touch the store.
class Session {
 public:
  // Opens and recovers the store; served (tools/console.h), it takes the one that is open. Throws
  // Failure.
  enum class IndexCheck { kBegin, kAllPages };  // StoreOptions::check_index
  explicit Session(const std::string& directory, IndexCheck check = IndexCheck::kBegin);
  // Closes the store. A failure of that is not reported: use Close() for work that must hold.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Store& store() { return *store_; }
  // For messages and for commands that can be pasted in any directory: an absolute path.
  const std::string& path() const { return path_; }

  // Throws Failure if it does not exist; with kDeleted a deleted one will do.
  std::shared_ptr<Object> OpenObject(const ObjectName& object,
                                     IfMissing if_missing = IfMissing::kFail);
  // A handle to an object that may not exist yet.
  std::shared_ptr<Object> OpenOrCreateObject(const ObjectName& object);
  // The commit at `at`, or the latest. Throws Failure.
  CommitInfo ResolveCommit(const Object& object, const std::optional<Point>& at);

  // Closes the store cleanly. Every handle must be gone. One that is open for others stays open,
  // and what was done is durable, too. Throws Failure.
  void Close();

  Subject AboutStore() const;
  Subject AboutObject(const std::string& object) const;
  Subject AboutPoint(const std::string& object, const Point& at) const;
  // `label` is the one that is to be set, if one is.
  Subject AboutLabel(const std::string& object, const std::string& label = "") const;

 private:
  std::string path_;
  std::unique_ptr<Store> owned_;
  Store* store_ = nullptr;
};

uint64_t DatabaseBytes(const CommitInfo& commit);

// One commit as every verb's JSON shows it:
//   {"bookmark","lsn","time","kind","page_size","page_count","bytes","pages_changed","log_bytes",
//    "schema_changed"}
Json CommitJson(const Object& object, const CommitInfo& commit);

// "BOOKMARK  (TIME, SIZE)"
std::string DescribeCommit(const Object& object, const CommitInfo& commit);
// Making the one the present where the other is would change nothing but the log.
bool SameState(const CommitInfo& a, const CommitInfo& b);

// What names `commit`, which `at` (or the present) stands for, from here on: its bookmark, because
// a time goes on; but a label remains, because its commit does not expire.
Point FixedPoint(const Object& object, const std::optional<Point>& at, const CommitInfo& commit);

// The command that brings `bookmark`, or a label, back.
std::string RestoreCommand(const Session& session, const std::string& object,
                           const Bookmark& bookmark);
std::string RestoreCommand(const Session& session, const std::string& object,
                           const std::string& label);

// Prints on stdout, with a line end.
void PrintJson(const Json& json);
void PrintLine(const std::string& line);
// A remark for people, on stderr.
void PrintNote(const std::string& line);

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_SESSION_H_
