// Labels on the command line: set, listed, used as points; and those that `sql` and `restore` make
// before something that may be regretted.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/clock.h"
#include "engine/store.h"
#include "tests/support/status_matchers.h"
#include "tests/tools/tools_fixture.h"
#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

class LabelVerbTest : public ToolsTest {
 protected:
  void SetUp() override {
    MakeStore();
    first_ = MakeObject("rooms/lobby");
  }

  ProcessResult Label(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"label", store(), "rooms/lobby"});
    return Tool(arguments);
  }
  ProcessResult Sql(const std::string& sql, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"sql", store(), "rooms/lobby", sql};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Tool(arguments);
  }
  nlohmann::json Labels() { return ToolJson({"labels", store(), "rooms/lobby"})["labels"]; }
  std::string Count() { return Value("rooms/lobby", "select count(*) from t"); }

  std::string first_;
};

// Goal: a label is set, found wherever a POINT is asked for, shown beside its commit, moved and
// removed.
TEST_F(LabelVerbTest, IsAPointEverywhere) {
  const ProcessResult set = Label({"before-migration"});
  ASSERT_DONE(set);
  EXPECT_EQ(set.out.find("before-migration is " + first_), 0u) << set.out;
  ASSERT_DONE(Sql("insert into t(text) values('four')"));
  const std::string second = BookmarkOf("rooms/lobby");
  EXPECT_EQ(ValueAt("rooms/lobby", "before-migration", "select count(*) from t"), "3");
  EXPECT_EQ(Tool({"bookmark", store(), "rooms/lobby", "--at", "before-migration"}).out,
            first_ + "\n");
  ASSERT_DONE(Tool(
      {"export", store(), "rooms/lobby", "--at", "before-migration", "-o", Path("old.sqlite")}));

  nlohmann::json log = ToolJson({"log", store(), "rooms/lobby"})["commits"];
  EXPECT_EQ(log[0]["labels"], nlohmann::json::array());
  EXPECT_EQ(log[0]["schema_changed"], false);
  EXPECT_EQ(log[1]["labels"], nlohmann::json({"before-migration"}));
  EXPECT_EQ(log[1]["schema_changed"], true);
  const std::string table = Tool({"log", store(), "rooms/lobby"}).out;
  EXPECT_NE(table.find("commit, schema  before-migration\n"), std::string::npos) << table;
  const auto range = [&](const std::string& option) {
    return ToolJson({"log", store(), "rooms/lobby", option, "before-migration"})["commits"].size();
  };
  EXPECT_EQ(range("--since"), 2u);
  EXPECT_EQ(range("--until"), 1u);

  ASSERT_DONE(Label({"four", "--at", second}));
  ASSERT_DONE(Label({"four", "--at", second}));  // it is there already
  const ProcessResult exists = Label({"before-migration"});
  EXPECT_ENDS(exists, 1, "already: it names " + first_);
  EXPECT_ENDS(exists, 1, "label " + store() + " rooms/lobby before-migration --remove");
  EXPECT_EQ(Labels()[0]["bookmark"], first_);
  ASSERT_DONE(Label({"before-migration", "--move"}));
  nlohmann::json labels = Labels();
  ASSERT_EQ(labels.size(), 2u);
  EXPECT_EQ(labels[0]["name"], "before-migration");
  EXPECT_EQ(labels[0]["bookmark"], second);
  EXPECT_EQ(labels[0]["automatic"], false);
  EXPECT_EQ(labels[0]["damage"], nullptr);
  ASSERT_DONE(Label({"before-migration", "--move", "--at", first_}));
  ASSERT_DONE(Label({"four", "--remove"}));
  labels = Labels();
  ASSERT_EQ(labels.size(), 1u);
  ASSERT_DONE(Paste(labels[0]["restore"]));
  EXPECT_EQ(Count(), "3");
}

