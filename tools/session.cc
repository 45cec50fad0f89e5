#include "tools/session.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <variant>

#include "tools/console.h"
#include "tools/progress.h"

namespace tidemark::tools {

std::string AbsolutePath(const std::string& path) {
  std::error_code error;
  const Served* const served = Scope::current();
  const std::filesystem::path absolute = served != nullptr
                                             ? std::filesystem::path(served->directory) / path
                                             : std::filesystem::absolute(path, error);
  if (error) return path;
  std::string text = absolute.lexically_normal().string();
  if (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

namespace {

Subject MakeSubject(Subject::Kind kind, const std::string& store, const std::string& object) {
  return {.kind = kind, .store = store, .object = object};
}

// A date and time of day (or a date alone) that does not say of which zone.
bool IsLocalTime(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  if (text.size() < 10 || text.find_first_not_of("0123456789") != 4 || text[4] != '-') return false;
  const char zone = text.size() > 16 ? text[text.size() - 6] : ' ';
  return text.back() != 'Z' && text.back() != 'z' && zone != '+' && zone != '-';
}

}  // namespace

ObjectName ParseObjectName(const std::string& text, const std::string& store) {
  const size_t slash = text.find('/');
  if (slash == std::string::npos) {
    throw UsageFailure("", "\"" + text +
                               "\" names no object: OBJECT is NAMESPACE/NAME, such as "
                               "rooms/lobby");
  }
  ObjectName object{
      .namespace_name = text.substr(0, slash), .name = text.substr(slash + 1), .text = text};
  const Subject subject = MakeSubject(Subject::Kind::kObject, store, text);
  OrThrow(ValidateNamespaceName(object.namespace_name), subject);
  OrThrow(ValidateName("object name", object.name), subject);
  return object;
}

Result<Point> ParsePointNow(const std::string& text) {
  const Served* const served = Scope::current();
  if (served != nullptr && !served->same_time_zone && IsLocalTime(text)) {
    throw UsageFailure("", "the process that has the store open is in another time zone: write \"" +
                               text + "\" with its zone, such as 2026-11-21T04:05:06Z or +01:00");
  }
  return ParsePoint(text, Clock::System()->Now());
}

Point ParsePointArgument(const std::string& text, const std::string& store,
                         const ObjectName& object) {
  return OrThrow(ParsePointNow(text),
                 MakeSubject(Subject::Kind::kPoint, AbsolutePath(store), object.text));
}

RestoreOptions ParseAlarms(const std::optional<std::string>& text, Alarms otherwise) {
  if (!text) return {.alarms = otherwise};
  if (*text == "restore") return {.alarms = Alarms::kRestore};
  if (*text == "keep") return {.alarms = Alarms::kKeep};
  if (*text == "clear") return {.alarms = Alarms::kClear};
  throw UsageFailure("", "--alarms is \"restore\", \"keep\" or \"clear\", not \"" + *text + "\"");
}

Session::Session(const std::string& directory, IndexCheck check) : path_(AbsolutePath(directory)) {
  if (const Served* const served = Scope::current()) {
    store_ = served->store;
    return;
  }
  Progress progress("replaying the log");
  StoreOptions options;
  // A command does what it is asked to: history expires by `tidemark prune`.
  options.retention_share = 0;
  options.scrub_interval = options.drill_interval = std::chrono::seconds(0);
  options.recovery_progress = [&progress](uint64_t done, uint64_t total) {
    progress.Update(done, total);
  };
  options.check_index = check == IndexCheck::kAllPages;
  auto opened = Store::Open(directory, options);
  if (!opened.ok()) {
    Failure failure = Explain(opened.status(), AboutStore());
    // The hint is to verify, which opens the store, too.
    if (failure.hint.find("verify") != std::string::npos) {
      failure.hint = "bring the files back from a copy; or what is whole into a new store by: " +
                     Command({"salvage", path_, path_ + ".salvaged"});
    }
    throw failure;
  }
  owned_ = *std::move(opened);
  store_ = owned_.get();
}

Session::~Session() {
  // Only after a failure that is already on its way to the user, or work that needs no closing.
  if (owned_) static_cast<void>(owned_->Close());
}

std::shared_ptr<Object> Session::OpenObject(const ObjectName& object, IfMissing if_missing) {
  return OrThrow(store_->OpenObject(object.namespace_name, object.name, if_missing),
                 AboutObject(object.text));
}

std::shared_ptr<Object> Session::OpenOrCreateObject(const ObjectName& object) {
  return OrThrow(store_->OpenObject(object.namespace_name, object.name, IfMissing::kCreate),
                 AboutObject(object.text));
}

CommitInfo Session::ResolveCommit(const Object& object, const std::optional<Point>& at) {
  if (!at) return object.head();
  return OrThrow(object.Resolve(*at), AboutPoint(object.DisplayName(), *at));
}

void Session::Close() {
  const Status status = owned_ ? owned_->Close() : store_->Sync();
  owned_.reset();
  store_ = nullptr;
  OrThrow(status, AboutStore());
}

Subject Session::AboutStore() const { return MakeSubject(Subject::Kind::kStore, path_, ""); }

Subject Session::AboutObject(const std::string& object) const {
  return MakeSubject(Subject::Kind::kObject, path_, object);
}

Subject Session::AboutPoint(const std::string& object, const Point& at) const {
  if (std::holds_alternative<Label>(at)) return AboutLabel(object);
  return MakeSubject(Subject::Kind::kPoint, path_, object);
}

Subject Session::AboutLabel(const std::string& object, const std::string& label) const {
  Subject subject = MakeSubject(Subject::Kind::kLabel, path_, object);
  subject.label = label;
  return subject;
}

uint64_t DatabaseBytes(const CommitInfo& commit) {
  return uint64_t{commit.page_size} * commit.page_count;
}

Json CommitJson(const Object& object, const CommitInfo& commit) {
  return {{"bookmark", object.BookmarkOf(commit).ToString()},
          {"lsn", commit.lsn.value},
          {"time", FormatTime(commit.time)},
          {"kind", CommitKindName(commit.kind)},
          {"page_size", commit.page_size},
          {"page_count", commit.page_count},
          {"bytes", DatabaseBytes(commit)},
          {"pages_changed", commit.pages_changed},
          {"log_bytes", commit.log_bytes},
          {"schema_changed", commit.schema_changed},
          {"alarm", commit.alarm ? Json(FormatTime(*commit.alarm)) : Json()}};
}

std::string DescribeCommit(const Object& object, const CommitInfo& commit) {
  return object.BookmarkOf(commit).ToString() + "  (" + FormatLocalTime(commit.time) + ", " +
         (commit.kind == CommitKind::kDelete ? "deleted" : FormatBytes(DatabaseBytes(commit))) +
         ")";
}

bool SameState(const CommitInfo& a, const CommitInfo& b) {
  return a.state_hash == b.state_hash && a.page_count == b.page_count &&
         a.page_size == b.page_size &&
         (a.kind == CommitKind::kDelete) == (b.kind == CommitKind::kDelete);
}

Point FixedPoint(const Object& object, const std::optional<Point>& at, const CommitInfo& commit) {
  if (at && std::holds_alternative<Label>(*at)) return *at;
  return object.BookmarkOf(commit);
}

std::string RestoreCommand(const Session& session, const std::string& object,
                           const Bookmark& bookmark) {
  return RestoreCommand(session, object, bookmark.ToString());
}

std::string RestoreCommand(const Session& session, const std::string& object,
                           const std::string& label) {
  return Command({"restore", session.path(), object, "--to", label});
}

void PrintJson(const Json& json) { PrintLine(DumpJson(json)); }

void PrintLine(const std::string& line) { Print(line + "\n"); }

void PrintNote(const std::string& line) { ThisConsole().Err(line + "\n"); }

}  // namespace tidemark::tools
