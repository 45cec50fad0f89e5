// A shopping cart with an undo: each change notes the bookmark of what was before it, and to undo
// is to be restored to that.
//
// A restore is made when the object is opened next. So the actor schedules it and aborts: whoever
// waits for it gets an error that says `reset`, and the next call meets the cart as it was, the
// note of the change before included. So undo upon undo goes further back, for as long as history
// is kept.

#include <cstdio>
#include <string>

#include "runtime/runtime.h"

class Cart : public tidemark::Actor {
 public:
  explicit Cart(tidemark::ActorState& ctx) : Actor(ctx) {
    ctx.storage().sql().Exec(
        "CREATE TABLE IF NOT EXISTS item(name TEXT PRIMARY KEY, count INTEGER)");
  }

  void Add(std::string name, int64_t count) {
    const std::string before = ctx().storage().GetCurrentBookmark().ToString();
    ctx().storage().sql().Exec(
        "INSERT INTO item VALUES(?,?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
        name, count);
    ctx().storage().kv().Put("before", before);
  }

  void Clear() {
    const std::string before = ctx().storage().GetCurrentBookmark().ToString();
    ctx().storage().sql().Exec("DELETE FROM item");
    ctx().storage().kv().Put("before", before);
  }

  // Does not return if there is something to undo.
  void Undo() {
    const auto before = ctx().storage().kv().Get<std::string>("before");
    if (!before) return;
    ctx().storage().OnNextSessionRestoreBookmark(tidemark::Bookmark::Parse(*before).value());
    ctx().Abort("undone");
  }

  std::string Show() {
    std::string list;
    auto rows = ctx().storage().sql().Exec("SELECT name, count FROM item ORDER BY name");
    while (rows.Next()) {
      list += std::to_string(rows.Get<int64_t>(1)) + " " + rows.Get<std::string>(0) + ", ";
    }
    return list.empty() ? "nothing" : list.substr(0, list.size() - 2);
  }
};

int main() {
  const auto store = tidemark::Store::Open("data", {.create_if_missing = true}).value();
  tidemark::Runtime runtime(*store);
  const auto carts = runtime.Define<Cart>("CART");
  const auto id = carts.NewUniqueId();
  const auto cart = [&] { return carts.Get(id); };  // an aborted actor's stub stays broken
  const auto undo = [&] {
    try {
      cart().CallBlocking(&Cart::Undo);
    } catch (const tidemark::ActorError& error) {
      if (!error.reset()) throw;
    }
    std::printf("undone: %s\n", cart().CallBlocking(&Cart::Show).c_str());
  };

  cart().CallBlocking(&Cart::Add, "apple", 3);
  cart().CallBlocking(&Cart::Add, "pear", 1);
  cart().CallBlocking(&Cart::Clear);
  std::printf("cleared: %s\n", cart().CallBlocking(&Cart::Show).c_str());
  undo();
  undo();
}
