#include "runtime/internal/runtime_state.h"

#include <algorithm>
#include <thread>

#include <boost/asio/execution.hpp>
#include <boost/asio/post.hpp>

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

}  // namespace

RuntimeState::RuntimeState(Store& store, const RuntimeOptions& options)
    : store_(store), options_(options), alarms_(std::make_shared<AlarmScheduler>(store)) {
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

void RuntimeState::Post(std::function<void()> call) {
  boost::asio::post(executor_, std::move(call));
}

std::shared_ptr<const ActorClass> RuntimeState::Define(ActorClass actor_class) {
  const std::string name = actor_class.name;
  if (const Status status = ValidateNamespaceName(name); !status.ok()) throw Error(status);
  std::lock_guard lock(classes_mutex_);
  if (classes_.contains(name)) {
    throw Error(Status(StatusCode::kExists, "the class " + name + " is defined already"));
  }
  actor_class.space = SpaceOf(name);
  actor_class.ids = ObjectIdFactory(actor_class.space);
  auto& entry = classes_[name] = std::make_shared<const ActorClass>(std::move(actor_class));
  alarms_->Refresh();
  return entry;
}

std::shared_ptr<const ActorClass> RuntimeState::ClassOfSpace(const std::string& space) {
  std::lock_guard lock(classes_mutex_);
  for (const auto& [name, actor_class] : classes_) {
    if (actor_class->space == space) return actor_class;
  }
  return nullptr;
}

// ---- who is in memory --------------------------------------------------------------------------

std::shared_ptr<ActorHost> RuntimeState::HostOf(
    const std::shared_ptr<const ActorClass>& actor_class, const ActorId& id) {
  Shard& shard = ShardOf(id.object);
  bool too_many = false;
  std::shared_ptr<ActorHost> host;
  {
    std::lock_guard lock(shard.mutex);
    auto& entry = shard.hosts[{actor_class.get(), id.object}];
    if (entry != nullptr) return entry;
    std::lock_guard count_lock(count_mutex_);
    if (closed_) {
      shard.hosts.erase({actor_class.get(), id.object});
      throw ShutDownError(*actor_class, id);
    }
    entry = std::make_shared<ActorHost>(shared_from_this(), actor_class, id);
    host = entry;
    too_many = ++count_ > options_.most_resident && count_ >= cap_at_;
    // Those who go do so later: not everybody who comes meanwhile is to look at all of them.
    if (too_many) cap_at_ = count_ + CapBatch();
  }
  // Not at once: the one that was just made has not got its event yet.
  if (too_many) {
    Post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->KeepToCap();
    });
  }
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
  if (--count_ <= options_.most_resident) cap_at_ = 0;
  gone_.notify_all();
}

std::unique_ptr<ObjectStorage> RuntimeState::OpenStorage(const ActorClass& actor_class,
                                                         const ActorId& id,
                                                         const StorageOptions& options) {
  // The store keeps no other names: such objects are there by their ids.
  if (id.name && ValidateName("object name", *id.name).ok()) {
    return ObjectStorage::Open(store_, actor_class.space, *id.name, options);
  }
  return ObjectStorage::Open(store_, actor_class.space, id.object, options);
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
  KeepToCap();
  const std::chrono::microseconds now = Now();
  const std::chrono::microseconds idle_since = now - options_.hibernate_after;
  const std::chrono::microseconds rest_since = now - kRestAfter;
  for (const auto& host : Hosts()) {
    host->ExpireWaiting(now);
    host->ReportIfBlocked(now);
    if (host->last_active() <= idle_since) {
      host->HibernateIfIdle(idle_since, Count::kHibernatedIdle);
    } else if (host->last_active() <= rest_since) {
      host->RestIfIdle(rest_since);
    }
  }
}

// Some more than must go, so that not each that comes is a look at all of them.
size_t RuntimeState::CapBatch() const { return std::max<size_t>(1, options_.most_resident / 16); }

void RuntimeState::KeepToCap() {
  std::vector<std::shared_ptr<ActorHost>> hosts = Hosts();
  if (hosts.size() <= options_.most_resident) return;
  const size_t go = std::min(hosts.size(), hosts.size() - options_.most_resident + CapBatch() - 1);
  // By when they were active as of now: an order that changes while it is looked for is none.
  std::vector<std::pair<std::chrono::microseconds, ActorHost*>> active;
  active.reserve(hosts.size());
  for (const auto& host : hosts) active.emplace_back(host->last_active(), host.get());
  const auto end = active.begin() + static_cast<ptrdiff_t>(go);
  std::nth_element(active.begin(), end, active.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  const std::chrono::microseconds now = Now();
  for (auto host = active.begin(); host != end; ++host) {
    host->second->HibernateIfIdle(now, Count::kHibernatedCap);
  }
}

ActorError RuntimeState::ShutDownError(const ActorClass& actor_class, const ActorId& id) const {
  return ActorError(ActorFailure::kDisconnected,
                    Status(StatusCode::kBusy, "the runtime of " + actor_class.name + " " +
                                                  id.ToString() + " is shutting down"),
                    id.object);
}

void RuntimeState::Shutdown() {
  const std::chrono::microseconds end = Now() + options_.shutdown_grace;
  if (stopping_.exchange(true)) return;
  alarms_->Stop();
  std::unique_lock lock(count_mutex_);
  while (count_ > 0) {
    closed_ = Now() > end;
    const bool cut_off = closed_;
    lock.unlock();
    for (const auto& host : Hosts()) {
      if (cut_off) {
        host->BreakSoon(std::make_exception_ptr(ShutDownError(host->actor_class(), host->id())),
                        Count::kResetByShutdown);
      } else {
        host->HibernateIfIdle(std::chrono::microseconds::max(), Count::kHibernatedShutdown);
      }
    }
    lock.lock();
    // What is busy is asked again.
    gone_.wait_for(lock, std::chrono::milliseconds(10), [this] { return count_ == 0; });
  }
  closed_ = true;
  lock.unlock();
  timers_->Stop();
  if (pool_) pool_->join();
}

}  // namespace tidemark::internal
