// Lists of namespaces and of their objects, page by page.
//
//   PageOptions page;
//   do {
//     const ActorPage objects = counters.List(page);
//     ... objects.actors ...
//     page.after = objects.cursor;
//   } while (page.after);
//
// A page shows what is there when it is made. What comes to be or goes between two pages is in the
// later ones or not; everything else is in one of them, once.

#ifndef TIDEMARK_RUNTIME_LISTING_H_
#define TIDEMARK_RUNTIME_LISTING_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "runtime/actor_id.h"

namespace tidemark {

struct PageOptions {
  // Of one page: 1 to 10,000 objects, or 1 to 100 namespaces. None: 1000, or 20.
  std::optional<size_t> limit{};
  // ActorPage::cursor, or NamespacePage::cursor, of the page before. None: the first page.
  std::optional<std::string> after{};
};

// An object of which something is stored: from its first commit on, until it is deleted.
struct ListedActor {
  ActorId id;  // with its name, if the store has it
  // False: everything was deleted, so there is no table, and the actor is in memory still; when it
  // leaves that the object vanishes.
  bool has_stored_data = false;
};

struct ActorPage {
  std::vector<ListedActor> actors;    // in order of ids
  std::optional<std::string> cursor;  // none: this is the last page
};

struct ListedNamespace {
  std::string name;        // in the store, of which ids are made
  std::string class_name;  // empty: no class of this runtime is defined for it
};

struct NamespacePage {
  std::vector<ListedNamespace> namespaces;  // in order of names
  std::optional<std::string> cursor;        // none: this is the last page
};

}  // namespace tidemark

#endif  // TIDEMARK_RUNTIME_LISTING_H_
