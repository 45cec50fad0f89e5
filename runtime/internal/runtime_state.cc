#include "runtime/internal/runtime_state.h"

#include <algorithm>
#include <thread>

#include <boost/asio/execution.hpp>

#include "runtime/actor.h"
#include "runtime/actor_error.h"

namespace tidemark::internal {
namespace {

constexpr std::chrono::seconds kSweepEvery{1};
// An actor that did nothing for so long keeps only the memory that it cannot get again.
constexpr std::chrono::seconds kRestAfter{1};

size_t ThreadsOf(const RuntimeOptions& options) {
  if (options.threads > 0) return options.threads;
  return std::max(1u, std::thread::hardware_concurrency());
}

ActorError ShutDown(const ActorClass& actor_class, const ActorId& id) {
  return ActorError(ActorFailure::kDisconnected,
                    Status(StatusCode::kBusy, "the runtime of " + actor_class.name + " " +
                                                  id.ToString() + " is shutting down"),
                    id.object);
}

}  // namespace

RuntimeState::RuntimeState(Store& store, const RuntimeOptions& options)
    : store_(store), options_(options) {
  if (options_.executor) {
    executor_ = *options_.executor;
  } else {
    pool_.emplace(ThreadsOf(options_));
    executor_ = pool_->get_executor();
  }
  timers_ = std::make_shared<TimerQueue>(options_.clock, executor_);
}

RuntimeState::~RuntimeState() = default;

boost::asio::execution_context& RuntimeState::context() const {
  return boost::asio::query(executor_, boost::asio::execution::context);
}

void RuntimeState::Execute(std::function<void()> call) {
  boost::asio::execution::execute(executor_, std::move(call));
}

std::shared_ptr<const ActorClass> RuntimeState::Define(
    const std::string& name, std::function<std::unique_ptr<Actor>(ActorState&)> make) {
  if (const Status status = ValidateNamespaceName(name); !status.ok()) throw Error(status);
  std::lock_guard lock(classes_mutex_);
  auto& entry = classes_[name];
  if (entry != nullptr) {
    throw Error(Status(StatusCode::kExists, "the class " + name + " is defined already"));
  }
  entry = std::make_shared<const ActorClass>(
      ActorClass{.name = name, .ids = ObjectIdFactory(name), .make = std::move(make)});
  return entry;
}

// ---- who is in memory --------------------------------------------------------------------------

std::shared_ptr<ActorHost> RuntimeState::HostOf(
    const std::shared_ptr<const ActorClass>& actor_class, const ActorId& id) {
  Shard& shard = ShardOf(id.object);
  size_t count = 0;
  std::shared_ptr<ActorHost> host;
  {
    std::lock_guard lock(shard.mutex);
    auto& entry = shard.hosts[{actor_class.get(), id.object}];
    if (entry != nullptr) return entry;
    std::lock_guard count_lock(count_mutex_);
    if (stopping_) {
      shard.hosts.erase({actor_class.get(), id.object});
      throw ShutDown(*actor_class, id);
    }
    entry = std::make_shared<ActorHost>(shared_from_this(), actor_class, id);
    host = entry;
    count = ++count_;
  }
  if (count > options_.most_resident) Sweep();
  return host;
}

void RuntimeState::Deliver(const std::shared_ptr<const ActorClass>& actor_class, const ActorId& id,
                           const std::shared_ptr<CallBase>& call) {
  try {
    while (!HostOf(actor_class, id)->Deliver(call)) {
    }
  } catch (const ActorError&) {
    call->Drop(std::current_exception());
  }
}

void RuntimeState::Forget(const ActorHost& host) {
  Shard& shard = ShardOf(host.id().object);
  std::shared_ptr<ActorHost> gone;  // not destroyed under the lock
  {
    std::lock_guard lock(shard.mutex);
    const auto found = shard.hosts.find({&host.actor_class(), host.id().object});
    if (found == shard.hosts.end() || found->second.get() != &host) return;
    gone = std::move(found->second);
    shard.hosts.erase(found);
  }
  std::lock_guard lock(count_mutex_);
  --count_;
  gone_.notify_all();
}

std::unique_ptr<ObjectStorage> RuntimeState::OpenStorage(const ActorClass& actor_class,
                                                         const ActorId& id,
                                                         const StorageOptions& options) {
  if (!id.name) return ObjectStorage::Open(store_, actor_class.name, id.object, options);
  return ObjectStorage::Open(store_, actor_class.name, *id.name, options);
}

std::vector<std::shared_ptr<ActorHost>> RuntimeState::Hosts() const {
  std::vector<std::shared_ptr<ActorHost>> hosts;
  for (const Shard& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    for (const auto& [key, host] : shard.hosts) hosts.push_back(host);
  }
  return hosts;
}

size_t RuntimeState::resident_count() const {
  std::lock_guard lock(count_mutex_);
  return count_;
}

// ---- hibernation -------------------------------------------------------------------------------

void RuntimeState::StartSweeping() {
  timers_->Add(kSweepEvery, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->Sweep();
    self->StartSweeping();
  });
}

void RuntimeState::Sweep() {
  std::vector<std::shared_ptr<ActorHost>> hosts = Hosts();
  const std::chrono::microseconds idle_since = Now() - options_.hibernate_after;
  const std::chrono::microseconds rest_since = Now() - kRestAfter;
  if (hosts.size() > options_.most_resident) {
    const auto nth = hosts.begin() + static_cast<ptrdiff_t>(hosts.size() - options_.most_resident);
    // By when they were active as of now: an order that changes while it is looked for is none.
    std::unordered_map<const ActorHost*, std::chrono::microseconds> active;
    for (const auto& host : hosts) active.emplace(host.get(), host->last_active());
    std::nth_element(hosts.begin(), nth, hosts.end(), [&](const auto& a, const auto& b) {
      return active.at(a.get()) < active.at(b.get());
    });
    for (auto host = hosts.begin(); host != nth; ++host) (*host)->HibernateIfIdle(Now());
    hosts.erase(hosts.begin(), nth);
  }
  for (const auto& host : hosts) {
    if (host->last_active() <= idle_since) {
      host->HibernateIfIdle(idle_since);
    } else if (host->last_active() <= rest_since) {
      host->RestIfIdle(rest_since);
    }
  }
}

void RuntimeState::Shutdown() {
  {
    std::lock_guard lock(count_mutex_);
    if (std::exchange(stopping_, true)) return;
  }
  std::unique_lock lock(count_mutex_);
  while (count_ > 0) {
    lock.unlock();
    for (const auto& host : Hosts()) host->HibernateIfIdle(std::chrono::microseconds::max());
    lock.lock();
    // What is busy is asked again.
    gone_.wait_for(lock, std::chrono::milliseconds(10), [this] { return count_ == 0; });
  }
  lock.unlock();
  timers_->Stop();
  if (pool_) pool_->join();
}

}  // namespace tidemark::internal
