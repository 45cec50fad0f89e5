// ClassRegistry: the record of what migrations did: which class's objects are in which namespace.
//
// A value: Read() it, Apply() steps to it, Write() all of it in one transaction (migrations.h).
//
//   migration(application, number, tag)          applied, in order
//   class(space, application, name, state, lsn)  one row for each namespace that ever was a class's
//   alias(application, old_name, name)           for Runtime::Bind
//
//   live --deleted--> deleting --its objects are deleted--> deleted
//    ^                                                          |
//    +--its objects are back-- restoring <----restored----------+

#ifndef TIDEMARK_RUNTIME_INTERNAL_CLASS_REGISTRY_H_
#define TIDEMARK_RUNTIME_INTERNAL_CLASS_REGISTRY_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "api/storage.h"
#include "engine/store.h"
#include "runtime/migrations.h"

namespace tidemark::internal {

enum class ClassState { kLive = 1, kDeleting = 2, kDeleted = 3, kRestoring = 4 };

struct RegisteredClass {
  std::string space;  // its namespace in the store
  std::string application;
  std::string name;
  ClassState state = ClassState::kLive;
  // Of the store's last record when it was deleted: deletions behind it are of the class.
  uint64_t deleted_behind = 0;
};

class ClassRegistry {
 public:
  // Opens the record's storage, which is made if it is not there. Nobody else has it meanwhile.
  // Errors: kBusy.
  static std::unique_ptr<ObjectStorage> Open(Store& store);
  static ClassRegistry Read(ObjectStorage& storage);
  // Of a store that may have no record: then it is empty, and none is made.
  static ClassRegistry Read(Store& store);
  // Durable when it returns.
  void Write(ObjectStorage& storage) const;

  // Applies what of the list is new to `application`, and returns the tags of that. On an error
  // this is to be thrown away. `stored` are the namespaces that the store has.
  std::vector<std::string> Apply(const std::string& application,
                                 const std::vector<Migration>& migrations,
                                 const std::set<std::string>& stored, uint64_t last_lsn);

  bool HasMigrated(const std::string& application) const;
  // The class that has that name now; null if none has.
  const RegisteredClass* Find(const std::string& application, const std::string& name) const;
  const RegisteredClass* FindSpace(const std::string& space) const;
  // What a name that was renamed leads to; the name itself if it was not.
  std::string Follow(const std::string& application, const std::string& name) const;
  std::vector<RegisteredClass>& classes() { return classes_; }
  const std::vector<RegisteredClass>& classes() const { return classes_; }

 private:
  void ApplyStep(const std::string& application, const Migration& step,
                 const std::set<std::string>& stored, uint64_t last_lsn);
  RegisteredClass& Require(const std::string& application, const std::string& name);
  void RequireFree(const std::string& application, const std::string& name) const;
  std::string NewSpace(const std::string& name, const std::set<std::string>& stored) const;

  std::map<std::string, std::vector<std::string>> tags_;  // by application
  std::vector<RegisteredClass> classes_;                  // in the order in which they were made
  std::map<std::pair<std::string, std::string>, std::string> aliases_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_RUNTIME_INTERNAL_CLASS_REGISTRY_H_
