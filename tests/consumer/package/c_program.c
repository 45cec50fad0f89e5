/* A program in C11 on the installed package: everything that vfs/tidemark.h promises, once.
 *
 *   c_program DIRECTORY      a directory that does not exist
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vfs/tidemark.h"

static void check(int ok, const char* what, int line) {
  if (ok) return;
  fprintf(stderr, "line %d: %s; the last error: %s\n", line, what, tidemark_last_error());
  exit(1);
}
#define CHECK(condition) check((condition), #condition, __LINE__)

static void run(sqlite3* db, const char* sql) {
  char* message = NULL;
  if (sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK) return;
  fprintf(stderr, "%s: %s\n", sql, message);
  exit(1);
}

static int count(sqlite3* db) {
  sqlite3_stmt* statement = NULL;
  int result;
  CHECK(sqlite3_prepare_v2(db, "SELECT count(*) FROM t", -1, &statement, NULL) == SQLITE_OK);
  CHECK(sqlite3_step(statement) == SQLITE_ROW);
  result = sqlite3_column_int(statement, 0);
  sqlite3_finalize(statement);
  return result;
}

/* Each wrong call has its code, leaves a message, and sets its result to nothing. */
static void refuse(tidemark_store* store, const char* directory) {
  char bookmark[TIDEMARK_BOOKMARK_SIZE] = "x";
  tidemark_store* second = (tidemark_store*)bookmark;
  sqlite3* db = (sqlite3*)bookmark;
  CHECK(tidemark_open_store("/nowhere/at/all", 0, &second) == TIDEMARK_NOT_FOUND);
  CHECK(second == NULL && strstr(tidemark_last_error(), "/nowhere/at/all") != NULL);
  CHECK(tidemark_open_store(directory, 0, &second) == TIDEMARK_IN_USE && second == NULL);
  CHECK(tidemark_open_store(NULL, 0, &second) == TIDEMARK_INVALID_ARGUMENT);
  CHECK(tidemark_open(store, "rooms", "none", NULL, 0, &db) == TIDEMARK_NOT_FOUND && db == NULL);
  CHECK(strstr(tidemark_last_error(), "rooms/none") != NULL);
  CHECK(tidemark_open(store, NULL, "lobby", NULL, 0, &db) == TIDEMARK_INVALID_ARGUMENT);
  CHECK(tidemark_open(NULL, "rooms", "lobby", NULL, 0, &db) == TIDEMARK_INVALID_ARGUMENT);
  CHECK(tidemark_open(store, "rooms", "lobby", "nonsense", 0, &db) != TIDEMARK_OK && db == NULL);
  CHECK(tidemark_current_bookmark(store, "rooms", "none", bookmark) == TIDEMARK_NOT_FOUND);
  CHECK(bookmark[0] == '\0');
  CHECK(tidemark_restore(store, "rooms", "lobby", NULL, bookmark) == TIDEMARK_INVALID_ARGUMENT);
  CHECK(tidemark_wait_durable(store, "rooms", "none") == TIDEMARK_NOT_FOUND);
  CHECK(tidemark_delete(store, "rooms", "none", bookmark) == TIDEMARK_NOT_FOUND);
  CHECK(tidemark_undelete(store, "rooms", "lobby") == TIDEMARK_EXISTS);
  CHECK(tidemark_fork(store, "rooms", "lobby", NULL, "rooms", NULL) == TIDEMARK_INVALID_ARGUMENT);
  CHECK(tidemark_fork(store, "rooms", "lobby", NULL, "rooms", "lobby") == TIDEMARK_EXISTS);
  CHECK(tidemark_set_label(store, "rooms", "lobby", "1st", NULL, 0) == TIDEMARK_INVALID_ARGUMENT);
  CHECK(tidemark_set_label(store, "rooms", "lobby", NULL, NULL, 0) == TIDEMARK_INVALID_ARGUMENT);
  CHECK(tidemark_remove_label(store, "rooms", "lobby", "none") == TIDEMARK_NOT_FOUND);
  CHECK(tidemark_set_hold(store, "rooms", "lobby", NULL) == TIDEMARK_INVALID_ARGUMENT);
  CHECK(tidemark_release_hold(store, "rooms", "lobby") == TIDEMARK_NOT_FOUND);
  CHECK(tidemark_close_store(store) == TIDEMARK_BUSY);
  CHECK(strstr(tidemark_last_error(), "1 open database") != NULL);
  CHECK(tidemark_close_store(NULL) == TIDEMARK_OK);
}

