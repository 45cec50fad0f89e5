#include "api/internal/statement.h"

#include <iterator>
#include <utility>

namespace tidemark::internal {

bool StatementCache::Take(std::string_view sql, Place* place) {
  const auto found = by_text_.find(sql);
  if (found == by_text_.end() || found->second->in_use) return false;
  *place = found->second;
  if (*place != kept_.begin()) kept_.splice(kept_.begin(), kept_, *place);
  (*place)->in_use = true;
  return true;
}

StatementCache::Place StatementCache::Add(Statement statement) {
  const bool keep = !statement.sql.empty() && statement.sql.size() <= capacity_ &&
                    !by_text_.contains(statement.sql);
  std::list<Statement>& list = keep ? kept_ : others_;
  list.push_front(std::move(statement));
  const Place place = list.begin();
  place->in_use = true;
  place->cached = keep;
  if (!keep) return place;
  try {
    by_text_.emplace(place->sql, place);
  } catch (...) {
    list.erase(place);
    throw;
  }
  bytes_ += place->sql.size();
  for (auto last = std::prev(kept_.end()); bytes_ > capacity_ && last != place;) {
    const auto before = std::prev(last);
    if (!last->in_use) Drop(last);
    last = before;
  }
  return place;
}

void StatementCache::Release(Place place) noexcept {
  place->in_use = false;
  if (!place->cached || place->handle == nullptr) {
    Drop(place);
    return;
  }
  sqlite3_reset(place->handle);
  if (place->parameter_count > 0) sqlite3_clear_bindings(place->handle);
}

void StatementCache::Drop(Place place) noexcept {
  if (place->cached) {
    bytes_ -= place->sql.size();
    by_text_.erase(place->sql);
    kept_.erase(place);
  } else {
    others_.erase(place);
  }
}

void StatementCache::DropUnused() noexcept {
  for (auto place = kept_.begin(); place != kept_.end();) {
    const auto next = std::next(place);
    if (!place->in_use) Drop(place);
    place = next;
  }
}

void StatementCache::Clear() noexcept {
  by_text_.clear();
  bytes_ = 0;
  for (auto place = kept_.begin(); place != kept_.end();) {
    const auto next = std::next(place);
    place->cached = false;
    others_.splice(others_.begin(), kept_, place);
    place = next;
  }
  for (auto place = others_.begin(); place != others_.end();) {
    const auto next = std::next(place);
    place->handle.Finalize();
    if (!place->in_use) others_.erase(place);
    place = next;
  }
}

}  // namespace tidemark::internal
