#include "tools/line_editor.h"

#include <histedit.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cwchar>
#include <filesystem>
#include <utility>

#include "engine/check.h"
#include "tools/interrupts.h"
#include "tools/text.h"

namespace tidemark::tools {

namespace {

constexpr int kRememberedLines = 1000;
constexpr size_t kMaxRememberedBytes = 65536;
constexpr size_t kShownCandidates = 200;

// The longest text that all of `candidates` begin with.
std::string CommonPrefix(const std::vector<std::string>& candidates) {
  std::string prefix = candidates.front();
  for (const std::string& candidate : candidates) {
    const auto ends =
        std::mismatch(prefix.begin(), prefix.end(), candidate.begin(), candidate.end());
    prefix.erase(ends.first, prefix.end());
  }
  // Not a part of a character.
  while (!prefix.empty() && !IsUtf8(prefix)) prefix.pop_back();
  return prefix;
}

}  // namespace

class LineEditor::Impl {
 public:
  Impl(std::function<Completion(std::string_view)> complete, std::string history_path)
      : complete_(std::move(complete)), history_path_(std::move(history_path)) {
    editor_ = el_init("tidemark", stdin, stdout, stderr);
    history_ = history_init();
    CHECK(editor_ != nullptr);
    CHECK(history_ != nullptr);
    HistEvent event;
    history(history_, &event, H_SETSIZE, kRememberedLines);
    history(history_, &event, H_SETUNIQUE, 1);
    if (!history_path_.empty()) history(history_, &event, H_LOAD, history_path_.c_str());

    el_set(editor_, EL_CLIENTDATA, this);
    el_set(editor_, EL_PROMPT, &Impl::Prompt);
    el_set(editor_, EL_EDITOR, "emacs");
    el_set(editor_, EL_HIST, history, history_);
    el_set(editor_, EL_SIGNAL, 1);
    el_set(editor_, EL_GETCFN, &Impl::ReadCharacter);
    // Not el_set, which copies these two texts and never frees the copies.
    el_wset(editor_, EL_ADDFN, L"tidemark-complete", L"completes a name", &Impl::Complete);
    el_set(editor_, EL_BIND, "^I", "tidemark-complete", nullptr);
    el_set(editor_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    el_source(editor_, nullptr);  // ~/.editrc, which may say otherwise
  }

  ~Impl() {
    el_end(editor_);
    history_end(history_);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Read ReadLine(const std::string& prompt, std::string* line) {
    prompt_ = prompt;
    // Before the prompt, which tells whoever types that keys are keys from there on.
    el_set(editor_, EL_PREP_TERM, 1);
    int size = 0;
    const char* text = el_gets(editor_, &size);
    if (Interrupts::pending()) {
      // The signal may have cut a write of libedit's short, which is no failure of the output.
      std::clearerr(stdout);
      std::fputs("^C\n", stdout);
      return Read::kInterrupted;
    }
    if (text == nullptr || size <= 0) {
      std::fputs("\n", stdout);
      return Read::kEnd;
    }
    *line = text;  // `size` counts characters
    while (!line->empty() && (line->back() == '\n' || line->back() == '\r')) line->pop_back();
    return Read::kLine;
  }

  void Remember(const std::string& line) {
    if (line.empty() || line[0] == ' ' || line.size() > kMaxRememberedBytes) return;
    if (line.find_first_not_of(" \t") == std::string::npos) return;
    HistEvent event;
    history(history_, &event, H_ENTER, line.c_str());
    if (!history_path_.empty() && !Save()) history_path_.clear();
  }

 private:
  static char* Prompt(EditLine* editor) { return Of(editor).prompt_.data(); }

  static Impl& Of(EditLine* editor) {
    void* self = nullptr;
    el_get(editor, EL_CLIENTDATA, &self);
    return *static_cast<Impl*>(self);
  }

  // libedit's own goes on reading after a signal.
  static int ReadCharacter(EditLine* /*editor*/, wchar_t* character) {
    std::mbstate_t state{};
    for (;;) {
      pollfd ready[] = {{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0},
                        {.fd = Interrupts::pending_fd(), .events = POLLIN, .revents = 0}};
      if (::poll(ready, 2, -1) < 0 && errno != EINTR) return -1;
      if (Interrupts::pending()) return -1;
      if (ready[0].revents == 0) continue;
      char byte = 0;
      const ssize_t got = ::read(STDIN_FILENO, &byte, 1);
      if (got <= 0) return static_cast<int>(got);
      switch (std::mbrtowc(character, &byte, 1, &state)) {
        case static_cast<size_t>(-2): continue;              // the character goes on
        case static_cast<size_t>(-1): state = {}; continue;  // no UTF-8: passed over
        default: return 1;
      }
    }
  }

  static unsigned char Complete(EditLine* editor, wint_t /*character*/) {
    const LineInfo* info = el_line(editor);
    const std::string before(info->buffer, info->cursor);
    const Completion completion = Of(editor).complete_(before);
    if (completion.candidates.empty()) return CC_REFRESH_BEEP;
    const std::string prefix = CommonPrefix(completion.candidates);
    const std::string word = before.substr(completion.word_begin);
    // Of names that differ in case what is common may be shorter than the word.
    if (prefix.size() >= word.size() && prefix != word) {
      size_t kept = word.size();
      if (prefix.compare(0, kept, word) != 0) {  // it differs in case
        kept = 0;
        el_deletestr(editor, static_cast<int>(CharacterCount(word)));
      }
      if (el_insertstr(editor, prefix.c_str() + kept) != 0) return CC_ERROR;
    }
    if (completion.candidates.size() == 1) return CC_REFRESH;
    if (prefix.size() > word.size()) return CC_REFRESH;
    std::fputs("\n", stdout);
    size_t shown = 0;
    for (const std::string& candidate : completion.candidates) {
      if (shown++ == kShownCandidates) break;
      std::printf("%s  ", PrintableLine(candidate).c_str());
    }
    std::printf("%s\n", completion.candidates.size() > kShownCandidates ? "…" : "");
    return CC_REDISPLAY;
  }

  // What libedit deletes by.
  static size_t CharacterCount(const std::string& text) {
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    }));
  }

