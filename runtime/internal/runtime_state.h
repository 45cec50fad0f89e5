// RuntimeState: what all actors of a runtime share: where they run, which are in memory, the store.
//
// Threads: any.

#ifndef TIDEMARK_RUNTIME_INTERNAL_RUNTIME_STATE_H_
#define TIDEMARK_RUNTIME_INTERNAL_RUNTIME_STATE_H_

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <iosfwd>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <typeindex>
#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>

#include "engine/object_id.h"
#include "engine/store.h"
#include "runtime/actor_error.h"
#include "runtime/actor_id.h"
#include "runtime/internal/actor_host.h"
#include "runtime/internal/actor_metrics.h"
#include "runtime/internal/alarm_scheduler.h"
#include "runtime/internal/class_registry.h"
#include "runtime/internal/timer_queue.h"
#include "runtime/listing.h"
#include "runtime/options.h"

namespace tidemark::internal {

struct ActorClass {
  std::string name;
  std::string space;  // its namespace in the store, of which its ids are made
  ObjectIdFactory ids;
  std::function<std::unique_ptr<Actor>(ActorState&)> make;
  std::type_index type = typeid(void);  // what `make` makes
  ClassOptions options{};
  bool has_alarm_handler = false;  // it overrides Actor::OnAlarm
  bool has_pre_shutdown = false;   // it overrides Actor::PreShutdown
  std::unique_ptr<ActorMetrics> metrics = std::make_unique<ActorMetrics>();
};

class RuntimeState : public std::enable_shared_from_this<RuntimeState> {
 public:
  RuntimeState(Store& store, const RuntimeOptions& options);
  ~RuntimeState();

  const RuntimeOptions& options() const { return options_; }
  boost::asio::execution_context& context() const;
  std::chrono::microseconds Now() const { return options_.clock->Monotonic(); }
  // Now, in this thread, if it is one that actors run on.
  void Execute(std::function<void()> call);
  // Later.
  void Post(std::function<void()> call);

  // `space` and `ids` are filled in here: by what migrations said, or the name.
  std::shared_ptr<const ActorClass> Define(ActorClass actor_class);
  // The class of a namespace of the store. Null if none is defined for it.
  std::shared_ptr<const ActorClass> ClassOfSpace(const std::string& space);
  MigrationReport Migrate(const std::vector<Migration>& migrations);
  // A class that is defined, by its name or one that it had before.
  std::shared_ptr<const ActorClass> FindClass(const std::string& name, std::type_index type);

  // Sends a call to the live instance of an object, which is made if there is none.
  void Deliver(const std::shared_ptr<const ActorClass>& actor_class, const ActorId& id,
               const std::shared_ptr<CallBase>& call);
  // Throws ActorError: kDisconnected, when the runtime shuts down.
  std::shared_ptr<ActorHost> HostOf(const std::shared_ptr<const ActorClass>& actor_class,
                                    const ActorId& id);
  // The host's storage is closed.
  void Forget(const ActorHost& host);
  std::unique_ptr<ObjectStorage> OpenStorage(const ActorClass& actor_class, const ActorId& id,
                                             const StorageOptions& options);

  TimerQueue& timers() { return *timers_; }
  AlarmScheduler& alarms() { return *alarms_; }
  Store& store() const { return store_; }
  NamespacePage ListNamespaces(const PageOptions& options) const;

  void StartSweeping();
  // Lets idle actors go, fails calls that have waited for too long, and sees who keeps a thread.
  void Sweep();
  // Lets the least recently used idle actors go, if there are more than
  // RuntimeOptions::most_resident.
  void KeepToCap();
  void Shutdown();
  // Only what actors ask for is still let in.
  bool stopping() const { return stopping_.load(std::memory_order_relaxed); }
  ActorError ShutDownError(const ActorClass& actor_class, const ActorId& id) const;
  size_t resident_count() const;

  void WriteMetrics(std::ostream& out) const;
  // Tells RuntimeOptions::log, if there is one.
  void Log(const LogRecord& record) const noexcept;

 private:
  struct Shard {
    mutable std::mutex mutex;
    std::map<std::pair<const ActorClass*, ObjectId>, std::shared_ptr<ActorHost>> hosts;
  };
  static constexpr size_t kShards = 64;

  Shard& ShardOf(const ObjectId& id) { return shards_[std::hash<ObjectId>()(id) % kShards]; }
  std::vector<std::shared_ptr<ActorHost>> Hosts() const;
  size_t CapBatch() const;
  const ClassRegistry& Registry();
  std::string SpaceOf(const std::string& name);

  Store& store_;
  const RuntimeOptions options_;
  std::optional<boost::asio::thread_pool> pool_;
  boost::asio::any_io_executor executor_;
  std::shared_ptr<TimerQueue> timers_;
  const std::shared_ptr<AlarmScheduler> alarms_;

  mutable std::mutex classes_mutex_;
  std::map<std::string, std::shared_ptr<const ActorClass>> classes_;
  std::unique_ptr<const ClassRegistry> registry_;  // null: not read yet

  std::array<Shard, kShards> shards_;
  mutable std::mutex count_mutex_;
  std::condition_variable gone_;
  size_t count_ = 0;     // of hosts
  size_t cap_at_ = 0;    // KeepToCap has looked already, and does so again with so many
  bool closed_ = false;  // nobody comes into memory any more
  std::atomic<bool> stopping_ = false;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_RUNTIME_INTERNAL_RUNTIME_STATE_H_
