#include "runtime/listing.h"

#include <algorithm>
#include <set>

#include "api/error.h"
#include "runtime/internal/runtime_state.h"
#include "runtime/object_namespace.h"

namespace tidemark {
namespace {

size_t LimitOf(const PageOptions& options, size_t by_default, size_t most) {
  const size_t limit = options.limit.value_or(by_default);
  if (limit >= 1 && limit <= most) return limit;
  throw Error(Status(StatusCode::kInvalidArgument, "a page has 1 to " + std::to_string(most) +
                                                       " entries, not " + std::to_string(limit)));
}

}  // namespace

namespace runtime_detail {

ActorPage NamespaceState::List(const PageOptions& options) const {
  const size_t limit = LimitOf(options, 1000, 10'000);
  std::optional<ObjectId> after;
  if (options.after) after = IdFromString(*options.after).object;
  ActorPage page;
  bool more = false;
  const auto visit = [&](const ObjectSummary& object) {
    more = page.actors.size() == limit;
    if (more) return false;
    ListedActor actor{.id = {.object = object.id}, .has_stored_data = object.head.page_count > 1};
    if (!object.name.empty()) actor.id.name = object.name;
    page.actors.push_back(std::move(actor));
    return true;
  };
  const Status status =
      runtime_->store().ListObjects(class_->space, visit, Listed::kExisting, after);
  // Nothing was ever stored in it.
  if (!status.ok() && status.code() != StatusCode::kNotFound) throw Error(status);
  if (more) page.cursor = page.actors.back().id.ToString();
  return page;
}

StubState NamespaceState::GetExisting(const ActorId& id) const {
  StubState stub = Get(id);
  const auto object = runtime_->store().OpenObject(class_->space, id.object, IfMissing::kFail);
  if (!object.ok()) throw Error(object.status());
  return stub;
}

}  // namespace runtime_detail

namespace internal {

NamespacePage RuntimeState::ListNamespaces(const PageOptions& options) const {
  const size_t limit = LimitOf(options, 20, 100);
  auto stored = store_.ListNamespaces();
  if (!stored.ok()) throw Error(stored.status());
  std::map<std::string, std::string> class_of;  // by namespace, in order
  for (std::string& name : *stored) {
    if (name != kMigrationsNamespace) class_of.emplace(std::move(name), "");
  }
  {
    std::lock_guard lock(classes_mutex_);
    for (const auto& [name, actor_class] : classes_) class_of[actor_class->space] = name;
  }
  NamespacePage page;
  for (auto at = options.after ? class_of.upper_bound(*options.after) : class_of.begin();
       at != class_of.end(); ++at) {
    if (page.namespaces.size() == limit) {
      page.cursor = page.namespaces.back().name;
      break;
    }
    page.namespaces.push_back({.name = at->first, .class_name = at->second});
  }
  return page;
}

}  // namespace internal
}  // namespace tidemark
