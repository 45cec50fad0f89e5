// Migrations: which classes an application has, and what became of their objects.
//
//   runtime.Migrate({
//       {.tag = "v1", .new_classes = {"COUNTER"}},
//       {.tag = "v2", .renamed_classes = {{"COUNTER", "TALLY"}}},
//       {.tag = "v3", .new_classes = {"ROOM"}, .deleted_classes = {"TALLY"}},
//   });
//   auto rooms = runtime.Define<Room>("ROOM");
//
// The list only grows: each tag is applied once in a store, in order, and the list says it at every
// start. What was applied is a record of the store: an object of a reserved namespace
// (kMigrationsNamespace) that says which class's objects are in which namespace. All steps that are
// new are one transaction of it, so that after a crash all are applied or none. No object is
// written for that, however many there are: after a rename or a transfer objects stand in the
// namespace in which they were made, and their ids stay the same. (So ids are made of that
// namespace's name: of the class's first name, unless that was taken.)
//
// Deleting a class's objects, and bringing them back, takes a commit for each, after that
// transaction: what a crash leaves of it is done by the next Migrate or Define. Nobody sees a half:
// the class is gone with the transaction, and is back when all is done.
//
// An application that never calls Migrate has the classes that it defines, each in the namespace of
// its name. Its first migration takes those over, objects and all, as new classes.

#ifndef TIDEMARK_RUNTIME_MIGRATIONS_H_
#define TIDEMARK_RUNTIME_MIGRATIONS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark {

// The namespace of the record; not for classes.
inline constexpr std::string_view kMigrationsNamespace = "tidemark.migrations";

struct RenamedClass {
  std::string from;
  std::string to;
};

struct TransferredClass {
  std::string from;
  std::string from_application;  // RuntimeOptions::application of the one that has it
  std::string to;
};

// One step. Within it classes are renamed first, then transferred, deleted, restored and made.
struct Migration {
  std::string tag;  // of its own
  // Classes that begin without objects.
  std::vector<std::string> new_classes{};
  // All objects go on under the new name, which no class may have. The old one can be defined no
  // more, but Runtime::Bind follows it.
  std::vector<RenamedClass> renamed_classes{};
  // All objects are deleted. Their history stays as long as that of any deleted object (retention),
  // and so long they can be restored. A new class of the same name begins without objects, in a
  // namespace of its own.
  std::vector<std::string> deleted_classes{};
  // Another application's class, of the same store, becomes one of this one.
  std::vector<TransferredClass> transferred_classes{};
  // A class that was deleted comes back, the one of that name that was deleted last, with the
  // objects that were deleted with it.
  std::vector<std::string> restored_classes{};
};

// What Runtime::Migrate did.
struct MigrationReport {
  std::vector<std::string> applied_tags;  // by this call
  uint64_t deleted_objects = 0;
  uint64_t restored_objects = 0;
  uint64_t expired_objects = 0;  // that could not be restored any more
};

}  // namespace tidemark

#endif  // TIDEMARK_RUNTIME_MIGRATIONS_H_
