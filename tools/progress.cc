#include "tools/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "tools/console.h"
#include "tools/failure.h"
#include "tools/text.h"

namespace tidemark::tools {

namespace {

constexpr auto kQuietTime = std::chrono::seconds(1);
constexpr auto kRedrawTime = std::chrono::milliseconds(100);

volatile std::sig_atomic_t interrupt_signal = 0;

void OnInterrupt(int signal_number) { interrupt_signal = signal_number; }

}  // namespace

Progress::Options Progress::Stderr() {
  Options options;
  if (Scope::current() != nullptr) return options;
  options.terminal = isatty(STDERR_FILENO) == 1;
  winsize size{};
  if (options.terminal && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    options.columns = size.ws_col;
  }
  return options;
}

Progress::Progress(std::string label, Options options)
    : label_(std::move(label)), options_(std::move(options)), start_(options_.now()) {}

Progress::~Progress() { Hide(); }

void Progress::Hide() {
  if (!drawn_) return;
  drawn_ = false;
  std::fputs("\r\033[K", options_.out);
  std::fflush(options_.out);
}

void Progress::Update(uint64_t done, uint64_t total) {
  if (!options_.terminal) return;
  const Time now = options_.now();
  if (now - start_ < kQuietTime || now - last_drawn_ < kRedrawTime) return;
  last_drawn_ = now;
  drawn_ = true;

  const auto elapsed = std::chrono::duration_cast<std::chrono::seconds>(now - start_).count();
  std::array<char, 64> tail{};
  std::string line = label_;
  if (total == 0) {
    std::snprintf(tail.data(), tail.size(), " %lld s", static_cast<long long>(elapsed));
    line += tail.data();
  } else {
    const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
    const double remaining = share > 0 ? static_cast<double>(elapsed) / share * (1 - share) : 0;
    std::snprintf(tail.data(), tail.size(), " %3.0f%% %.0f s left", share * 100, remaining);
    const size_t text_columns = DisplayWidth(label_) + 24;
    if (options_.columns > text_columns + 10) {
      const size_t bar = std::min<size_t>(40, options_.columns - text_columns);
      const auto filled = static_cast<size_t>(share * static_cast<double>(bar));
      line += " [" + std::string(filled, '#') + std::string(bar - filled, '.') + "]";
    }
    line += tail.data();
  }
  std::fprintf(options_.out, "\r%s\033[K", line.c_str());
  std::fflush(options_.out);
}

InterruptGuard::InterruptGuard() {
  interrupt_signal = 0;
  struct sigaction action {};
  action.sa_handler = OnInterrupt;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, &old_int_);
  sigaction(SIGTERM, &action, &old_term_);
  sigaction(SIGHUP, &action, &old_hup_);
}

InterruptGuard::~InterruptGuard() {
  sigaction(SIGINT, &old_int_, nullptr);
  sigaction(SIGTERM, &old_term_, nullptr);
  sigaction(SIGHUP, &old_hup_, nullptr);
}

bool InterruptGuard::interrupted() { return interrupt_signal != 0; }

void InterruptGuard::ThrowIfInterrupted(const std::string& what_holds) {
  if (!interrupted()) return;
  throw Failure("interrupted", kExitFailed, "interrupted; " + what_holds, "");
}

}  // namespace tidemark::tools
