#include "runtime/internal/class_registry.h"

#include <algorithm>

#include "engine/object_id.h"

namespace tidemark::internal {
namespace {

constexpr std::string_view kRecord = "classes";

[[noreturn]] void Refuse(StatusCode code, std::string message) {
  throw Error(Status(code, std::move(message)));
}

void RequireClassName(const std::string& name) {
  if (const Status status = ValidateNamespaceName(name); !status.ok()) throw Error(status);
  if (name == kMigrationsNamespace) {
    Refuse(StatusCode::kInvalidArgument, "the name " + name + " is reserved");
  }
}

}  // namespace

// ---- the record --------------------------------------------------------------------------------

std::unique_ptr<ObjectStorage> ClassRegistry::Open(Store& store) {
  return ObjectStorage::Open(store, kMigrationsNamespace, kRecord);
}

ClassRegistry ClassRegistry::Read(Store& store) {
  const auto object = store.OpenObject(kMigrationsNamespace, kRecord, IfMissing::kFail);
  if (object.status().code() == StatusCode::kNotFound) return {};
  if (!object.ok()) throw Error(object.status());
  return Read(*Open(store));
}

ClassRegistry ClassRegistry::Read(ObjectStorage& storage) {
  ClassRegistry registry;
  Sql& sql = storage.sql();
  if (sql.Exec("SELECT count(*) FROM sqlite_schema WHERE name = 'class'").One<int64_t>() == 0) {
    return registry;
  }
  for (auto [application, tag] :
       sql.Exec("SELECT application, tag FROM migration ORDER BY application, number")
           .Rows<std::string, std::string>()) {
    registry.tags_[application].push_back(tag);
  }
  for (auto [space, application, name, state, lsn] :
       sql.Exec("SELECT space, application, name, state, lsn FROM class ORDER BY number")
           .Rows<std::string, std::string, std::string, int64_t, int64_t>()) {
    registry.classes_.push_back({.space = space,
                                 .application = application,
                                 .name = name,
                                 .state = static_cast<ClassState>(state),
                                 .deleted_behind = static_cast<uint64_t>(lsn)});
  }
  for (auto [application, old_name, name] :
       sql.Exec("SELECT application, old_name, name FROM alias")
           .Rows<std::string, std::string, std::string>()) {
    registry.aliases_[{application, old_name}] = name;
  }
  return registry;
}

void ClassRegistry::Write(ObjectStorage& storage) const {
  Sql& sql = storage.sql();
  storage.Transaction([&] {
    for (const char* table : {"migration", "class", "alias"}) {
      sql.Exec("DROP TABLE IF EXISTS " + std::string(table));
    }
    sql.Exec("CREATE TABLE migration(application TEXT, number INTEGER, tag TEXT)");
    sql.Exec(
        "CREATE TABLE class(number INTEGER PRIMARY KEY, space TEXT UNIQUE, application TEXT, "
        "name TEXT, state INTEGER, lsn INTEGER)");
    sql.Exec("CREATE TABLE alias(application TEXT, old_name TEXT, name TEXT)");
    for (const auto& [application, tags] : tags_) {
      int64_t number = 0;
      for (const std::string& tag : tags) {
        sql.Exec("INSERT INTO migration VALUES(?, ?, ?)", application, ++number, tag);
      }
    }
    int64_t number = 0;
    for (const RegisteredClass& at : classes_) {
      sql.Exec("INSERT INTO class VALUES(?, ?, ?, ?, ?, ?)", ++number, at.space, at.application,
               at.name, static_cast<int64_t>(at.state), static_cast<int64_t>(at.deleted_behind));
    }
    for (const auto& [from, to] : aliases_) {
      sql.Exec("INSERT INTO alias VALUES(?, ?, ?)", from.first, from.second, to);
    }
  });
  storage.Sync();
}

// ---- what it says ------------------------------------------------------------------------------

bool ClassRegistry::HasMigrated(const std::string& application) const {
  const auto found = tags_.find(application);
  return found != tags_.end() && !found->second.empty();
}

const RegisteredClass* ClassRegistry::Find(const std::string& application,
                                           const std::string& name) const {
  for (const RegisteredClass& at : classes_) {
    const bool has = at.state == ClassState::kLive || at.state == ClassState::kRestoring;
    if (has && at.application == application && at.name == name) return &at;
  }
  return nullptr;
}

const RegisteredClass* ClassRegistry::FindSpace(const std::string& space) const {
  for (const RegisteredClass& at : classes_) {
    if (at.space == space) return &at;
  }
  return nullptr;
}

std::string ClassRegistry::Follow(const std::string& application, const std::string& name) const {
  const auto found = aliases_.find({application, name});
  return found == aliases_.end() ? name : found->second;
}

// ---- steps -------------------------------------------------------------------------------------

std::vector<std::string> ClassRegistry::Apply(const std::string& application,
                                              const std::vector<Migration>& migrations,
                                              const std::set<std::string>& stored,
                                              uint64_t last_lsn) {
  std::set<std::string> known;
  for (const Migration& step : migrations) {
    if (step.tag.empty()) Refuse(StatusCode::kInvalidArgument, "a migration has no tag");
    if (!known.insert(step.tag).second) {
      Refuse(StatusCode::kInvalidArgument, "two migrations have the tag " + step.tag);
    }
  }
  std::vector<std::string>& applied = tags_[application];
  for (size_t i = 0; i < applied.size(); ++i) {
    if (i < migrations.size() && migrations[i].tag == applied[i]) continue;
    Refuse(StatusCode::kInvalidArgument,
           known.contains(applied[i])
               ? "the migration " + applied[i] + " was applied in another order"
               : "the migration " + applied[i] +
                     " was applied, and is not in the list: code cannot go back behind it");
  }
  std::vector<std::string> tags;
  for (size_t i = applied.size(); i < migrations.size(); ++i) {
    try {
      ApplyStep(application, migrations[i], stored, last_lsn);
    } catch (const Error& error) {
      throw Error(error.status().WithContext("migration " + migrations[i].tag));
    }
    tags.push_back(migrations[i].tag);
  }
  applied.insert(applied.end(), tags.begin(), tags.end());
  return tags;
}

RegisteredClass& ClassRegistry::Require(const std::string& application, const std::string& name) {
  const RegisteredClass* const found = Find(application, name);
  if (found == nullptr) {
    Refuse(StatusCode::kNotFound,
           "there is no class " + name + (application.empty() ? "" : " of " + application));
  }
  return classes_[static_cast<size_t>(found - classes_.data())];
}

void ClassRegistry::RequireFree(const std::string& application, const std::string& name) const {
  RequireClassName(name);
  if (Find(application, name) != nullptr) {
    Refuse(StatusCode::kExists, "there is a class " + name + " already");
  }
}

// One that no class ever had. That of the class's own name may have objects, which were made before
// there were migrations.
std::string ClassRegistry::NewSpace(const std::string& name,
                                    const std::set<std::string>& stored) const {
  if (FindSpace(name) == nullptr) return name;
  for (int number = 2;; ++number) {
    std::string space = name + "@" + std::to_string(number);
    if (FindSpace(space) == nullptr && !stored.contains(space)) return space;
  }
}

void ClassRegistry::ApplyStep(const std::string& application, const Migration& step,
                              const std::set<std::string>& stored, uint64_t last_lsn) {
  for (const RenamedClass& renamed : step.renamed_classes) {
    RegisteredClass& at = Require(application, renamed.from);
    RequireFree(application, renamed.to);
    at.name = renamed.to;
    for (auto& [from, to] : aliases_) {
      if (from.first == application && to == renamed.from) to = renamed.to;
    }
    aliases_[{application, renamed.from}] = renamed.to;
    aliases_.erase({application, renamed.to});
  }
  for (const TransferredClass& transferred : step.transferred_classes) {
    RegisteredClass& at = Require(transferred.from_application, transferred.from);
    RequireFree(application, transferred.to);
    at.application = application;
    at.name = transferred.to;
    aliases_.erase({application, transferred.to});
  }
  for (const std::string& name : step.deleted_classes) {
    RegisteredClass& at = Require(application, name);
    at.state = ClassState::kDeleting;
    at.deleted_behind = last_lsn;
  }
  for (const std::string& name : step.restored_classes) {
    RequireFree(application, name);
    const auto last = std::find_if(classes_.rbegin(), classes_.rend(), [&](const auto& at) {
      return at.application == application && at.name == name;
    });
    if (last == classes_.rend()) {
      Refuse(StatusCode::kNotFound, "no class " + name + " was deleted");
    }
    last->state = ClassState::kRestoring;
    aliases_.erase({application, name});
  }
  for (const std::string& name : step.new_classes) {
    RequireFree(application, name);
    aliases_.erase({application, name});
    classes_.push_back({.space = NewSpace(name, stored),
                        .application = application,
                        .name = name,
                        .state = ClassState::kLive,
                        .deleted_behind = 0});
  }
}

}  // namespace tidemark::internal
