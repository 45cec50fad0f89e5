// RuntimeOptions: how a Runtime runs its actors.

#ifndef TIDEMARK_RUNTIME_OPTIONS_H_
#define TIDEMARK_RUNTIME_OPTIONS_H_

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "api/options.h"
#include "engine/clock.h"
#include "runtime/log.h"

namespace tidemark {

// Of one class (Runtime::Define).
struct ClassOptions {
  // Its actors stay in memory until they are reset or the runtime shuts down.
  bool prevent_eviction = false;
};

struct RuntimeOptions {
  // Whose classes these are, where applications share a store (runtime/migrations.h). Any text.
  std::string application{};
  // Threads of the runtime's own; 0: as many as the machine has processors.
  size_t threads = 0;
  // Where actors run instead, one's own io_context for one. It must outlive the runtime, and run.
  std::optional<boost::asio::any_io_executor> executor{};
  // What time it is. With another one than the system's nothing happens by itself when time passes:
  // Runtime::RunDue() does what is due.
  const Clock* clock = Clock::System();

  // An actor that did nothing for so long, and that nothing waits for, gives back its memory.
  std::chrono::milliseconds hibernate_after = std::chrono::seconds(10);
  // Actors in memory; beyond this the least recently used idle ones go at once.
  size_t most_resident = 100'000;
  // Calls that wait for one actor; more fail as overloaded.
  size_t most_waiting_calls = 10'000;
  // Bytes of what those calls were given, about; likewise. One call that waits alone may have more.
  size_t most_waiting_bytes = 64 << 20;
  // A call that has waited for so long fails as overloaded, at the latest a second later, and never
  // comes to its actor.
  std::chrono::milliseconds longest_wait = std::chrono::seconds(10);
  // An event that has not ended after so long, since its method began, resets its actor; 0: it may
  // take as long as it likes. Code that does not await is not interrupted.
  std::chrono::milliseconds event_limit{0};
  // Code that keeps a thread for longer than this, without awaiting anything, is logged and counted
  // while it does so, a second later at the latest, if another thread is free; 0: it is not.
  std::chrono::milliseconds report_blocked_after = std::chrono::seconds(1);
  // Critical sections within each other.
  size_t most_nested_sections = 64;
  // One that lasts longer resets its actor, as overloaded.
  std::chrono::milliseconds section_limit = std::chrono::seconds(30);

  // An alarm's handler that lasts longer resets its actor, and is tried again.
  std::chrono::milliseconds alarm_limit = std::chrono::minutes(15);
  // Handlers of alarms under way at once, those that await something too; more that are due wait
  // until one of them has ended.
  size_t most_running_alarms = 1000;
  // Is told what people may want to know of (runtime/log.h). None: nobody is.
  LogHook log{};

  // For Actor::PreShutdown; then the actor goes all the same.
  std::chrono::milliseconds pre_shutdown_limit = std::chrono::seconds(10);
  // For events that have begun when Runtime::Shutdown is called; then they are cut off.
  std::chrono::milliseconds shutdown_grace = std::chrono::seconds(30);

  // Of each actor's storage. Its commit mode and durability are the runtime's.
  StorageOptions storage{};
};

}  // namespace tidemark

#endif  // TIDEMARK_RUNTIME_OPTIONS_H_
