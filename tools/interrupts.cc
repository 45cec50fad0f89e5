#include "tools/interrupts.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "engine/check.h"

namespace tidemark::tools {

namespace {

// Read by the handler, which may do so while they are written.
std::atomic<bool> pending_signal{false};
std::atomic<sqlite3*> running{nullptr};
std::atomic<int> event_fd{-1};
static_assert(std::atomic<bool>::is_always_lock_free);
static_assert(std::atomic<int>::is_always_lock_free);
static_assert(std::atomic<sqlite3*>::is_always_lock_free);

void OnInterrupt(int /*signal_number*/) {
  const int saved_errno = errno;
  pending_signal = true;
  static_cast<void>(eventfd_write(event_fd, 1));     // fails only if it is known to billions
  if (sqlite3* db = running) sqlite3_interrupt(db);  // sets a flag
  errno = saved_errno;
}

}  // namespace

Interrupts::Interrupts() {
  event_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  CHECK(event_fd >= 0);
  Clear();
  struct sigaction action {};
  action.sa_handler = OnInterrupt;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;  // of what is written; poll() returns all the same
  sigaction(SIGINT, &action, &old_);
}

Interrupts::~Interrupts() {
  sigaction(SIGINT, &old_, nullptr);
  ::close(event_fd.exchange(-1));
}

bool Interrupts::pending() { return pending_signal; }

int Interrupts::pending_fd() { return event_fd; }

void Interrupts::Clear() {
  eventfd_t count = 0;
  static_cast<void>(eventfd_read(event_fd, &count));  // none may be there
  pending_signal = false;
}

Interrupts::Statement::Statement(sqlite3* db) { running = db; }

Interrupts::Statement::~Statement() { running = nullptr; }

}  // namespace tidemark::tools
