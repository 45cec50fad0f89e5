/* Tidemark from C, and from whatever language can call C.
 *
 *   tidemark_store* store;
 *   sqlite3* db;
 *   char before[TIDEMARK_BOOKMARK_SIZE];
 *   if (tidemark_open_store("data", TIDEMARK_CREATE, &store) != TIDEMARK_OK) ...
 *   tidemark_open(store, "rooms", "lobby", NULL, TIDEMARK_CREATE, &db);
 *   tidemark_current_bookmark(store, "rooms", "lobby", before);
 *   sqlite3_exec(db, "delete from message", NULL, NULL, NULL);
 *   tidemark_restore(store, "rooms", "lobby", before, NULL);
 *   sqlite3_close(db);
 *   tidemark_close_store(store);
 *
 * SQL goes through SQLite's own C interface: a database is a plain sqlite3*.
 *
 * A call that fails returns a code other than TIDEMARK_OK and sets tidemark_last_error(); what it
 * should have set is set to null, or to an empty text. Texts are UTF-8 and end with a NUL. Any
 * thread may call anything at any time, but a store is closed last, and once.
 */

#ifndef TIDEMARK_VFS_TIDEMARK_H_
#define TIDEMARK_VFS_TIDEMARK_H_

#include <sqlite3.h>

#include "engine/export.h"
#include "engine/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What went wrong, and what to do about it. The numbers stay as they are. */
enum tidemark_code {
  TIDEMARK_OK = 0,
  TIDEMARK_INVALID_ARGUMENT = 1,    /* fix the call */
  TIDEMARK_OUT_OF_RANGE = 2,        /* fix the call: something that is not there */
  TIDEMARK_LIMIT_EXCEEDED = 3,      /* fix the call */
  TIDEMARK_NOT_FOUND = 4,           /* the store, object or time does not exist */
  TIDEMARK_EXISTS = 5,              /* it exists already */
  TIDEMARK_BUSY = 6,                /* someone else uses it: try again */
  TIDEMARK_IN_USE = 7,              /* another process owns the store */
  TIDEMARK_READ_ONLY = 8,           /* the store cannot be written */
  TIDEMARK_UNSUPPORTED_VERSION = 9, /* written by a newer Tidemark */
  TIDEMARK_FULL = 10,               /* make room, then go on */
  TIDEMARK_MALFORMED = 11,          /* not the text of a bookmark */
  TIDEMARK_FOREIGN = 12,            /* a bookmark of another object */
  TIDEMARK_EXPIRED = 13,            /* older than what is kept */
  TIDEMARK_FUTURE = 14,             /* a bookmark that this store has not reached */
  TIDEMARK_LOST = 15,               /* of a commit that a crash took before it was confirmed */
  TIDEMARK_CORRUPTION = 16,         /* damage was found; none of it was returned */
  TIDEMARK_IO_ERROR = 17,           /* the operating system refused */
  TIDEMARK_BROKEN = 18,             /* an earlier failure: close the store and open it again */
  TIDEMARK_OUT_OF_MEMORY = 19,      /* nothing was changed: free some memory, then try again */
  TIDEMARK_PAUSED = 20              /* the clock is in doubt: nothing expires until it is confirmed */
};

/* Flags. */
#define TIDEMARK_CREATE 1    /* make what does not exist */
#define TIDEMARK_NO_WRITES 2 /* for tidemark_open: a database that cannot be written */
#define TIDEMARK_REPLACE 4   /* for tidemark_set_label and tidemark_promote: what is in the way */

/* Room for a bookmark: 59 characters and the NUL. */
#define TIDEMARK_BOOKMARK_SIZE 60

typedef struct tidemark_store tidemark_store;

/* The version of the library itself, such as "0.1.0"; TIDEMARK_VERSION is that of this header. */
TIDEMARK_API const char* tidemark_version(void);

/* What the last call that failed in this thread had to say: "not_found: object rooms/lobby does not
 * exist". Empty if none did. Valid until this thread's next call that fails. */
TIDEMARK_API const char* tidemark_last_error(void);

/* Opens the store in a directory, recovering what a crash left. One process owns a store. */
TIDEMARK_API int tidemark_open_store(const char* directory, int flags, tidemark_store** out);

/* Makes everything durable and closes. TIDEMARK_BUSY, and the store is as it was, while databases
 * of it are open: close them before. Otherwise the store is gone afterwards even if this fails;
 * what was confirmed is safe. Null does nothing. */
TIDEMARK_API int tidemark_close_store(tidemark_store* store);