// Goal: bad input is told as such, and changes nothing.
TEST_F(LabelVerbTest, BadInput) {
  ASSERT_DONE(Label({"v1"}));
  const std::string none = Path("none");
  EXPECT_ENDS(Tool({"label", none, "rooms/lobby"}), 2, "STORE is missing");
  EXPECT_ENDS(Tool({"label", none, "rooms/lobby", "1st"}), 2, "the first one a letter");
  EXPECT_ENDS(Tool({"label", none, "rooms/lobby", "now"}), 2, "word for a time");
  EXPECT_ENDS(Tool({"label", none, "rooms/lobby", std::string(65, 'x')}), 2, "1 to 64 letters");
  EXPECT_ENDS(Tool({"label", none, "rooms/lobby", first_}), 2, "cannot be a label");
  EXPECT_ENDS(Tool({"label", none, "rooms/lobby", "v2", "--remove", "--move"}), 2, "exclude");
  EXPECT_ENDS(Tool({"label", none, "rooms/lobby", "v2", "--remove", "--at", "now"}), 2, "exclude");
  EXPECT_ENDS(Tool({"label", none, "rooms/lobby", "v2", "--at", "5 minutes"}), 2, "or a label");
  EXPECT_ENDS(Tool({"label", none, "rooms/lobby", "v2"}), 1, none);
  EXPECT_ENDS(Tool({"label", store(), "rooms/attic", "v2"}), 1, "rooms/attic does not exist");
  EXPECT_ENDS(Tool({"labels", store(), "rooms/attic"}), 1, "rooms/attic does not exist");
  EXPECT_ENDS(Label({"v2", "--at", "yesterday"}), 1, "did not exist at");
  for (const std::vector<std::string>& verb : std::vector<std::vector<std::string>>{
           {"label", store(), "rooms/lobby", "v3", "--at", "v2"},
           {"label", store(), "rooms/lobby", "v2", "--remove"},
           {"restore", store(), "rooms/lobby", "--to", "v2"},
           {"sql", store(), "rooms/lobby", "select 1", "--at", "v2"},
           {"log", store(), "rooms/lobby", "--since", "v2"}}) {
    const ProcessResult result = Tool(verb);
    EXPECT_ENDS(result, 1, "object rooms/lobby has no label \"v2\"; its labels: v1");
    EXPECT_ENDS(result, 1, "labels " + store() + " rooms/lobby");
  }
  EXPECT_EQ(Labels().size(), 1u);
  EXPECT_EQ(BookmarkOf("rooms/lobby"), first_);
}

// Goal: before a statement that takes away more than may have been meant, the commit before gets a
// label, and the command that goes back to it is printed and works.
TEST_F(LabelVerbTest, BeforeALoss) {
  ASSERT_DONE(
      Sql("create index i on t(text); create view v as select * from t; "
          "create trigger r after insert on t begin select 1; end"));
  static constexpr struct {
    const char* sql;
    const char* label;
  } kLosses[] = {
      {"delete from t", "before-delete-"},
      {"update t set text = 'x'", "before-update-"},
      {"drop table t", "before-drop-"},
      {"drop index i", "before-drop-"},
      {"drop view v", "before-drop-"},
      {"drop trigger r", "before-drop-"},
      {"alter table t rename to u", "before-alter-"},
      {"alter table t add column z", "before-alter-"},
      {"alter table t drop column text", "before-alter-"},
      {"vacuum", "before-vacuum-"},
      {"insert into t(text) values('x'); delete from t", "before-delete-"},
      {"with a as (select 1 where 1) delete from t returning id", "before-delete-"},
  };
  for (const auto& loss : kLosses) {
    SCOPED_TRACE(loss.sql);
    // The index and the column stand in each other's way.
    const bool column = std::string(loss.sql).find("drop column") != std::string::npos;
    if (column) {
      ASSERT_DONE(Sql("drop index i; drop view v", {"--no-label"}));
    }
    const std::string before = BookmarkOf("rooms/lobby");
    const ProcessResult result = Sql(loss.sql);
    ASSERT_DONE(result);
    const size_t at = result.err.find("label ");
    ASSERT_EQ(at, 0u) << result.err;
    const std::string label = result.err.substr(6, result.err.find(':') - 6);
    EXPECT_EQ(label.find(loss.label), 0u) << label;
    EXPECT_EQ(Tool({"bookmark", store(), "rooms/lobby", "--at", label}).out, before + "\n");
    ASSERT_DONE(
        Paste(result.err.substr(label.size() + 8, result.err.find('\n') - label.size() - 8)));
    EXPECT_EQ(Count(), "3");
    if (column) {
      ASSERT_DONE(Sql("create index i on t(text); create view v as select * from t"));
    }
  }
}

// Goal: no label where nothing of the object is lost, nothing exists, or none is wanted; one a
// transaction.
TEST_F(LabelVerbTest, NoneWithoutALoss) {
  for (const char* const sql :
       {"insert into t(text) values('delete from t')", "delete from t where id = 1",
        "update t set text = 'where' where id = 2", "select * from t", "explain delete from t",
        "create temp table x(a); insert into x values(1); delete from x; update x set a = 2; "
        "alter table x add column b; drop table x",
        "drop table if exists missing",
        "attach ':memory:' as m; create table m.x(a); "
        "delete from m.x; drop table m.x",
        "vacuum into ':memory:'", "create table u(a)",
        "create trigger r after insert on t begin delete from u; end",
        "insert into t(text) values('fires r')"}) {
    SCOPED_TRACE(sql);
    const ProcessResult result = Sql(sql);
    EXPECT_TRUE(EndsWith(result, 0, ""));
    EXPECT_EQ(result.err.find("label"), std::string::npos) << result.err;
  }
  ASSERT_DONE(Sql("delete from u; drop table u", {"--no-label"}));
  ASSERT_DONE(Tool({"sql", store(), "rooms/new", "--create", "create table t(a); drop table t"}));
  EXPECT_ENDS(Sql("delete from t", {"--at", "now"}), 1, "--at");
  EXPECT_EQ(Labels(), nlohmann::json::array());
  EXPECT_EQ(ToolJson({"labels", store(), "rooms/new"})["labels"], nlohmann::json::array());
}

