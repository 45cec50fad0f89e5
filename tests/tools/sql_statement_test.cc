// What the tools tell of a statement from its words.

#include "tools/sql_statement.h"

#include <gtest/gtest.h>

#include "tests/support/test_seed.h"

namespace tidemark::tools {
namespace {

TEST(SqlStatementTest, FirstWord) {
  EXPECT_EQ(FirstWord("select 1"), "SELECT");
  EXPECT_EQ(FirstWord(" ;\n; -- a; b\n/* c */ Begin;"), "BEGIN");
  EXPECT_EQ(FirstWord("vacuum"), "VACUUM");
  EXPECT_EQ(FirstWord("pragma_x"), "PRAGMA_X");
  EXPECT_EQ(FirstWord(""), "");
  EXPECT_EQ(FirstWord("-- only a comment"), "");
  EXPECT_EQ(FirstWord("/* without an end"), "");
  EXPECT_EQ(FirstWord("'text'"), "");
  EXPECT_EQ(FirstWord("1"), "");
}

// Goal: DELETE and UPDATE without a WHERE of their own are told, whatever else stands in them.
TEST(SqlStatementTest, SweepOf) {
  static constexpr struct {
    const char* sql;
    Sweep sweep;
  } kCases[] = {
      {"delete from t", Sweep::kDelete},
      {"DELETE FROM main.t;", Sweep::kDelete},
      {"delete from t where x = 1", Sweep::kNone},
      {"delete from t WhErE 1", Sweep::kNone},
      {";; delete from t; select 1 where 1", Sweep::kDelete},
      {"delete from t -- where x = 1", Sweep::kDelete},
      {"delete from t /* where x = 1 */", Sweep::kDelete},
      {"delete from t -- all\n where x = 1", Sweep::kNone},
      {"/* first */ delete/**/from/**/t", Sweep::kDelete},
      {"delete from \"where\"", Sweep::kDelete},
      {"delete from [where]", Sweep::kDelete},
      {"delete from `where`", Sweep::kDelete},
      {"delete from 'where'", Sweep::kDelete},
      {"delete from \"a\"\" where \"", Sweep::kDelete},
      {"delete from [a\"] where 1", Sweep::kNone},
      {"delete from nowhere", Sweep::kDelete},
      {"delete from where_", Sweep::kDelete},
      {"delete from t\xc3\xa9where", Sweep::kDelete},
      {"delete from t indexed by i where x", Sweep::kNone},
      {"delete from t returning x", Sweep::kDelete},
      {"delete from t returning (select 1 where 1)", Sweep::kDelete},
      {"delete from t where x in (select y from u)", Sweep::kNone},
      {"update t set x = 1", Sweep::kUpdate},
      {"update or replace t set x = 1", Sweep::kUpdate},
      {"update t set x = 1 where y", Sweep::kNone},
      {"update t set x = 'it''s where'", Sweep::kUpdate},
      {"update t set x = 'it''s' where y", Sweep::kNone},
      {"update t set x = x'00' where y", Sweep::kNone},
      {"update t set x = X'00ff', y = 1e5", Sweep::kUpdate},
      {"update t set x = (select y from u where u.z = t.z)", Sweep::kUpdate},
      {"update t set x = (select y from u where u.z = t.z) where z", Sweep::kNone},
      {"update t set (a, b) = (select 1, 2 where 1)", Sweep::kUpdate},
      {"update t set x = u.x from (select * from u where 1) as u", Sweep::kUpdate},
      {"update t set x = u.x from u where u.y = t.y", Sweep::kNone},
      {"with a as (select 1 where 1) delete from t", Sweep::kDelete},
      {"with a as (select 1) delete from t where x in a", Sweep::kNone},
      {"with recursive a(x) as (select 1 union all select x + 1 from a where x < 5), "
       "b as materialized (select 2) update t set x = 1",
       Sweep::kUpdate},
      {"with \"delete\" as (select 1) select * from \"delete\"", Sweep::kNone},
      {"with a as (select 1) insert into t select * from a", Sweep::kNone},
      {"with a as (values(1)) values(2)", Sweep::kNone},
      {"insert into t values('delete from t')", Sweep::kNone},
      {"insert into t values(1) on conflict do update set x = 2", Sweep::kNone},
      {"replace into t values(1)", Sweep::kNone},
      {"create trigger r after insert on t begin delete from u; end", Sweep::kNone},
      {"explain delete from t", Sweep::kNone},
      {"select * from t", Sweep::kNone},
      {"drop table t", Sweep::kNone},
      {"vacuum", Sweep::kVacuum},
      {" VACUUM main ;", Sweep::kVacuum},
      {"vacuum into 'copy.db'", Sweep::kNone},
      {"vacuum main into 'copy.db'", Sweep::kNone},
      {"", Sweep::kNone},
      {"with", Sweep::kNone},
      {"with a as (", Sweep::kNone},
      {"delete from t where 'no end", Sweep::kNone},
      {"delete from 't where", Sweep::kDelete},
  };
  for (const auto& one : kCases) EXPECT_EQ(SweepOf(one.sql), one.sweep) << one.sql;
}

// Goal: no text leads it beyond its end or into a loop. Method: random ones, of what it looks at.
TEST(SqlStatementTest, AnyText) {
  testing::Random random(testing::TestSeed());
  static constexpr const char* kParts[] = {"delete", "with", "where", " ", "(",  ")",
                                           "'",      "\"",   "[",     "]", "--", "/*",
                                           "*/",     "\n",   ";",     "`", "x",  "\xff"};
  for (int i = 0; i < 20'000; ++i) {
    std::string sql;
    for (uint64_t parts = random.Below(12); parts > 0; --parts) {
      sql += kParts[random.Below(std::size(kParts))];
    }
    const std::string copy(sql.data(), sql.size());  // of exactly its size, for the sanitizers
    EXPECT_EQ(SweepOf(copy), SweepOf(copy + " "));
    EXPECT_EQ(FirstWord(copy), FirstWord("; " + copy));
  }
}

}  // namespace
}  // namespace tidemark::tools
