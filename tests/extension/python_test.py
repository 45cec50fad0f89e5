"""The loadable extension in Python's sqlite3 module. Usage: python_test.py libtidemark_vfs.so"""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import unittest

EXTENSION = sys.argv.pop(1) if len(sys.argv) > 1 else ""

# What every subprocess begins with.
PRELUDE = f"""
import os, sqlite3, sys
loader = sqlite3.connect(":memory:")
loader.enable_load_extension(True)
loader.load_extension({EXTENSION!r})
"""


def run_python(script, *, environment=None):
    """Runs a script that may use `sqlite3` with the VFS, and returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + script],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise AssertionError(done.stdout + done.stderr)
    return done.stdout


class TidemarkTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # The connection that loads may go: the VFS stays.
        loader = sqlite3.connect(":memory:")
        loader.enable_load_extension(True)
        loader.load_extension(EXTENSION)
        loader.close()

    def setUp(self):
        root = "/dev/shm" if "TMPDIR" not in os.environ and os.path.isdir("/dev/shm") else None
        directory = tempfile.TemporaryDirectory(dir=root)
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.store = os.path.join(self.directory, "store")

    def uri(self, name, more=""):
        return f"file:{name}?vfs=tidemark&store={self.store}{more}"

    def connect(self, name="rooms/lobby", more="", **options):
        connection = sqlite3.connect(self.uri(name, more), uri=True, **options)
        self.addCleanup(connection.close)
        return connection

    def value(self, connection, sql):
        return connection.execute(sql).fetchone()[0]

    def open_failure(self, uri):
        with self.assertRaises(sqlite3.OperationalError) as caught:
            sqlite3.connect(uri, uri=True)
        return str(caught.exception)

    # Goal: what is committed is there for the next connection; what is not, is not.
    # Method: each isolation level, with a commit, a rollback and an exception inside `with`.
    def test_isolation_levels(self):
        for level in (None, "DEFERRED", "IMMEDIATE", "EXCLUSIVE"):
            with self.subTest(level=level):
                name = f"rooms/{level}"
                db = self.connect(name, isolation_level=level)
                db.execute("CREATE TABLE t(x)")
                if level is None:
                    db.execute("BEGIN")
                db.execute("INSERT INTO t VALUES(1)")
                self.assertTrue(db.in_transaction)
                db.commit()
                if level is None:
                    db.execute("BEGIN")
                db.execute("INSERT INTO t VALUES(2)")
                db.rollback()
                with self.assertRaises(ZeroDivisionError):
                    with db:
                        if level is None:
                            db.execute("BEGIN")
                        db.execute("INSERT INTO t VALUES(3)")
                        raise ZeroDivisionError
                self.assertEqual(self.connect(name).execute("SELECT x FROM t").fetchall(), [(1,)])

    # Goal: threads with connections of their own, and threads that share one, lose nothing.
    # Method: counters that all of them increase, with SQLite's busy timeout to wait for one another.
    def test_threads(self):
        self.connect().executescript("CREATE TABLE n(own, shared); INSERT INTO n VALUES(0, 0)")
        shared = self.connect(check_same_thread=False, isolation_level=None)
        shared_lock = threading.Lock()
        rounds, failures = 50, []

        def work():
            try:
                own = sqlite3.connect(
                    self.uri("rooms/lobby"), uri=True, isolation_level=None, timeout=60
                )
                for _ in range(rounds):
                    own.execute("BEGIN IMMEDIATE")
                    own.execute("UPDATE n SET own = own + 1")
                    own.execute("COMMIT")
                    with shared_lock:
                        shared.execute("PRAGMA busy_timeout=60000")
                        shared.execute("BEGIN IMMEDIATE")
                        shared.execute("UPDATE n SET shared = shared + 1")
                        shared.execute("COMMIT")
                own.close()
            except Exception as failure:  # reported by the main thread
                failures.append(failure)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(
            self.connect().execute("SELECT own, shared FROM n").fetchall(),
            [(4 * rounds, 4 * rounds)],
        )

    # Goal: iterdump of an object is that of a stock file after the same SQL, and makes an object.
    # Method: one script on both, then the dump into a third.
    def test_iterdump(self):
        script = """
            CREATE TABLE t(id INTEGER PRIMARY KEY, text TEXT, data BLOB);
            CREATE INDEX i ON t(text);
            CREATE VIEW v AS SELECT text FROM t;
            INSERT INTO t(text, data) VALUES('one', x'00ff'), ('it''s', NULL), ('é', zeroblob(9000));
            DELETE FROM t WHERE id = 2;
        """
        stock = sqlite3.connect(os.path.join(self.directory, "stock.db"))
        self.addCleanup(stock.close)
        dumps = []
        for db in (stock, self.connect()):
            db.executescript(script)
            dumps.append(list(db.iterdump()))
        self.assertEqual(dumps[0], dumps[1])
        copy = self.connect("rooms/copy")
        copy.executescript("\n".join(dumps[1]))
        self.assertEqual(list(copy.iterdump()), dumps[0])

    # Goal: Connection.backup copies into and out of an object, a page at a time, with a writer between
    # the steps; serialize and deserialize too.
    # Method: there and back, compared by dump.
    def test_backup(self):
        source = sqlite3.connect(":memory:")
        self.addCleanup(source.close)
        source.execute("CREATE TABLE t(x)")
        source.executemany("INSERT INTO t VALUES(?)", [("x" * 500,)] * 200)
        source.commit()
        lobby = self.connect()
        source.backup(lobby)
        self.assertEqual(list(lobby.iterdump()), list(source.iterdump()))

        writer = self.connect()
        steps = []

        def write_between(status, remaining, total):
            if len(steps) in (3, 9):
                with writer:
                    writer.execute("INSERT INTO t VALUES('between')")
            steps.append(remaining)

        target = sqlite3.connect(os.path.join(self.directory, "copy.db"))
        self.addCleanup(target.close)
        lobby.backup(target, pages=1, progress=write_between)
        self.assertGreater(len(steps), 20)
        self.assertEqual(self.value(target, "SELECT count(*) FROM t WHERE x = 'between'"), 2)
        self.assertEqual(self.value(target, "PRAGMA integrity_check"), "ok")

        if hasattr(lobby, "serialize"):
            memory = sqlite3.connect(":memory:")
            self.addCleanup(memory.close)
            memory.deserialize(lobby.serialize())
            self.assertEqual(list(memory.iterdump()), list(lobby.iterdump()))

    # Goal: incremental blob I/O reads and writes, and its writes are one transaction.
    # Method: a blob over many pages; a rollback; a blob of the past.
    @unittest.skipUnless(hasattr(sqlite3.Connection, "blobopen"), "blobopen is new in Python 3.11")
    def test_blobopen(self):
        db = self.connect()
        db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, data)")
        db.execute("INSERT INTO t VALUES(1, zeroblob(100000))")
        db.commit()
        before = self.value(db, "PRAGMA tidemark_bookmark")
        with db.blobopen("t", "data", 1) as blob:
            blob[50000:50005] = b"hello"
            blob.seek(99998)
            blob.write(b"!!")
        db.commit()
        db.execute("BEGIN")
        with db.blobopen("t", "data", 1) as blob:
            blob[0] = 1
        db.rollback()
        data = self.value(self.connect(), "SELECT data FROM t")
        self.assertEqual(data[:1] + data[50000:50005] + data[99998:], b"\0hello!!")
        past = self.connect(more=f"&at={before}")
        with past.blobopen("t", "data", 1, readonly=True) as blob:
            self.assertEqual(blob[50000:50005], b"\0" * 5)
        with self.assertRaisesRegex(sqlite3.OperationalError, "readonly"):
            past.blobopen("t", "data", 1)

    # Goal: bookmarks, the past beside the present, restoring and undoing.
    # Method: all in SQL.
    def test_point_in_time(self):
        db = self.connect(isolation_level=None)
        db.executescript("CREATE TABLE t(x); INSERT INTO t VALUES(1)")
        one = self.value(db, "PRAGMA tidemark_durable")
        db.execute("INSERT INTO t VALUES(2)")
        db.execute("ATTACH ? AS past", (self.uri("rooms/lobby", f"&at={one}"),))
        joined = "SELECT x FROM t WHERE x NOT IN (SELECT x FROM past.t)"
        self.assertEqual(db.execute(joined).fetchall(), [(2,)])
        self.assertEqual(self.value(db, "PRAGMA past.tidemark_bookmark"), one)
        undo = self.value(db, f"PRAGMA tidemark_restore='{one}'")
        self.assertEqual(self.value(db, "SELECT count(*) FROM t"), 1)
        db.execute(f"PRAGMA tidemark_restore='{undo}'")
        self.assertEqual(self.value(db, "SELECT count(*) FROM t"), 2)
        stat = json.loads(self.value(db, "PRAGMA tidemark_stat"))
        self.assertEqual((stat["object"], stat["page_count"]), ("rooms/lobby", 2))
        with self.assertRaisesRegex(sqlite3.OperationalError, "is no point in time"):
            db.execute("PRAGMA tidemark_restore='some other day'")
        with self.assertRaisesRegex(sqlite3.OperationalError, "there is no pragma tidemark_x"):
            db.execute("PRAGMA tidemark_x")

    # Goal: exceptions say what is wrong with a name.
    # Method: the ones that a program gets wrong most easily.
    def test_exceptions_say_why(self):
        self.connect().execute("CREATE TABLE t(x)")
        for uri, message in (
            ("file:rooms/lobby?vfs=tidemark", "no store is named"),
            (f"file:lobby?vfs=tidemark&store={self.store}", '"lobby" is not NAMESPACE/NAME'),
            (self.uri("rooms/../lobby"), "is no path"),
            (self.uri("rooms/none", "&mode=ro"), "object rooms/none does not exist"),
            (self.uri("rooms/lobby", "&at=now&mode=rwc"), "contradict each other"),
            (f"file:a/b?vfs=tidemark&mode=rw&store={self.directory}/x", "is not a tidemark store"),
        ):
            self.assertIn(message, self.open_failure(uri))
        past = self.connect(more="&at=now")
        with self.assertRaisesRegex(sqlite3.OperationalError, "readonly database"):
            past.execute("INSERT INTO t VALUES(1)")

    # Goal: an interrupted statement leaves nothing behind, and the connection usable.
    # Method: a progress handler that stops a long insert, again and again a bit later.
    def test_interrupts(self):
        db = self.connect(isolation_level=None)
        db.execute("PRAGMA cache_size=5")
        db.execute("CREATE TABLE t(x)")
        fill = """WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
                  INSERT INTO t SELECT randomblob(100) FROM n"""
        for calls in range(1, 40, 6):
            left = calls

            def stop():
                nonlocal left
                left -= 1
                return left <= 0

            db.set_progress_handler(stop, 500)
            with self.assertRaisesRegex(sqlite3.OperationalError, "interrupted"):
                db.execute(fill)
            db.set_progress_handler(None, 0)
            self.assertEqual(self.value(db, "SELECT count(*) FROM t"), 0)
        db.execute(fill)
        self.assertEqual(self.value(self.connect(), "SELECT count(*) FROM t"), 2000)
        self.assertEqual(self.value(db, "PRAGMA integrity_check"), "ok")

    # Goal: functions, aggregates and collations of the program work on objects.
    # Method: one of each, the collation in an index.
    def test_user_defined(self):
        db = self.connect()
        db.create_function("twice", 1, lambda x: 2 * x, deterministic=True)
        db.create_collation("backward", lambda a, b: (b > a) - (b < a))

        class Product:
            def __init__(self):
                self.value = 1

            def step(self, x):
                self.value *= x

            def finalize(self):
                return self.value

        db.create_aggregate("product", 1, Product)
        db.executescript("CREATE TABLE t(x, y TEXT COLLATE backward); CREATE INDEX i ON t(y)")
        db.executemany("INSERT INTO t VALUES(twice(?), ?)", [(1, "a"), (2, "b"), (3, "c")])
        db.commit()
        self.assertEqual(self.value(db, "SELECT product(x) FROM t"), 48)
        self.assertEqual(db.execute("SELECT y FROM t ORDER BY y").fetchall(), [("c",), ("b",), ("a",)])

    # Goal: a second process is refused, with the pid of the one that has the store; once that has
    # closed it, the second one gets it.
    # Method: a process that tries while this one has the store open, and again.
    def test_two_processes(self):
        db = self.connect()
        db.executescript("CREATE TABLE t(x); INSERT INTO t VALUES(1)")
        attempt = f"""
