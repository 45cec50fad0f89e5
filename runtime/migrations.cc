#include "runtime/migrations.h"

#include <algorithm>

#include "runtime/internal/class_registry.h"
#include "runtime/internal/runtime_state.h"

namespace tidemark::internal {
namespace {

std::vector<ObjectId> ObjectsOf(const Store& store, const std::string& space, Listed which,
                                uint64_t behind) {
  std::vector<ObjectId> ids;
  const auto visit = [&](const ObjectSummary& object) {
    if (object.head.lsn.value > behind) ids.push_back(object.id);
    return true;
  };
  const Status status = store.ListObjects(space, visit, which);
  if (!status.ok() && status.code() != StatusCode::kNotFound) throw Error(status);
  return ids;
}

void DeleteObjects(Store& store, const RegisteredClass& of_class, MigrationReport* report) {
  for (const ObjectId& id : ObjectsOf(store, of_class.space, Listed::kExisting, 0)) {
    const auto object = store.OpenObject(of_class.space, id, IfMissing::kFail);
    const Status status = object.ok() ? (*object)->Delete().status() : object.status();
    if (status.code() == StatusCode::kNotFound) continue;
    if (!status.ok()) throw Error(status);
    ++report->deleted_objects;
  }
}

void RestoreObjects(Store& store, const RegisteredClass& of_class, MigrationReport* report) {
  for (const ObjectId& id :
       ObjectsOf(store, of_class.space, Listed::kDeleted, of_class.deleted_behind)) {
    const auto object = store.OpenObject(of_class.space, id, IfMissing::kDeleted);
    const Status status = object.ok() ? (*object)->Undelete().status() : object.status();
    if (status.code() == StatusCode::kExpired || status.code() == StatusCode::kNotFound) {
      ++report->expired_objects;
      continue;
    }
    if (!status.ok()) throw Error(status);
    ++report->restored_objects;
  }
}

bool IsPending(const RegisteredClass& at) {
  return at.state == ClassState::kDeleting || at.state == ClassState::kRestoring;
}

// What stands behind the transaction that applied steps.
void FinishPending(Store& store, ClassRegistry& registry, ObjectStorage& storage,
                   MigrationReport* report) {
  for (RegisteredClass& at : registry.classes()) {
    if (!IsPending(at)) continue;
    if (at.state == ClassState::kDeleting) {
      DeleteObjects(store, at, report);
      at.state = ClassState::kDeleted;
    } else {
      RestoreObjects(store, at, report);
      at.state = ClassState::kLive;
    }
    registry.Write(storage);
  }
}

}  // namespace

MigrationReport RuntimeState::Migrate(const std::vector<Migration>& migrations) {
  std::lock_guard lock(classes_mutex_);
  if (!classes_.empty()) {
    throw Error(
        Status(StatusCode::kInvalidArgument,
               "Migrate() comes before classes are defined: " + classes_.begin()->first + " is"));
  }
  MigrationReport report;
  const std::unique_ptr<ObjectStorage> storage = ClassRegistry::Open(store_);
  ClassRegistry registry = ClassRegistry::Read(*storage);
  const auto stored = store_.ListNamespaces();
  if (!stored.ok()) throw Error(stored.status());
  report.applied_tags =
      registry.Apply(options_.application, migrations, {stored->begin(), stored->end()},
                     store_.Stats().last_lsn.value);
  if (!report.applied_tags.empty()) registry.Write(*storage);
  FinishPending(store_, registry, *storage, &report);
  registry_ = std::make_unique<const ClassRegistry>(std::move(registry));
  return report;
}

// By classes_mutex_.
const ClassRegistry& RuntimeState::Registry() {
  if (registry_ != nullptr) return *registry_;
  ClassRegistry registry = ClassRegistry::Read(store_);
  if (std::any_of(registry.classes().begin(), registry.classes().end(), IsPending)) {
    const std::unique_ptr<ObjectStorage> storage = ClassRegistry::Open(store_);
    MigrationReport report;
    FinishPending(store_, registry, *storage, &report);
  }
  registry_ = std::make_unique<const ClassRegistry>(std::move(registry));
  return *registry_;
}

std::string RuntimeState::SpaceOf(const std::string& name) {
  const std::string& application = options_.application;
  const ClassRegistry& registry = Registry();
  if (name == kMigrationsNamespace) {
    throw Error(Status(StatusCode::kInvalidArgument, "the name " + name + " is reserved"));
  }
  if (!registry.HasMigrated(application)) {
    const RegisteredClass* const taken = registry.FindSpace(name);
    if (taken == nullptr) return name;
    throw Error(Status(StatusCode::kExists, "the namespace " + name + " is that of the class " +
                                                taken->name + " of another application"));
  }
  if (const RegisteredClass* const found = registry.Find(application, name)) return found->space;
  const std::string now = registry.Follow(application, name);
  throw Error(Status(StatusCode::kNotFound,
                     now == name
                         ? "the class " + name + " is in no migration, or was deleted by one"
                         : "the class " + name + " was renamed to " + now));
}

std::shared_ptr<const ActorClass> RuntimeState::FindClass(const std::string& name,
                                                          std::type_index type) {
  std::lock_guard lock(classes_mutex_);
  auto found = classes_.find(name);
  if (found == classes_.end()) {
    found = classes_.find(Registry().Follow(options_.application, name));
  }
  if (found == classes_.end()) {
    throw Error(Status(StatusCode::kNotFound, "no class " + name + " is defined"));
  }
  if (found->second->type != type) {
    throw Error(Status(StatusCode::kInvalidArgument,
                       "the class " + found->first + " is defined as another type"));
  }
  return found->second;
}

}  // namespace tidemark::internal