/* Makes the index of a closed store anew from its log, when opening the store says that the index is
 * damaged. Takes as long as reading all of the log. After an error the old one is in its place. */
TIDEMARK_API int tidemark_rebuild(const char* directory);

/* Brings all that is whole of a closed store, which need not open and is only read, into a new one:
 * every state that its hash proves, with its time. `new_directory` must be missing or empty. Takes as
 * long as reading and writing all of it. TIDEMARK_OK says that this came to its end, not that nothing
 * is lost: `report`, unless it is null, gets that as JSON, which sqlite3_free() frees:
 *   {"whole","ends_cleanly","commits","labels","objects","objects_brought","damage"}
 * whole: every object is there at its newest commit, and nothing found that is lost; ends_cleanly:
 * the log ends as a closed one does, so there was nothing more; objects, damage: their numbers, of
 * objects that are known of, and of damaged places. After an error, or an interruption, the new store
 * does not open: remove it. */
TIDEMARK_API int tidemark_salvage(const char* directory, const char* new_directory, char** report);

/* Opens a database; sqlite3_close() closes it. `at` is null for the present; or a bookmark, a
 * label, or a time (RFC 3339, unix seconds, "5 minutes ago") for a read-only view of the past. A
 * commit returns when it is durable (PRAGMA synchronous=FULL), or with synchronous=NORMAL when it
 * is visible. */
TIDEMARK_API int tidemark_open(tidemark_store* store, const char* namespace_name, const char* name,
                               const char* at, int flags, sqlite3** out);

/* The name of the present state of an object: its latest commit. */
TIDEMARK_API int tidemark_current_bookmark(tidemark_store* store, const char* namespace_name,
                                           const char* name, char out[TIDEMARK_BOOKMARK_SIZE]);

/* The bookmark of what an object was at a time, or of what a label names. A bookmark is checked and
 * comes back. */
TIDEMARK_API int tidemark_bookmark_at(tidemark_store* store, const char* namespace_name,
                                      const char* name, const char* at,
                                      char out[TIDEMARK_BOOKMARK_SIZE]);

/* Makes an object what it was at a bookmark, a time or a label; durable when this returns. `undo`,
 * if not null, is set to the bookmark that undoes it. Open databases of the object see it with
 * their next transaction; while one of them writes, this is TIDEMARK_BUSY. */
TIDEMARK_API int tidemark_restore(tidemark_store* store, const char* namespace_name,
                                  const char* name, const char* at,
                                  char undo[TIDEMARK_BOOKMARK_SIZE]);

/* Waits until all that was committed to an object is durable; to the whole store if both names are
 * null. */
TIDEMARK_API int tidemark_wait_durable(tidemark_store* store, const char* namespace_name,
                                       const char* name);

/* What follows is durable when it returns, blocks for that, and takes the same time whatever the
 * size of the objects. `undo` and `at` are as above; but a null `at` is the present. */

/* Deletes an object: it opens no more, or begins anew from nothing with TIDEMARK_CREATE. Its history
 * stays: tidemark_undelete, or a restore to `undo`, brings it back. TIDEMARK_BUSY while it is being
 * written. */
TIDEMARK_API int tidemark_delete(tidemark_store* store, const char* namespace_name,
                                 const char* name, char undo[TIDEMARK_BOOKMARK_SIZE]);

/* Removes an object, deleted or not, and all its history, labels and name from every file of the
 * store, for good: this cannot be undone. It writes the whole store anew, and blocks for that.
 * TIDEMARK_BUSY while databases of it are open; TIDEMARK_EXISTS while it is held or another object
 * shares its history: tidemark_last_error() names it. Behind that the object is gone whatever comes,
 * and after any other error or a crash, calling this again goes on. */
TIDEMARK_API int tidemark_purge(tidemark_store* store, const char* namespace_name,
                                const char* name);

/* Makes a deleted object what it was. TIDEMARK_EXISTS if it is not deleted, or has begun anew. */
TIDEMARK_API int tidemark_undelete(tidemark_store* store, const char* namespace_name,
                                   const char* name);

/* Makes a new object that begins as what another one was at a point: a copy on write that goes its
 * own way. TIDEMARK_EXISTS if there is an object of that name, a deleted one included. */
TIDEMARK_API int tidemark_fork(tidemark_store* store, const char* namespace_name, const char* name,
                               const char* at, const char* fork_namespace, const char* fork_name);

/* Makes the present state of a fork that of the object it was made of. TIDEMARK_EXISTS if the object
 * has commits that the fork has not seen, unless `flags` has TIDEMARK_REPLACE; TIDEMARK_FOREIGN if
 * it is no fork of it; TIDEMARK_BUSY while the object is being written. */
