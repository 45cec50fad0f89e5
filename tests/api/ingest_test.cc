// Ingest: SQL that comes in pieces.

#include "tests/api/api_fixture.h"

namespace tidemark::testing {
namespace {

class IngestTest : public ApiTest {};

// C076.
TEST_F(IngestTest, WhatIsNotCompleteRemains) {
  EXPECT_EQ(sql().Ingest("SELECT 123; SELECT 456;    ").remainder, "    ");
  EXPECT_EQ(sql().Ingest("SELECT 123; SELECT 45").remainder, " SELECT 45");
  EXPECT_EQ(sql().Ingest("SELECT 123").remainder, "SELECT 123");
  EXPECT_EQ(sql().Ingest("").remainder, "");
  EXPECT_EQ(sql().Ingest("SELECT 123; SELECT 456;").statement_count, 2u);
}

// C077.
TEST_F(IngestTest, ACommentRemainsAndAWrongStatementThrows) {
  EXPECT_EQ(sql().Ingest("SELECT 123; -- a comment").remainder, " -- a comment");
  EXPECT_FAILS(sql().Ingest("SELECT 123; SELEC 456;"), "syntax error at offset 12");
  EXPECT_EQ(sql().Ingest("SELECT 1; SELEC").remainder, " SELEC");
}

TEST_F(IngestTest, SemicolonsThatEndNothing) {
  Exec("CREATE TABLE t(v)");
  const char* text =
      "INSERT INTO t VALUES('a;b'); INSERT INTO t VALUES(\";\"||'it''s;');/* ; */"
      "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; SELECT 2; END; SELECT [v;] ";
  EXPECT_EQ(sql().Ingest(text).remainder, " SELECT [v;] ");
  const IngestResult result = sql().Ingest(
      "CREATE TRIGGER y AFTER INSERT ON t BEGIN SELECT 1; SELECT 2; END; INSERT INTO t "
      "VALUES('it''s; x');-- ;\n /* ; */ SELECT `a;");
  EXPECT_EQ(result.statement_count, 2u);
  EXPECT_EQ(result.remainder, "-- ;\n /* ; */ SELECT `a;");
  EXPECT_EQ(Query("SELECT v FROM t"), "a;b ;it's; it's; x");
}

// C078.
TEST_F(IngestTest, PiecesOfAnySizeGiveTheSame) {
  std::string text;
  for (int i = 0; i < 6; ++i) {
    text +=
        "INSERT INTO t "
        "VALUES('\xc3\xa4;'),('\xe2\x82\xac'),('\xf0\x9f\x98\x80'),('x'),('y'),('z');\n";
  }
  for (size_t piece = 1; piece < 3 * text.size(); piece *= 3) {
    SCOPED_TRACE(piece);
    Exec("DROP TABLE IF EXISTS t; CREATE TABLE t(v)");
    std::string buffer;
    uint64_t statements = 0;
    uint64_t written = 0;
    for (size_t at = 0; at < text.size(); at += piece) {
      buffer += text.substr(at, piece);
      const IngestResult result = sql().Ingest(buffer);
      statements += result.statement_count;
      written += result.rows_written;
      buffer = std::string(result.remainder);
    }
    EXPECT_EQ(statements, 6u);
    EXPECT_EQ(written, 36u);
    EXPECT_EQ(Query("SELECT count(*) FROM t WHERE v = '\xf0\x9f\x98\x80'"), "6");
    EXPECT_EQ(Query("SELECT count(*) FROM t"), "36");
  }
}

// C079.
TEST_F(IngestTest, InATransactionAllPiecesCommitTogether) {
  Exec("CREATE TABLE t(v)");
  const int before = CommitCount();
  storage_->Transaction([&] {
    for (int i = 0; i < 5; ++i) sql().Ingest("INSERT INTO t VALUES(1);");
  });
  EXPECT_EQ(CommitCount(), before + 1);
  EXPECT_EQ(Query("SELECT count(*) FROM t"), "5");
}

}  // namespace
}  // namespace tidemark::testing