// Goal: at most one automatic label a commit, which names what was before the transaction; of a
// text with many, the first is printed, and where the others are.
TEST_F(LabelVerbTest, OneACommit) {
  nlohmann::json result = ToolJson({"sql", store(), "rooms/lobby",
                                    "begin; insert into t(text) values('x'); delete from t; "
                                    "drop table t; rollback; delete from t; update t set id = 1"});
  EXPECT_EQ(Tool({"bookmark", store(), "rooms/lobby", "--at", result["label"]}).out, first_ + "\n");
  EXPECT_EQ(Labels().size(), 1u);
  // Nothing is deleted, so the commit stays the same.
  ASSERT_DONE(Sql("delete from t"));
  ASSERT_DONE(Sql("delete from t"));
  EXPECT_EQ(Labels().size(), 2u);
  EXPECT_ENDS(Sql("drop table missing"), 1, "no such table");
  EXPECT_EQ(Labels().size(), 2u);

  std::string script;
  for (int i = 0; i < 20; ++i) {
    script += "begin; insert into t(text) values('x'); commit; begin; delete from t; commit;";
  }
  const ProcessResult many = Tool({"sql", store(), "rooms/lobby", "-"}, {.input = script});
  ASSERT_DONE(many);
  EXPECT_NE(many.err.find("and 19 labels more: "), std::string::npos) << many.err;
  EXPECT_EQ(Labels().size(), 22u);
  for (const nlohmann::json& label : Labels()) EXPECT_EQ(label["automatic"], true);
}

// Goal: every verb goes to a label whose commit would have expired without it.
TEST_F(LabelVerbTest, DoesNotExpire) {
  const std::string aged = Path("aged");
  std::string expired;
  {
    ManualClock clock(Clock::System()->Now() - std::chrono::hours(24 * 50));
    StoreOptions options;
    options.create_if_missing = true;
    options.clock = &clock;
    ASSERT_OK_AND_ASSIGN(const auto past, Store::Open(aged, options));
    {
      ASSERT_OK_AND_ASSIGN(const Database database, Database::Open(*past, "rooms", "lobby"));
      Exec(database, "create table t(a); insert into t values (1)");
      expired = database.object().CurrentBookmark()->ToString();
      ASSERT_OK(database.object().SetLabel("first", *Bookmark::Parse(expired)));
      clock.Advance(std::chrono::hours(24 * 5));
      Exec(database, "insert into t values (3)");
      expired = database.object().CurrentBookmark()->ToString();
      clock.Advance(std::chrono::hours(24 * 5));
      Exec(database, "insert into t values (2)");
    }
    ASSERT_OK(past->Close());
  }
  ASSERT_DONE(Tool({"retention", aged, "--confirm-clock"}));
  ASSERT_DONE(Tool({"prune", aged}));
  EXPECT_ENDS(Tool({"restore", aged, "rooms/lobby", "--to", expired}), 1, "expired");
  const std::string count = "select count(*) from t";
  EXPECT_EQ(Tool({"sql", aged, "rooms/lobby", "--csv", "--at", "first", count}).out,
            "count(*)\n1\n");
  ASSERT_DONE(Tool({"export", aged, "rooms/lobby", "--at", "first", "-o", Path("first.sqlite")}));
  ASSERT_DONE(Tool({"label", aged, "rooms/lobby", "again", "--at", "first"}));
  ASSERT_DONE(Tool({"fork", aged, "rooms/lobby", "rooms/fork", "--at", "first"}));
  ASSERT_DONE(Tool({"restore", aged, "rooms/lobby", "--to", "again"}));
  for (const char* const object : {"rooms/lobby", "rooms/fork"}) {
    EXPECT_EQ(Tool({"sql", aged, object, "--csv", count}).out, "count(*)\n1\n") << object;
  }
}

// Goal: a restore labels what was current before, and says so.
TEST_F(LabelVerbTest, BeforeARestore) {
  ASSERT_DONE(Sql("delete from t where id < 3"));
  const std::string deleted = BookmarkOf("rooms/lobby");
  nlohmann::json restored =
      ToolJson({"restore", store(), "rooms/lobby", "--to", first_, "--dry-run"});
  EXPECT_EQ(restored["label"], nullptr);
  restored = ToolJson({"restore", store(), "rooms/lobby", "--to", first_});
  const std::string label = restored["label"];
  EXPECT_EQ(label.find("before-restore-"), 0u);
  EXPECT_EQ(Tool({"bookmark", store(), "rooms/lobby", "--at", label}).out, deleted + "\n");
  const ProcessResult back = Tool({"restore", store(), "rooms/lobby", "--to", label});
  ASSERT_DONE(back);
  EXPECT_NE(back.out.find("is labelled before-restore-"), std::string::npos) << back.out;
  EXPECT_EQ(Count(), "1");
  EXPECT_EQ(Labels().size(), 2u);
}

}  // namespace
}  // namespace tidemark::testing