TIDEMARK_API int tidemark_promote(tidemark_store* store, const char* namespace_name,
                                  const char* name, const char* fork_namespace,
                                  const char* fork_name, int flags,
                                  char undo[TIDEMARK_BOOKMARK_SIZE]);

/* Names the commit at a point: 1 to 64 letters, digits, dots, dashes and underscores, the first one
 * a letter. What is labelled never expires. TIDEMARK_EXISTS if the label names another commit,
 * unless `flags` has TIDEMARK_REPLACE. */
TIDEMARK_API int tidemark_set_label(tidemark_store* store, const char* namespace_name,
                                    const char* name, const char* label, const char* at, int flags);

/* The commit stays. TIDEMARK_NOT_FOUND if there is no such label. */
TIDEMARK_API int tidemark_remove_label(tidemark_store* store, const char* namespace_name,
                                       const char* name, const char* label);

/* While an object is held nothing of its history expires; `reason` is for people, at most 256
 * bytes, and replaces that of a hold that is there. TIDEMARK_NOT_FOUND if what is to be released is
 * not held. A deleted object can be held, too. */
TIDEMARK_API int tidemark_set_hold(tidemark_store* store, const char* namespace_name,
                                   const char* name, const char* reason);
TIDEMARK_API int tidemark_release_hold(tidemark_store* store, const char* namespace_name,
                                       const char* name);

/* What is kept, counted back from the present, in seconds: everything for `window`, then one commit
 * an hour until `hourly`, then one a day until `daily`; 0 leaves a stage out. */
typedef struct tidemark_retention {
  sqlite3_int64 window;
  sqlite3_int64 hourly;
  sqlite3_int64 daily;
} tidemark_retention;

/* Sets, clears and gets the policy of an object, of a namespace (a null `name`), or of the store
 * (both null). An object goes by its own, else by its namespace's, else by the store's, and that is
 * what tidemark_get_retention() gives. A change counts from the next prune on, by hand or in the
 * background; a longer window brings nothing back. Setting and clearing are durable on return. */
TIDEMARK_API int tidemark_set_retention(tidemark_store* store, const char* namespace_name,
                                        const char* name, const tidemark_retention* policy);
TIDEMARK_API int tidemark_clear_retention(tidemark_store* store, const char* namespace_name,
                                          const char* name);
TIDEMARK_API int tidemark_get_retention(tidemark_store* store, const char* namespace_name,
                                        const char* name, tidemark_retention* policy);

/* Sets and gets the budget of the store: the history that is packed is to take at most so many
 * bytes of disk, 0 for no budget; what is beyond goes before its time, oldest first, but nothing
 * that is younger than an hour, current, held, or named by a label. Durable on return. `used`,
 * unless it is null, gets what it takes now. */
TIDEMARK_API int tidemark_set_budget(tidemark_store* store, sqlite3_int64 bytes);
TIDEMARK_API int tidemark_get_budget(tidemark_store* store, sqlite3_int64* bytes,
                                     sqlite3_int64* used);

/* Lets go of what is older than the policies keep, for good, and gives its space back where that
 * pays: `freed`, unless it is null, gets the bytes. Blocks for as long as that takes. The background
 * does the same, now and then. TIDEMARK_PAUSED while the clock is in doubt, until
 * tidemark_confirm_clock() says that it is right. */
TIDEMARK_API int tidemark_prune(tidemark_store* store, sqlite3_int64* freed);
TIDEMARK_API int tidemark_confirm_clock(tidemark_store* store);

/* The labels of an object in order of names, as JSON, which sqlite3_free() frees:
 *   [{"name","automatic","made","bookmark","lsn","time","damage"}]
 * made: when it was set; time: of the commit; damage: null, or what is wrong: then time is null, and
 * of a label whose name is lost all else. */
TIDEMARK_API int tidemark_list_labels(tidemark_store* store, const char* namespace_name,
                                      const char* name, char** json);

/* The restore journal of an object, deleted or not, newest first, as JSON, which sqlite3_free()
 * frees:
 *   [{"lsn","time","kind","from","to"}]
 * kind: restore, promote, delete, undelete; from: the undo bookmark; to: what came back, null of a
 * deletion. */
TIDEMARK_API int tidemark_list_restores(tidemark_store* store, const char* namespace_name,
                                        const char* name, char** json);

#ifdef __cplusplus
}
#endif

#endif /* TIDEMARK_VFS_TIDEMARK_H_ */
