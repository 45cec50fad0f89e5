#include "tools/failure.h"

#include <nlohmann/json.hpp>

#include "engine/standby.h"
#include "tools/console.h"
#include "tools/text.h"

namespace tidemark::tools {

namespace {

ExitCode ExitCodeOf(StatusCode code) {
  switch (code) {
    // These say that an argument is wrong by itself: another store would not make it right.
    case StatusCode::kInvalidArgument:
    case StatusCode::kMalformed: return kExitUsage;
    case StatusCode::kCorruption: return kExitDamage;
    default: return kExitFailed;
  }
}

std::string NotFoundHint(const Subject& subject) {
  switch (subject.kind) {
    case Subject::Kind::kNewStore: return "make the directory above it first";
    case Subject::Kind::kStore:
      if (Standby::IsAt(subject.store)) {
        return "it is a standby; a store is made of it by: " +
               Command({"standby", subject.store, "--promote"});
      }
      return "make a store with: " + Command({"init", subject.store}) +
             "  (STORE may also come from TIDEMARK_STORE)";
    case Subject::Kind::kObject:
      return "see what is there with: " + Command({"ls", subject.store}) +
             "  (import makes an object, and so does sql --create)";
    case Subject::Kind::kPoint:
      return "see how far back it goes with: " +
             Command({"log", subject.store, subject.object, "--limit", "0"});
    case Subject::Kind::kLabel:
      return "list its labels with: " + Command({"labels", subject.store, subject.object}) +
             "  (a point may also be a bookmark, a time, or words such as \"5 minutes ago\")";
    case Subject::Kind::kNone: break;
  }
  return "";
}

std::string ExistsHint(const Subject& subject) {
  switch (subject.kind) {
    case Subject::Kind::kNewStore:
      return "nothing was changed; choose a directory that is missing or empty";
    case Subject::Kind::kLabel: {
      const std::string label = Command({"label", subject.store, subject.object, subject.label});
      return "nothing was changed; --move moves it, and this removes it: " + label + " --remove";
    }
    default: return "nothing was changed";
  }
}

std::string InvalidArgumentHint(const Subject& subject) {
  switch (subject.kind) {
    case Subject::Kind::kObject:
      return "OBJECT is NAMESPACE/NAME, up to 512 and 1024 bytes of UTF-8, such as rooms/lobby";
    case Subject::Kind::kLabel: return "choose another name, such as before-migration";
    default: return "see: " + Command({"--help"});
  }
}

std::string HintFor(StatusCode code, const Subject& subject) {
  const bool has_object = !subject.object.empty();
  const std::string log =
      has_object ? Command({"log", subject.store, subject.object}) : std::string();
  switch (code) {
    case StatusCode::kOk:
    case StatusCode::kUnknown: break;  // of the runtime only
    case StatusCode::kNotFound: return NotFoundHint(subject);
    case StatusCode::kExists: return ExistsHint(subject);
    case StatusCode::kInvalidArgument: return InvalidArgumentHint(subject);
    case StatusCode::kBusy: return "try again when the other transaction is over";
    case StatusCode::kInUse:
      return "one process owns a store at a time: wait for that process or end it, then try again";
    case StatusCode::kReadOnly:
      return "nothing was changed; opening a store writes to it, so this user must be able to "
             "write to the directory and everything in it";
    case StatusCode::kUnsupportedVersion:
      return "nothing was changed; use the release of tidemark that wrote the store, or a newer "
             "one";
    case StatusCode::kFull:
      return "what was committed before is safe, this change was not made; make room and try again";
    case StatusCode::kMalformed:
      return has_object ? "bookmarks are listed by: " + log
                        : "a point is a bookmark, a time, or words such as \"5 minutes ago\"";
    case StatusCode::kForeign:
      return has_object ? "the bookmarks of this object are listed by: " + log : "";
    case StatusCode::kExpired:
      return has_object ? "the oldest point that is kept is the last line of: " +
                              Command({"log", subject.store, subject.object, "--limit", "0"})
                        : "";
    case StatusCode::kFuture:
      return has_object ? "is it a bookmark of another copy of this store? The latest is printed "
                          "by: " +
                              Command({"bookmark", subject.store, subject.object})
                        : "";
    case StatusCode::kLost:
      return has_object ? "that commit was never confirmed; the latest one that survived is "
                          "printed by: " +
                              Command({"bookmark", subject.store, subject.object})
                        : "";
    case StatusCode::kCorruption:
      return "see everything that is damaged with: " + Command({"verify", subject.store}) +
             "; objects it does not name are whole";
    case StatusCode::kIoError: return "see what the system says about the disk, then try again";
    case StatusCode::kOutOfMemory: return "nothing was changed; free some memory, then try again";
    case StatusCode::kPaused:
      return "if this machine's time is right now: " +
             Command({"retention", subject.store, "--confirm-clock"});
    case StatusCode::kBroken: return "run the command again: opening the store recovers it";
    case StatusCode::kOutOfRange:
    case StatusCode::kLimitExceeded: break;
  }
  return "";
}

}  // namespace

Failure UsageFailure(std::string_view verb, const std::string& message) {
  if (verb.empty()) return Failure("usage", kExitUsage, message, "see: " + Command({"--help"}));
  return Failure("usage", kExitUsage, message, "see: " + Command({std::string(verb), "--help"}));
}

Failure FileFailure(const std::string& message, const std::string& hint) {
  return Failure("file", kExitFailed, message, hint);
}

Failure Explain(const Status& status, const Subject& subject) {
  std::string message = status.message();
  // A page does not know whose it is.
  if (status.code() == StatusCode::kCorruption &&
      message.find(subject.object) == std::string::npos) {
    message = subject.object + ": " + message;
  }
  if (status.code() == StatusCode::kNotFound &&
      message.find("`tidemark undelete`") != std::string::npos) {
    return Failure(StatusCodeName(status.code()), kExitFailed, std::move(message),
                   "bring it back with: " + Command({"undelete", subject.store, subject.object}));
  }
  if (status.code() == StatusCode::kBusy && message.find("is being purged") != std::string::npos) {
    return Failure(
        StatusCodeName(status.code()), kExitFailed, std::move(message),
        "that is done by: " + Command({"purge", subject.store, subject.object, "--yes"}));
  }
  // Of an index that must be made anew: no other verb opens the store before that.
  const bool only_index = message.find("opening the store makes it anew") != std::string::npos ||
                          message.find("index can be rebuilt from the log") != std::string::npos;
  return Failure(StatusCodeName(status.code()), ExitCodeOf(status.code()), std::move(message),
                 only_index ? "nothing is lost by that: the log has everything. Run: " +
                                  Command({"rebuild", subject.store})
                            : HintFor(status.code(), subject));
}

void PrintFailure(const Failure& failure, bool json) {
  Console& console = ThisConsole();
  if (json) {
    Json error = {{"code", failure.code},
                  {"exit_code", static_cast<int>(failure.exit_code)},
                  {"message", failure.message},
                  {"hint", failure.hint}};
    if (failure.sql_offset) error["offset"] = *failure.sql_offset;
    return console.Err(DumpJson({{"error", error}}) + "\n");
  }
  std::string text = "tidemark: " + PrintableLine(failure.message) + "\n";
  if (!failure.excerpt.empty()) text += failure.excerpt + "\n";
  if (!failure.hint.empty()) text += "  hint: " + PrintableLine(failure.hint) + "\n";
  console.Err(text);
}

}  // namespace tidemark::tools
