#include "tests/api/storage_pieces.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <new>
#include <utility>

#include "tests/api/api_fixture.h"

namespace tidemark::testing {
namespace {

constexpr char kNamespace[] = "a namespace with a long name";
constexpr char kObject[] = "an object with a long name";

struct Thrown {};

// Whatever a program may do with rows.
void ReadAll(Cursor cursor) {
  (void)cursor.ColumnNames();
  const std::vector<Row> rows = cursor.ToVector();
  for (const Row& row : rows) (void)row["v"];
}

}  // namespace

StoragePieces::StoragePieces(std::function<Store&()> store, Durability durability)
    : store_(std::move(store)),
      durability_(durability),
      due_(store_().options().clock->Now() + std::chrono::hours(1)) {
  const std::string text(100, 'x');  // is not inside a std::string
  const auto add = [&](const char* name, std::function<void(ObjectStorage&)> run,
                       bool in_parts = false) {
    pieces_.push_back({.name = name, .in_parts = in_parts, .run = std::move(run)});
  };
  add("put", [=](ObjectStorage& o) { o.kv().Put("key a", text); });
  add("put a new one", [=](ObjectStorage& o) { o.kv().Put("key of " + text, text); });
  add("put many", [=](ObjectStorage& o) {
    o.kv().PutMany(std::map<std::string, std::string>{{"key a", text}, {"key z" + text, "z"}});
  });
  add("get", [](ObjectStorage& o) { (void)o.kv().Get("key a"); });
  add("get many", [=](ObjectStorage& o) {
    (void)o.kv().GetMany(std::vector<std::string>{"key a", "key b", text});
  });
  add("delete", [](ObjectStorage& o) { o.kv().Delete("key a"); });
  add("delete many", [](ObjectStorage& o) {
    o.kv().DeleteMany(std::vector<std::string>{"key a", "key b", "nothing"});
  });
  add("list",
      [](ObjectStorage& o) { (void)o.kv().List({.prefix = "key", .reverse = true}).ToVector(); });
  add("insert", [=](ObjectStorage& o) { o.sql().Exec("INSERT INTO t VALUES(3, ?)", text); });
  add("insert returning", [=](ObjectStorage& o) {
    ReadAll(o.sql().Exec("INSERT INTO t VALUES(3, ?),(4, 'four') RETURNING v", text));
  });
  add("insert with a trigger",
      [=](ObjectStorage& o) { o.sql().Exec("INSERT INTO logged VALUES(?)", text); });
  add("select", [](ObjectStorage& o) { ReadAll(o.sql().Exec("SELECT id, v FROM t")); });
  add("select what is sorted",
      [](ObjectStorage& o) { ReadAll(o.sql().Exec("SELECT v FROM t ORDER BY v DESC, id")); });
  add(
      "several statements",
      [=](ObjectStorage& o) {
        o.sql().Exec(
            "INSERT INTO t VALUES(5, 'a'); UPDATE t SET v = v || 'x'; DELETE FROM t "
            "WHERE id = ?",
            1);
      },
      true);
  add(
      "ingest",
      [](ObjectStorage& o) {
        (void)o.sql().Ingest("INSERT INTO t VALUES(5, 'a'); INSERT INTO t VALUES(6, 'b'); INSERT");
      },
      true);
  add("create table",
      [](ObjectStorage& o) { o.sql().Exec("CREATE TABLE u(v DEFAULT '_cf_KV', w)"); });
  add("alter table",
      [](ObjectStorage& o) { o.sql().Exec("ALTER TABLE t ADD COLUMN w DEFAULT '_cf_KV'"); });
  add("a text with the library's name", [](ObjectStorage& o) {
    ReadAll(o.sql().Exec("SELECT name AS v FROM sqlite_schema WHERE name NOT LIKE '_cf_%'"));
  });
  add("database size", [](ObjectStorage& o) { (void)o.sql().DatabaseSize(); });
  add("set alarm", [this](ObjectStorage& o) { o.SetAlarm(due_ + std::chrono::minutes(5)); });
  add("set a named alarm", [this](ObjectStorage& o) {
    o.SetAlarm("an alarm with a long name", due_ - std::chrono::minutes(5));
  });
  add("delete alarm", [](ObjectStorage& o) { o.DeleteAlarm(); });
  add("list alarms", [](ObjectStorage& o) { (void)o.ListAlarms(); });
  add("run an alarm", [this](ObjectStorage& o) {
    (void)o.BeginAlarm(due_);
    o.EndAlarm(AlarmResult::kSucceeded);
  });
  add("keep an alarm's tries", [](ObjectStorage& o) { o.KeepAlarmTries(3); });
  add("abandon an alarm", [this](ObjectStorage& o) { (void)o.AbandonAlarm(due_); });
  add("transaction", [=](ObjectStorage& o) {
    o.Transaction([&] {
      o.kv().Put("key a", text);
      o.sql().Exec("INSERT INTO t VALUES(7, 'seven')");
      o.DeleteAlarm();
    });
  });
  add("nested transactions", [=](ObjectStorage& o) {
    o.Transaction([&] {
      o.kv().Put("key a", text);
      o.Transaction([&](StorageTransaction& inner) {
        o.kv().Put("key b", text);
        inner.Rollback();
      });
      o.TransactionSync([&] { o.sql().Exec("INSERT INTO t VALUES(7, 'seven')"); });
    });
  });
  add("a transaction that rolls back", [this, text](ObjectStorage& o) {
    o.Transaction([&](StorageTransaction& transaction) {
      o.kv().Put("key a", text);
      o.SetAlarm(due_ + std::chrono::minutes(1));
      transaction.Rollback();
    });
  });
  add("a call in a savepoint that throws", [=](ObjectStorage& o) {
    try {
      o.TransactionSync([&] {
        o.kv().Put("key a", text);
        throw Thrown();
      });
    } catch (const Thrown&) {
    }
  });
  add("rollback", [=](ObjectStorage& o) { o.Rollback(); });
  add("delete all", [](ObjectStorage& o) { o.DeleteAll(); });
  add("delete all but alarms", [](ObjectStorage& o) { o.DeleteAll({.delete_alarm = false}); });
  add("sync", [](ObjectStorage& o) { o.Sync(); });
  add("commit", [](ObjectStorage& o) { (void)o.Commit(Durability::kConfirmed); });
  add("current bookmark", [](ObjectStorage& o) { (void)o.GetCurrentBookmark().ToString(); });
  add("bookmark for time", [this](ObjectStorage& o) {
    o.WaitForBookmark(o.GetBookmarkForTime(store_().options().clock->Now()));
  });
  add("durable", [](ObjectStorage& o) { o.WaitDurable(o.GetCurrentBookmark()); });
  add("snapshot", [this](ObjectStorage& o) {
    (void)o.Snapshot();
    (void)o.Snapshot(past_);
  });
  add(
      "schedule a restore",
      [this](ObjectStorage& o) {
        (void)o.OnNextSessionRestoreBookmark(*past_);
        o.CancelOnNextSessionRestore();
      },
      true);
}

void StoragePieces::Fill(ObjectStorage& storage) {
  storage.DeleteAll();
  storage.kv().Put("key a", "1");
  storage.kv().Put("key b", "2");
  storage.sql().Exec(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1, 'one'),(2, 'two');"
      "CREATE TABLE logged(v UNIQUE); CREATE TABLE log(v);"
      "CREATE TRIGGER x AFTER INSERT ON logged BEGIN INSERT INTO log VALUES(new.v); END");
  storage.SetAlarm(due_);
  past_ = storage.GetCurrentBookmark();
}

