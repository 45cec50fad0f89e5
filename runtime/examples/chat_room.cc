// A chat room: its history in SQL, and its members, who are actors, told of each message.
//
// A member hears of a message when it is in the history for good: a call leaves an actor behind
// what it wrote. Members are told one by one while others talk on; who cannot be reached has left.

#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "runtime/runtime.h"

using tidemark::Actor;
using tidemark::Stub;
using tidemark::Task;

struct Message {
  int64_t id;
  std::string author, text;
};

class Member : public Actor {
 public:
  using Actor::Actor;
  void Hear(const Message& message) { heard_.push_back(message.author + ": " + message.text); }
  std::vector<std::string> Heard() { return heard_; }

 private:
  std::vector<std::string> heard_;
};

class Room : public Actor {
 public:
  explicit Room(tidemark::ActorState& ctx) : Actor(ctx) {
    ctx.storage().sql().Exec(
        "CREATE TABLE IF NOT EXISTS message(id INTEGER PRIMARY KEY, author TEXT, text TEXT)");
  }

  void Join(std::string name, Stub<Member> member) {
    members_.erase(name);
    members_.emplace(std::move(name), std::move(member));
  }

  Task<int64_t> Say(std::string author, std::string text) {
    auto row = ctx().storage().sql().Exec(
        "INSERT INTO message(author, text) VALUES(?,?) RETURNING id", author, text);
    const Message message{row.One().Get<int64_t>(0), std::move(author), std::move(text)};
    std::vector<std::pair<std::string, Task<>>> told;
    for (auto& [name, member] : members_) {
      told.emplace_back(name, member.Call(&Member::Hear, message));  // all at once
    }
    for (auto& [name, call] : told) {
      bool reached = true;
      try {
        co_await std::move(call);
      } catch (const tidemark::ActorError&) {
        reached = false;
      }
      if (!reached) members_.erase(name);
    }
    co_return message.id;
  }

  // What was said behind message `id`, oldest first.
  std::vector<Message> Since(int64_t id) {
    std::vector<Message> messages;
    auto rows = ctx().storage().sql().Exec(
        "SELECT id, author, text FROM message WHERE id > ? ORDER BY id LIMIT 100", id);
    while (rows.Next()) {
      messages.push_back(
          {rows.Get<int64_t>(0), rows.Get<std::string>(1), rows.Get<std::string>(2)});
    }
    return messages;
  }

 private:
  std::map<std::string, Stub<Member>> members_;  // who is here: not kept
};

int main() {
  const auto store = tidemark::Store::Open("data", {.create_if_missing = true}).value();
  tidemark::Runtime runtime(*store);
  const auto rooms = runtime.Define<Room>("ROOM");
  const auto members = runtime.Define<Member>("MEMBER");

  auto lobby = rooms.GetByName("lobby");
  auto bob = members.GetByName("bob");
  lobby.CallBlocking(&Room::Join, "bob", bob);
  const int64_t first = lobby.CallBlocking(&Room::Say, "alice", "hello");
  lobby.CallBlocking(&Room::Say, "carol", "hi alice");
  for (const auto& line : bob.CallBlocking(&Member::Heard))
    std::printf("bob hears %s\n", line.c_str());
  for (const auto& message : lobby.CallBlocking(&Room::Since, first)) {
    std::printf("and the history has %s\n", message.text.c_str());
  }
}