  // Whole under its name or not at all: another shell may be reading it.
  bool Save() {
    namespace fs = std::filesystem;
    std::error_code error;
    const fs::path directory = fs::path(history_path_).parent_path();
    if (!fs::exists(directory, error)) {
      fs::create_directories(directory, error);
      if (error) return false;
      fs::permissions(directory, fs::perms::owner_all, error);
    }
    std::string temporary = history_path_ + ".XXXXXX";
    const int fd = ::mkstemp(temporary.data());  // for this user only
    if (fd < 0) return false;
    std::FILE* file = ::fdopen(fd, "w");
    if (file == nullptr) {
      ::close(fd);
      ::unlink(temporary.c_str());
      return false;
    }
    HistEvent event;
    bool saved = history(history_, &event, H_SAVE_FP, file) >= 0;
    saved = std::fclose(file) == 0 && saved;
    saved = saved && std::rename(temporary.c_str(), history_path_.c_str()) == 0;
    if (!saved) ::unlink(temporary.c_str());
    return saved;
  }

  const std::function<Completion(std::string_view)> complete_;
  std::string history_path_;
  EditLine* editor_ = nullptr;
  History* history_ = nullptr;
  std::string prompt_;
};

LineEditor::LineEditor(std::function<Completion(std::string_view)> complete,
                       std::string history_path)
    : impl_(std::make_unique<Impl>(std::move(complete), std::move(history_path))) {}

LineEditor::~LineEditor() = default;

LineEditor::Read LineEditor::ReadLine(const std::string& prompt, std::string* line) {
  return impl_->ReadLine(prompt, line);
}

void LineEditor::Remember(const std::string& line) { impl_->Remember(line); }

std::string HistoryPath() {
  const char* state = std::getenv("XDG_STATE_HOME");
  // The specification has relative paths ignored.
  if (state != nullptr && state[0] == '/') return std::string(state) + "/tidemark/shell_history";
  const char* home = std::getenv("HOME");
  if (home == nullptr || home[0] != '/') return "";
  return std::string(home) + "/.local/state/tidemark/shell_history";
}

}  // namespace tidemark::tools