/* Whether the JSON that a call gave has `part` in it; frees it. */
static int json_has(char* json, const char* part) {
  const int found = json != NULL && strstr(json, part) != NULL;
  sqlite3_free(json);
  return found;
}

static int rows_of(tidemark_store* store, const char* name, const char* at) {
  sqlite3* db;
  int rows;
  CHECK(tidemark_open(store, "rooms", name, at, 0, &db) == TIDEMARK_OK);
  rows = count(db);
  CHECK(sqlite3_close(db) == SQLITE_OK);
  return rows;
}

/* Labels, forks, deletion, holds. rooms/lobby is empty now, and had two rows at `before`. */
static void more(tidemark_store* store, const char* before) {
  char now[TIDEMARK_BOOKMARK_SIZE];
  char undo[TIDEMARK_BOOKMARK_SIZE];
  char* json;
  sqlite3* db;
  tidemark_retention policy;
  sqlite3_int64 budget;
  sqlite3_int64 used;
  sqlite3_int64 freed = -1;

  CHECK(tidemark_set_label(store, "rooms", "lobby", "full", before, 0) == TIDEMARK_OK);
  CHECK(tidemark_set_label(store, "rooms", "lobby", "full", NULL, 0) == TIDEMARK_EXISTS);
  CHECK(tidemark_set_label(store, "rooms", "lobby", "empty", before, 0) == TIDEMARK_OK);
  CHECK(tidemark_set_label(store, "rooms", "lobby", "empty", NULL, TIDEMARK_REPLACE) ==
        TIDEMARK_OK);
  CHECK(rows_of(store, "lobby", "full") == 2 && rows_of(store, "lobby", "empty") == 0);
  CHECK(tidemark_list_labels(store, "rooms", "lobby", &json) == TIDEMARK_OK);
  CHECK(json_has(json, "{\"name\":\"full\",\"automatic\":false,"));
  CHECK(tidemark_remove_label(store, "rooms", "lobby", "empty") == TIDEMARK_OK);
  CHECK(tidemark_list_labels(store, "rooms", "lobby", &json) == TIDEMARK_OK);
  CHECK(!json_has(json, "\"empty\""));

  CHECK(tidemark_fork(store, "rooms", "lobby", "full", "rooms", "copy") == TIDEMARK_OK);
  CHECK(rows_of(store, "copy", NULL) == 2);
  CHECK(tidemark_current_bookmark(store, "rooms", "lobby", now) == TIDEMARK_OK);
  CHECK(tidemark_promote(store, "rooms", "lobby", "rooms", "copy", 0, undo) == TIDEMARK_EXISTS);
  CHECK(undo[0] == '\0');
  CHECK(tidemark_promote(store, "rooms", "lobby", "rooms", "copy", TIDEMARK_REPLACE, undo) ==
        TIDEMARK_OK);
  CHECK(strcmp(undo, now) == 0 && rows_of(store, "lobby", NULL) == 2);
  CHECK(tidemark_promote(store, "rooms", "copy", "rooms", "lobby", 0, NULL) == TIDEMARK_FOREIGN);
  CHECK(tidemark_restore(store, "rooms", "lobby", undo, NULL) == TIDEMARK_OK);
  CHECK(rows_of(store, "lobby", NULL) == 0);

  CHECK(tidemark_set_hold(store, "rooms", "copy", "a court asked for it") == TIDEMARK_OK);
  CHECK(tidemark_delete(store, "rooms", "copy", undo) == TIDEMARK_OK);
  CHECK(tidemark_open(store, "rooms", "copy", NULL, 0, &db) == TIDEMARK_NOT_FOUND);
  CHECK(rows_of(store, "copy", undo) == 2);
  CHECK(tidemark_release_hold(store, "rooms", "copy") == TIDEMARK_OK);
  CHECK(tidemark_undelete(store, "rooms", "copy") == TIDEMARK_OK);
  CHECK(rows_of(store, "copy", NULL) == 2);
  CHECK(tidemark_delete(store, "rooms", "copy", NULL) == TIDEMARK_OK);
  CHECK(tidemark_list_restores(store, "rooms", "copy", &json) == TIDEMARK_OK);
  CHECK(strncmp(json, "[{\"lsn\":", 8) == 0);
  CHECK(json_has(json, "\"kind\":\"undelete\""));

  CHECK(tidemark_get_retention(store, "rooms", "lobby", &policy) == TIDEMARK_OK);
  CHECK(policy.window == 30 * 86400 && policy.hourly == 0 && policy.daily == 0);
  policy.hourly = 90 * 86400;
  CHECK(tidemark_set_retention(store, "rooms", NULL, &policy) == TIDEMARK_OK);
  policy.window = 7;
  CHECK(tidemark_set_retention(store, "rooms", "lobby", &policy) == TIDEMARK_OK);
  CHECK(tidemark_clear_retention(store, "rooms", "lobby") == TIDEMARK_OK);
  CHECK(tidemark_get_retention(store, "rooms", "lobby", &policy) == TIDEMARK_OK);
  CHECK(policy.window == 30 * 86400 && policy.hourly == 90 * 86400);
  CHECK(tidemark_get_retention(store, NULL, NULL, &policy) == TIDEMARK_OK);
  CHECK(policy.window == 30 * 86400 && policy.hourly == 0);
  policy.window = -1;
  CHECK(tidemark_set_retention(store, NULL, NULL, &policy) == TIDEMARK_INVALID_ARGUMENT);
  CHECK(tidemark_set_retention(store, NULL, NULL, NULL) == TIDEMARK_INVALID_ARGUMENT);
  CHECK(tidemark_set_retention(store, NULL, "lobby", &policy) == TIDEMARK_INVALID_ARGUMENT);
  CHECK(tidemark_get_budget(store, &budget, NULL) == TIDEMARK_OK && budget == 0);
  CHECK(tidemark_set_budget(store, 50000000000) == TIDEMARK_OK);
  CHECK(tidemark_get_budget(store, &budget, &used) == TIDEMARK_OK);
  CHECK(budget == 50000000000 && used >= 0 && used < budget);
  CHECK(tidemark_set_budget(store, -1) == TIDEMARK_INVALID_ARGUMENT);
  CHECK(tidemark_prune(store, &freed) == TIDEMARK_OK && freed >= 0);
  CHECK(tidemark_set_budget(store, 0) == TIDEMARK_OK);
  CHECK(tidemark_get_budget(store, &budget, NULL) == TIDEMARK_OK && budget == 0);
  CHECK(tidemark_confirm_clock(store) == TIDEMARK_OK);

  CHECK(tidemark_purge(store, "rooms", "lobby") == TIDEMARK_BUSY);
  CHECK(strstr(tidemark_last_error(), "in use") != NULL);
  CHECK(tidemark_fork(store, "rooms", "lobby", "full", "rooms", "twin") == TIDEMARK_OK);
  CHECK(tidemark_purge(store, "rooms", "twin") == TIDEMARK_OK);
  CHECK(tidemark_open(store, "rooms", "twin", NULL, 0, &db) == TIDEMARK_NOT_FOUND);
  CHECK(tidemark_purge(store, "rooms", "twin") == TIDEMARK_NOT_FOUND);
}