std::string StoragePieces::StateOf(ObjectStorage& storage) {
  std::string state;
  for (const KvEntry& entry : storage.kv().List()) {
    state += std::string(entry.key) + "=" + std::string(entry.value) + ";";
  }
  std::vector<std::string> tables =
      storage.sql()
          .Exec("SELECT name FROM sqlite_schema WHERE type='table' ORDER BY name")
          .ToVector<std::string>();
  for (const std::string& table : tables) {
    if (table.starts_with("_cf_")) continue;
    state += table + "(";
    Cursor cursor = storage.sql().Exec("SELECT * FROM " + table);
    while (cursor.Next()) {
      for (size_t i = 0; i < cursor.ColumnCount(); ++i) state += TextOf(cursor.Column(i)) + "|";
    }
    state += ")";
  }
  for (const AlarmInfo& alarm : storage.ListAlarms()) {
    state += alarm.name + "@" + std::to_string(alarm.time.time_since_epoch().count()) + ";";
  }
  EXPECT_EQ(storage.sql().Exec("PRAGMA quick_check").One<std::string>(), "ok");
  return state;
}

const std::string& StoragePieces::AfterOf(const StoragePiece& piece, CommitMode mode) {
  for (const auto& [name, state] : after_) {
    if (name == piece.name) return state;
  }
  const auto storage = ObjectStorage::Open(store_(), kNamespace, kObject, OptionsOf(mode));
  Fill(*storage);
  before_ = StateOf(*storage);
  piece.run(*storage);
  return after_.emplace_back(piece.name, StateOf(*storage)).second;
}

bool StoragePieces::Run(const StoragePiece& piece, CommitMode mode,
                        const std::function<void()>& begin, const std::function<bool()>& end,
                        const std::function<void()>& settle) {
  const StorageOptions options = OptionsOf(mode);
  const std::string after = AfterOf(piece, mode);
  auto storage = ObjectStorage::Open(store_(), kNamespace, kObject, options);
  Fill(*storage);
  std::optional<Error> error;
  bool out_of_memory = false;
  begin();
  try {
    piece.run(*storage);
  } catch (const Error& thrown) {
    end();
    error.emplace(thrown);
  } catch (const std::bad_alloc&) {
    out_of_memory = true;
  }
  const bool fired = end() || error.has_value();
  if (!fired) {
    EXPECT_FALSE(out_of_memory);
    EXPECT_EQ(StateOf(*storage), after);
    return false;
  }
  // What breaks while another exception is on its way is told to whoever comes next.
  const bool failed = error || out_of_memory || storage->broken() != nullptr;
  failures_ += failed ? 1 : 0;
  const auto all_or_nothing = [&](const std::string& state) {
    if (!failed) {
      EXPECT_EQ(state, after);
    } else if (!piece.in_parts) {
      EXPECT_THAT(state, ::testing::AnyOf(before_, after));
    }
  };
  std::optional<std::string> seen;
  if (storage->broken() != nullptr) {
    ++broken_;
    const std::string why = storage->broken()->what();
    EXPECT_EQ(MessageOf([&] { storage->kv().Get("key a"); }), why);
    EXPECT_EQ(MessageOf([&] { storage->Sync(); }), why);
  } else {
    seen = StateOf(*storage);
    all_or_nothing(*seen);
    storage->kv().Put("it works", "1");
    storage->Commit();
    storage->kv().Delete("it works");
    storage->Commit();
  }
  storage.reset();
  if (settle) settle();
  storage = ObjectStorage::Open(store_(), kNamespace, kObject, options);
  const std::string state = StateOf(*storage);
  if (seen) {
    EXPECT_EQ(state, *seen);
  } else {
    all_or_nothing(state);
  }
  return true;
}

}  // namespace tidemark::testing
