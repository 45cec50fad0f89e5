// Runtime: live actors over a store, as Durable Objects have them.
//
//   Runtime runtime(*store);
//   auto counters = runtime.Define<Counter>("COUNTER");
//   int64_t total = counters.GetByName("home").CallBlocking(&Counter::Increment, 1);
//
// An actor comes into memory with the first call to it, and leaves it when it is idle; its storage
// stays. Its namespace in the store has the name it is defined with, and its objects those they
// were made from: so everything that reads a store reads them.

#ifndef TIDEMARK_RUNTIME_RUNTIME_H_
#define TIDEMARK_RUNTIME_RUNTIME_H_

#include <cstddef>
#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "engine/export.h"
#include "engine/store.h"
#include "runtime/actor.h"
#include "runtime/actor_error.h"
#include "runtime/listing.h"
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
  // ActorState&. Errors: kInvalidArgument (ValidateNamespaceName); kExists: it is defined already.
  template <typename T>
  ObjectNamespace<T> Define(const std::string& name) {
    static_assert(std::is_base_of_v<Actor, T>, "an actor's class derives from Actor");
    return ObjectNamespace<T>(state_,
                              DefineClass(name, [](ActorState& state) -> std::unique_ptr<Actor> {
                                return std::make_unique<T>(state);
                              }));
  }

  // Lets events that have begun come to their end, then closes all actors. Calls that come
  // meanwhile and later fail as disconnected. What was confirmed is durable; blocks. Not from an
  // actor.
  void Shutdown();

  // With a clock of one's own: does what is due by now.
  void RunDue();
  // Namespaces of the store, and those of classes that are defined, though nothing is stored of
  // them yet. Errors: kInvalidArgument (the limit); those of the store.
  NamespacePage ListNamespaces(const PageOptions& options = {}) const;

  // Actors in memory.
  size_t resident_count() const;

  // Counters, histograms and gauges in Prometheus' text format (version 0.0.4): events, starts,
  // failures, resets, refusals and hibernations, waits for the gates, commits and their durability,
  // and who is in memory and waits, by namespace. Any thread; costs a look at each actor in memory.
  void WriteMetrics(std::ostream& out) const;
  std::string Metrics() const;

 private:
  std::shared_ptr<const internal::ActorClass> DefineClass(
      const std::string& name, std::function<std::unique_ptr<Actor>(ActorState&)> make);

  const std::shared_ptr<internal::RuntimeState> state_;
};

}  // namespace tidemark

#endif  // TIDEMARK_RUNTIME_RUNTIME_H_