try:
    db = sqlite3.connect({self.uri("rooms/lobby")!r}, uri=True)
    print(db.execute("SELECT count(*) FROM t").fetchone()[0])
except sqlite3.OperationalError as failure:
    print(failure)
"""
        self.assertIn(str(os.getpid()), run_python(attempt))
        db.close()
        self.assertEqual(run_python(attempt), "1\n")

    # Goal: a child of fork() is refused what its parent has open, and the parent goes on.
    # Method: os.fork, with the child's findings through a pipe.
    def test_fork(self):
        db = self.connect(isolation_level=None)
        db.executescript("CREATE TABLE t(x)")
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            answers = []
            for attempt in (
                lambda: db.execute("SELECT * FROM t"),
                lambda: db.execute("INSERT INTO t VALUES(1)"),
                lambda: sqlite3.connect(self.uri("rooms/lobby"), uri=True),
            ):
                try:
                    attempt()
                    answers.append("no error")
                except sqlite3.Error as failure:
                    answers.append(str(failure))
            memory = sqlite3.connect(":memory:")
            try:
                db.execute("SELECT * FROM t")
            except sqlite3.Error:
                answers.append(memory.execute("SELECT tidemark_error()").fetchone()[0])
            db.close()
            os.write(writing, json.dumps(answers).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            read, written, opened, reason = json.load(pipe)
        os.waitpid(child, 0)
        self.assertIn("API misuse", read)
        self.assertIn("API misuse", written)
        self.assertIn(str(os.getpid()), opened)
        self.assertIn(f"opened by process {os.getpid()} before fork()", reason)
        db.execute("INSERT INTO t VALUES(2)")
        self.assertEqual(db.execute("SELECT x FROM t").fetchall(), [(2,)])

    # Goal: with the VFS as SQLite's default, a program that knows nothing of it works on objects.
    # Method: plain names, in a process whose environment says so.
    def test_default_vfs(self):
        environment = {"TIDEMARK_STORE": self.store, "TIDEMARK_DEFAULT_VFS": "1"}
        printed = run_python(
            """
for name in ("data.db", "/srv/data.db"):
    db = sqlite3.connect(name)
    with db:
        db.execute("CREATE TABLE t(x)")
        db.execute("INSERT INTO t VALUES(?)", (name,))
db = sqlite3.connect("data.db")
db.execute("ATTACH '/srv/data.db' AS srv")
print(db.execute("SELECT x FROM t UNION ALL SELECT x FROM srv.t").fetchall())
print(os.path.exists("data.db"))
try:
    sqlite3.connect("../data.db")
except sqlite3.OperationalError as failure:
    print(failure)
""",
            environment=environment,
        ).splitlines()
        self.assertEqual(printed[:2], ["[('data.db',), ('/srv/data.db',)]", "False"])
        self.assertIn("leads out of the store", printed[2])
        self.assertEqual(self.value(self.connect("files/data.db"), "SELECT x FROM t"), "data.db")


if __name__ == "__main__":
    unittest.main()
