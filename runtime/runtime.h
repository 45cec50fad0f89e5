// Runtime: live actors over a store, as Durable Objects have them.
//
//   Runtime runtime(*store);
//   auto counters = runtime.Define<Counter>("COUNTER");
//   int64_t total = counters.GetByName("home").CallBlocking(&Counter::Increment, 1);
//
// An actor comes into memory with the first call to it, and leaves it when it is idle; its storage
// stays. Its namespace in the store has the name it is defined with, and its objects those they
// were made from: so everything that reads a store reads them.
//
// Runtimes may share a store. An object's actor is in one of them at a time: calls in another one
// fail as kDisconnected, to be tried again, until it has left memory there.

#ifndef TIDEMARK_RUNTIME_RUNTIME_H_
#define TIDEMARK_RUNTIME_RUNTIME_H_

#include <cstddef>
#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <type_traits>
#include <typeindex>
#include <utility>
#include <vector>

#include "engine/export.h"
#include "engine/store.h"
#include "runtime/actor.h"
#include "runtime/actor_error.h"
#include "runtime/listing.h"
#include "runtime/migrations.h"
#include "runtime/object_namespace.h"
#include "runtime/options.h"

namespace tidemark {

class TIDEMARK_API Runtime {
 public:
  // The store must outlive it.
  explicit Runtime(Store& store, const RuntimeOptions& options = {});
  // As Shutdown.
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // Says that the objects of a namespace are actors of class T, which is constructed from an
  // ActorState&. Errors: kInvalidArgument (ValidateNamespaceName); kExists: it is defined already;
  // kNotFound: this application has migrations, and none made a class of that name, or it was
  // deleted or renamed (the message names the new name); those of Migrate.
  template <typename T>
  ObjectNamespace<T> Define(const std::string& name, const ClassOptions& options = {}) {
    static_assert(std::is_base_of_v<Actor, T>, "an actor's class derives from Actor");
    const auto make = [](ActorState& state) -> std::unique_ptr<Actor> {
      return std::make_unique<T>(state);
    };
    constexpr bool kTold =
        !std::is_same_v<decltype(&T::PreShutdown), decltype(&Actor::PreShutdown)>;
    return ObjectNamespace<T>(
        state_, DefineClass(name, make,
                            {.type = typeid(T),
                             .options = options,
                             .has_alarm_handler = runtime_detail::kAlarmHandlerOf<T> ==
                                                  runtime_detail::AlarmHandler::kHasOne,
                             .has_pre_shutdown = kTold}));
  }
  // The namespace of a class that is defined, by its name, or by one that it had before it was
  // renamed. Errors: kNotFound; kInvalidArgument: T is not what it is defined as.
  template <typename T>
  ObjectNamespace<T> Bind(const std::string& name) const {
    return ObjectNamespace<T>(state_, FindClass(name, typeid(T)));
  }

  // Applies the migrations of the list that are new to this application in this store, all or none
  // (runtime/migrations.h); to be called at each start, before Define. Durable when it returns;
  // blocks for that, and for a commit for each object that it deletes or restores.
  //
  // Errors, and then nothing is applied: kInvalidArgument (no tag, or the same twice; what was
  // applied is not the beginning of the list; a name that ValidateNamespaceName refuses; a class is
  // defined already); kNotFound (a class that is to be renamed, transferred, deleted or restored is
  // not there); kExists (a class that is to be made is there); kBusy (another runtime does this at
  // the same time); those of storage. On the way to the end of deletions and restorations: kBusy
  // (an object is in use), and those of Object::Delete and Undelete; it is applied then, and the
  // rest is done by the next call, or by Define.
  MigrationReport Migrate(const std::vector<Migration>& migrations);

  // Lets events that have begun, and calls that wait, come to their end, with the calls that they
  // make of other actors; then tells all actors (Actor::PreShutdown) and closes them. Other calls
  // fail as disconnected from now on, and so does what has not ended after
  // RuntimeOptions::shutdown_grace. What was confirmed is durable. Blocks: also for code that keeps
  // its thread. Not from an actor.
  void Shutdown();

  // With a clock of one's own: does what is due by now.
  void RunDue();
  // Namespaces of the store, and those of classes that are defined, though nothing is stored of
  // them yet. Errors: kInvalidArgument (the limit); those of the store.
  NamespacePage ListNamespaces(const PageOptions& options = {}) const;

  // Actors in memory.
  size_t resident_count() const;
  AlarmCounters alarm_counters() const;

  // Counters, histograms and gauges in Prometheus' text format (version 0.0.4): events, starts,
  // failures, resets, refusals and hibernations, waits for the gates, commits and their durability,
  // and who is in memory and waits, by namespace; alarms; and what the store says of itself
  // (StoreStats), scrubs and drills among it. Any thread; costs a look at each actor in memory.
  void WriteMetrics(std::ostream& out) const;
  std::string Metrics() const;

 private:
  struct ClassTraits {
    std::type_index type;
    ClassOptions options;
    bool has_alarm_handler = false;
    bool has_pre_shutdown = false;
  };
  std::shared_ptr<const internal::ActorClass> DefineClass(
      const std::string& name, std::function<std::unique_ptr<Actor>(ActorState&)> make,
      const ClassTraits& traits);
  std::shared_ptr<const internal::ActorClass> FindClass(const std::string& name,
                                                        std::type_index type) const;

  const std::shared_ptr<internal::RuntimeState> state_;
};

}  // namespace tidemark

#endif  // TIDEMARK_RUNTIME_RUNTIME_H_
