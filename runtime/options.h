// RuntimeOptions: how a Runtime runs its actors.

#ifndef TIDEMARK_RUNTIME_OPTIONS_H_
#define TIDEMARK_RUNTIME_OPTIONS_H_

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>

#include <boost/asio/any_io_executor.hpp>

#include "api/options.h"
#include "engine/clock.h"
#include "runtime/alarm.h"

namespace tidemark {

struct RuntimeOptions {
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
  // Critical sections within each other.
  size_t most_nested_sections = 64;
  // One that lasts longer resets its actor, as overloaded.
  std::chrono::milliseconds section_limit = std::chrono::seconds(30);

  // An alarm's handler that lasts longer resets its actor, and is tried again.
  std::chrono::milliseconds alarm_limit = std::chrono::minutes(15);
  // Handlers of alarms under way at once, those that await something too; more that are due wait
  // until one of them has ended.
  size_t most_running_alarms = 1000;
  // Told of an alarm that is tried no more. Comes from a thread of the runtime, which it must not
  // block, and must not throw.
  std::function<void(const GivenUpAlarm&)> on_alarm_given_up{};

  // Of each actor's storage. Its commit mode and durability are the runtime's.
  StorageOptions storage{};
};

}  // namespace tidemark

#endif  // TIDEMARK_RUNTIME_OPTIONS_H_
