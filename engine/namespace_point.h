// Namespace points: all objects of a namespace at one instant, brought back or forked.
//
//   const Bookmark before = *store->NamespaceBookmark("rooms");
//   ...                                                          // something that is regretted
//   RestoreNamespace(*store, "rooms", before);
//
// A point of a namespace is a bookmark that Store::NamespaceBookmark made, or a time. LSNs and
// times are those of the store, so either means the same instant for every object. Nothing is
// written down for a namespace: each object is restored, deleted or forked by itself, as
// Object::Restore, Object::Delete and Store::Fork do it, and one that stands where it is to go is
// left alone. So what was interrupted is done again, with the same point, and goes on where it
// was.
//
// Threads: any. A call does its work with some threads of its own, so that many objects share one
// sync of the log; what calls it gives (progress) is called from the calling thread. Memory does
// not grow with the number of objects.

#ifndef TIDEMARK_ENGINE_NAMESPACE_POINT_H_
#define TIDEMARK_ENGINE_NAMESPACE_POINT_H_

#include <cstdint>
#include <string_view>

#include "engine/bookmark.h"
#include "engine/export.h"
#include "engine/object.h"
#include "engine/result.h"
#include "engine/store.h"

namespace tidemark {

// Is it a bookmark that Store::NamespaceBookmark made of this namespace? Of any?
TIDEMARK_API bool IsOfNamespace(const Bookmark& bookmark, std::string_view namespace_name);
TIDEMARK_API bool IsOfSomeNamespace(const Bookmark& bookmark);

// What was done to the objects of a namespace, or would be.
struct NamespaceReport {
  uint64_t restored = 0;   // changed since, and are what they were
  uint64_t undeleted = 0;  // were deleted since, and exist again
  uint64_t deleted = 0;    // did not exist at the point
  uint64_t forked = 0;     // of ForkNamespace
  uint64_t same = 0;       // nothing was to do
  uint64_t nameless = 0;   // of ForkNamespace: have no name, by which a fork could be called
  uint64_t changed() const { return restored + undeleted + deleted + forked; }
};

// What RestoreNamespace would do. Cost: a look-up or some for each object, whether it exists or
// not. `progress` gets objects, of a total that is not known (0). Errors: as RestoreNamespace.
TIDEMARK_API Result<NamespaceReport> PlanNamespaceRestore(Store& store,
                                                          std::string_view namespace_name,
                                                          const Point& to,
                                                          Alarms alarms = Alarms::kRestore,
                                                          const Progress& progress = nullptr);

// Makes every object of the namespace what it was at `to`: those that did not exist then are
// deleted, those that were deleted since exist again. All of that is undone by restoring to a
// bookmark of the namespace that was made before. Alarms are as `alarms` say. Durable when it
// returns; blocks for that. First it looks at all objects as PlanNamespaceRestore does, and changes
// nothing if one of them cannot be brought there.
//
// It is not one transaction: each object is restored in one, and what others commit meanwhile to an
// object that was restored already stays. After an error, or a crash, some objects stand at the
// point and the others where they were; the same call goes on from there.
//
// Errors: kNotFound (the namespace); kInvalidArgument (a label: that is of one object); those of
// Object::Resolve, but that an object need not have existed then; kBusy if a transaction holds an
// object's write lock; those of Object::Restore. They name the object.
TIDEMARK_API Result<NamespaceReport> RestoreNamespace(Store& store, std::string_view namespace_name,
                                                      const Point& to,
                                                      Alarms alarms = Alarms::kRestore,
                                                      const Progress& progress = nullptr);

// Forks what existed in the namespace at `at` into another one, each object under its name, as
// Store::Fork does: durable when it returns. One that is such a fork already is left alone,
// whatever was done to it since, so an interrupted call can be made again. Objects without names
// are left out, and counted. Errors: as RestoreNamespace; kExists if there is another object of
// such a name; kInvalidArgument if both namespaces are the same, or for their names.
TIDEMARK_API Result<NamespaceReport> ForkNamespace(Store& store, std::string_view from,
                                                   const Point& at, std::string_view to,
                                                   Alarms alarms = Alarms::kClear,
                                                   const Progress& progress = nullptr);

}  // namespace tidemark

#endif  // TIDEMARK_ENGINE_NAMESPACE_POINT_H_