static void salvage(const char* directory) {
  char salvaged[4096];
  char* report = NULL;
  CHECK(snprintf(salvaged, sizeof(salvaged), "%s.salvaged", directory) < (int)sizeof(salvaged));
  CHECK(tidemark_salvage(directory, NULL, NULL) == TIDEMARK_INVALID_ARGUMENT);
  CHECK(tidemark_salvage("/nowhere/at/all", salvaged, &report) == TIDEMARK_NOT_FOUND);
  CHECK(report == NULL);
  CHECK(tidemark_salvage(directory, salvaged, &report) == TIDEMARK_OK);
  CHECK(strstr(report, "\"whole\":true,\"ends_cleanly\":true,") != NULL);
  sqlite3_free(report);
  CHECK(tidemark_salvage(directory, salvaged, NULL) == TIDEMARK_EXISTS);
}

int main(int argc, char** argv) {
  char before[TIDEMARK_BOOKMARK_SIZE];
  char now[TIDEMARK_BOOKMARK_SIZE];
  char undo[TIDEMARK_BOOKMARK_SIZE];
  tidemark_store* store;
  sqlite3* db;
  sqlite3* past;

  CHECK(argc == 2);
  CHECK(strcmp(tidemark_version(), TIDEMARK_VERSION) == 0);
  CHECK(tidemark_last_error()[0] == '\0');
  CHECK(tidemark_open_store(argv[1], TIDEMARK_CREATE, &store) == TIDEMARK_OK);
  CHECK(tidemark_open(store, "rooms", "lobby", NULL, TIDEMARK_CREATE, &db) == TIDEMARK_OK);
  run(db, "CREATE TABLE t(x); INSERT INTO t VALUES(1), (2)");
  CHECK(tidemark_current_bookmark(store, "rooms", "lobby", before) == TIDEMARK_OK);
  CHECK(strlen(before) == TIDEMARK_BOOKMARK_SIZE - 1);
  run(db, "PRAGMA synchronous=NORMAL; DELETE FROM t");
  CHECK(tidemark_wait_durable(store, "rooms", "lobby") == TIDEMARK_OK);
  CHECK(tidemark_wait_durable(store, NULL, NULL) == TIDEMARK_OK);

  CHECK(tidemark_bookmark_at(store, "rooms", "lobby", "now", now) == TIDEMARK_OK ||
        tidemark_bookmark_at(store, "rooms", "lobby", "0 seconds ago", now) == TIDEMARK_OK);
  CHECK(strcmp(now, before) > 0);
  CHECK(tidemark_open(store, "rooms", "lobby", before, 0, &past) == TIDEMARK_OK);
  CHECK(count(past) == 2 && count(db) == 0);
  CHECK(sqlite3_exec(past, "DELETE FROM t", NULL, NULL, NULL) == SQLITE_READONLY);
  CHECK(sqlite3_close(past) == SQLITE_OK);

  run(db, "BEGIN IMMEDIATE");
  CHECK(tidemark_restore(store, "rooms", "lobby", before, undo) == TIDEMARK_BUSY);
  CHECK(undo[0] == '\0');
  run(db, "COMMIT");
  CHECK(tidemark_restore(store, "rooms", "lobby", before, undo) == TIDEMARK_OK);
  CHECK(count(db) == 2);
  CHECK(tidemark_restore(store, "rooms", "lobby", undo, NULL) == TIDEMARK_OK);
  CHECK(count(db) == 0);
  more(store, before);
  refuse(store, argv[1]);
  CHECK(sqlite3_close(db) == SQLITE_OK);
  CHECK(tidemark_rebuild(argv[1]) == TIDEMARK_IN_USE);
  CHECK(tidemark_close_store(store) == TIDEMARK_OK);
  CHECK(tidemark_rebuild("/nowhere/at/all") == TIDEMARK_NOT_FOUND);
  CHECK(tidemark_rebuild(NULL) == TIDEMARK_INVALID_ARGUMENT);
  CHECK(tidemark_rebuild(argv[1]) == TIDEMARK_OK);
  salvage(argv[1]);

  CHECK(tidemark_open_store(argv[1], 0, &store) == TIDEMARK_OK);
  CHECK(tidemark_open(store, "rooms", "lobby", NULL, TIDEMARK_NO_WRITES, &db) == TIDEMARK_OK);
  CHECK(count(db) == 0);
  CHECK(sqlite3_exec(db, "DELETE FROM t", NULL, NULL, NULL) == SQLITE_READONLY);
  CHECK(sqlite3_close(db) == SQLITE_OK);
  CHECK(tidemark_close_store(store) == TIDEMARK_OK);
  printf("C with Tidemark %s: ok\n", tidemark_version());
  return 0;
}
