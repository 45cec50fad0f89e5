#include "runtime/internal/due_table.h"

#include <algorithm>

#include "engine/check.h"

namespace tidemark::internal {
namespace {

// One that was given up and could not be deleted.
constexpr std::chrono::seconds kDeleteAgainAfter{1024};

}  // namespace

void DueTable::Hold(Alarm& alarm) {
  alarm.held = ++last_ticket_;
  ++held_;
}

void DueTable::LetGo(Alarm& alarm) {
  if (std::exchange(alarm.held, 0) != 0) --held_;
}

void DueTable::Settle(Entries::iterator at) {
  Entry& entry = at->second;
  if (entry.queued) queue_.erase({*entry.queued, at->first});
  entry.queued.reset();
  if (entry.running) return;
  if (entry.alarms.empty()) {
    entries_.erase(at);
    return;
  }
  for (const Alarm& alarm : entry.alarms) {
    if (alarm.held == 0 && (!entry.queued || alarm.due < *entry.queued)) entry.queued = alarm.due;
  }
  if (entry.queued) queue_.emplace(*entry.queued, at->first);
}

// ---- what is known -----------------------------------------------------------------------------

void DueTable::Note(const ClassPtr& actor_class, const ActorId& id,
                    const std::vector<AlarmInfo>& alarms) {
  const Key key{actor_class.get(), id.object};
  auto at = entries_.find(key);
  if (at == entries_.end()) {
    const bool matters = std::any_of(alarms.begin(), alarms.end(), [&](const AlarmInfo& alarm) {
      return alarm.time < known_until_;
    });
    if (!matters) return;
    at = entries_.try_emplace(key).first;
    at->second.actor_class = actor_class;
    at->second.id = id;
  }
  Entry& entry = at->second;
  if (!entry.id.name) entry.id.name = id.name;
  std::vector<Alarm> next;
  next.reserve(alarms.size());
  for (const AlarmInfo& alarm : alarms) {
    const auto known =
        std::find_if(entry.alarms.begin(), entry.alarms.end(), [&](const Alarm& other) {
          return other.due == alarm.time && (!other.name || *other.name == alarm.name);
        });
    if (known == entry.alarms.end()) {
      next.push_back({.name = alarm.name, .due = alarm.time});
      continue;
    }
    next.push_back(std::move(*known));
    next.back().name = alarm.name;
    entry.alarms.erase(known);
  }
  for (Alarm& alarm : entry.alarms) LetGo(alarm);
  entry.alarms = std::move(next);
  entry.told = true;
  Settle(at);
}

bool DueTable::List(const ClassPtr& actor_class, const ActorId& id, Timestamp due) {
  const auto [at, is_new] = entries_.try_emplace({actor_class.get(), id.object});
  Entry& entry = at->second;
  if (is_new) {
    entry.actor_class = actor_class;
    entry.id = id;
  }
  if (!entry.id.name) entry.id.name = id.name;
  const bool known = (entry.running && entry.running->due <= due) ||
                     std::any_of(entry.alarms.begin(), entry.alarms.end(),
                                 [&](const Alarm& alarm) { return alarm.due <= due; });
  if (!known) {
    entry.alarms.push_back({.name = std::nullopt, .due = due});
    Settle(at);
  }
  return is_new;
}

std::optional<Timestamp> DueTable::earliest() const {
  if (queue_.empty()) return std::nullopt;
  return queue_.begin()->first;
}

bool DueTable::NeedsList() const {
  if (known_until_ == Timestamp::max()) return false;
  return queue_.empty() || queue_.begin()->first >= known_until_;
}

void DueTable::Trim(size_t most) {
  if (queue_.size() <= most) return;
  auto at = queue_.end();
  while (queue_.size() > most / 2 && at != queue_.begin()) {
    --at;
    const auto entry = entries_.find(at->second);
    const auto& alarms = entry->second.alarms;
    if (std::any_of(alarms.begin(), alarms.end(), [](const Alarm& a) { return a.held != 0; })) {
      continue;
    }
    known_until_ = std::min(known_until_, at->first);
    entries_.erase(entry);
    at = queue_.erase(at);
  }
}

// ---- what runs ---------------------------------------------------------------------------------

std::optional<DueTable::Taken> DueTable::Take(Timestamp now) {
  if (queue_.empty() || queue_.begin()->first > now) return std::nullopt;
  const auto at = entries_.find(queue_.begin()->second);
  CHECK(at != entries_.end());
  Entry& entry = at->second;
  const auto alarm = std::find_if(entry.alarms.begin(), entry.alarms.end(), [&](const Alarm& a) {
    return a.held == 0 && a.due == *entry.queued;
  });
  CHECK(alarm != entry.alarms.end());
  entry.running = std::move(*alarm);
  entry.told = false;
  entry.alarms.erase(alarm);
  Settle(at);
  return Taken{.actor_class = entry.actor_class, .id = entry.id, .alarm = *entry.running};
}

void DueTable::Identify(const Key& key, const std::string& name, Timestamp due,
                        const AlarmRetry& retry) {
  const auto at = entries_.find(key);
  CHECK(at != entries_.end() && at->second.running);
  at->second.running->name = name;
  at->second.running->due = due;
  at->second.running->retry = retry;
}

void DueTable::Drop(const Key& key) {
  const auto at = entries_.find(key);
  CHECK(at != entries_.end() && at->second.running);
  at->second.running.reset();
  Settle(at);
}

void DueTable::Postpone(const Key& key, Timestamp due) {
  const auto at = entries_.find(key);
  CHECK(at != entries_.end() && at->second.running);
  Entry& entry = at->second;
  entry.running.reset();
  if (std::none_of(entry.alarms.begin(), entry.alarms.end(),
                   [&](const Alarm& alarm) { return alarm.due <= due; })) {
    entry.alarms.push_back({.name = std::nullopt, .due = due});
  }
  Settle(at);
}

DueTable::Alarm* DueTable::PutBack(Entry& entry) {
  CHECK(entry.running);
  Alarm run = *std::exchange(entry.running, std::nullopt);
  const auto same = std::find_if(entry.alarms.begin(), entry.alarms.end(), [&](const Alarm& alarm) {
    return run.name && alarm.name ? *alarm.name == *run.name : alarm.due == run.due;
  });
  if (same != entry.alarms.end()) {
    if (same->due != run.due) return nullptr;
    if (same->name) run.name = same->name;
    LetGo(*same);
    entry.alarms.erase(same);
  } else if (run.given_up && entry.told) {
    return nullptr;  // its deletion was committed before it failed
  }
  entry.alarms.push_back(std::move(run));
  return &entry.alarms.back();
}

DueTable::Retry DueTable::Fail(const Key& key, AlarmRetry::Counts counts, uint64_t random) {
  const auto at = entries_.find(key);
  CHECK(at != entries_.end());
  Retry retry;
  if (Alarm* const alarm = PutBack(at->second)) {
    std::optional<std::chrono::microseconds> delay;
    if (alarm->given_up) {
      delay = kDeleteAgainAfter;
    } else {
      delay = alarm->retry.Fail(counts, random);
    }
    if (delay) {
      Hold(*alarm);
      retry = {.ticket = alarm->held, .delay = *delay};
    } else {
      alarm->given_up = true;
      retry.given_up = true;
    }
  }
  Settle(at);
  return retry;
}

bool DueTable::GiveUp(const Key& key) {
  const auto at = entries_.find(key);
  CHECK(at != entries_.end());
  Alarm* const alarm = PutBack(at->second);
  if (alarm != nullptr) alarm->given_up = true;
  Settle(at);
  return alarm != nullptr;
}

void DueTable::Release(const Key& key, uint64_t ticket) {
  const auto at = entries_.find(key);
  if (at == entries_.end()) return;
  for (Alarm& alarm : at->second.alarms) {
    if (alarm.held == ticket) LetGo(alarm);
  }
  Settle(at);
}

std::vector<AlarmInfo> DueTable::GivenUp(const Key& key) const {
  std::vector<AlarmInfo> given_up;
  const auto at = entries_.find(key);
  if (at == entries_.end()) return given_up;
  const auto add = [&](const Alarm& alarm) {
    if (alarm.given_up && alarm.name) given_up.push_back({.name = *alarm.name, .time = alarm.due});
  };
  for (const Alarm& alarm : at->second.alarms) add(alarm);
  if (at->second.running) add(*at->second.running);
  return given_up;
}

}  // namespace tidemark::internal
