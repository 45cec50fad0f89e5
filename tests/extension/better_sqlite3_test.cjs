// The loadable extension in Node.js, in better-sqlite3, which brings a newer SQLite of its own and
// knows no URIs: so its databases are plain names, with the VFS as the default.
//
// Usage: better_sqlite3_test.cjs libtidemark_vfs.so DIRECTORY
// DIRECTORY keeps the package from one run to the next. If it cannot be installed, prints "skipped: "
// and why.
'use strict';

const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const test = require('node:test');

const PACKAGE = 'better-sqlite3@11.10.0';
const [extension, directory] = process.argv.slice(2);

function loadPackage() {
  const installed = path.join(directory, 'node_modules', 'better-sqlite3');
  try {
    const Package = require(installed);
    new Package(':memory:').close();
    return Package;
  } catch {
    fs.mkdirSync(directory, { recursive: true });
    fs.writeFileSync(path.join(directory, 'package.json'), '{"private": true}\n');
    const npm = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--no-save', '--fetch-retries=1',
      '--fetch-timeout=30000', PACKAGE], {
      cwd: directory, encoding: 'utf8', timeout: 500_000,
    });
    if (npm.status !== 0) {
      console.log(`skipped: npm could not install ${PACKAGE}: ${npm.error ?? npm.stderr}`);
      process.exit(0);
    }
    return require(installed);
  }
}

const Database = loadPackage();
const root = fs.mkdtempSync(path.join(fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir(),
  'tidemark-test-'));
process.on('exit', () => fs.rmSync(root, { recursive: true }));
const store = path.join(root, 'store');

process.env.TIDEMARK_STORE = store;
process.env.TIDEMARK_DEFAULT_VFS = '1';
const loader = new Database(':memory:');
console.log(`SQLite ${loader.prepare('SELECT sqlite_version()').pluck().get()}`);
loader.loadExtension(extension);
loader.close();

const value = (db, sql, ...parameters) => db.prepare(sql).pluck().get(...parameters);
const pragma = (db, text) => db.pragma(text, { simple: true });

// Goal: plain names are objects, relative and absolute; no file appears.
// Method: written, closed, opened again.
test('plain names are objects', () => {
  for (const name of ['data.db', path.join(root, 'absolute.db')]) {
    let db = new Database(name);
    // The first line of many programs: it asks, and takes the answer.
    assert.equal(pragma(db, 'journal_mode = WAL'), 'delete');
    db.exec('CREATE TABLE t(x)');
    db.prepare('INSERT INTO t VALUES(?)').run(name);
    db.close();
    db = new Database(name, { fileMustExist: false, readonly: true });
    assert.strictEqual(value(db, 'SELECT x FROM t'), name);
    assert.throws(() => db.exec('DELETE FROM t'), { code: 'SQLITE_READONLY' });
    db.close();
    assert.ok(!fs.existsSync(name));
  }
  assert.throws(() => new Database('../data.db'), /leads out of the store/);
});

// Goal: transactions, nested ones and user-defined functions do what they do on files.
// Method: an exception at each depth.
test('transactions', () => {
  const db = new Database('transactions.db');
  db.exec('CREATE TABLE t(x)');
  db.function('twice', (x) => 2 * x);
  const insert = db.prepare('INSERT INTO t VALUES(twice(?))');
  const inner = db.transaction((x) => {
    insert.run(x);
    if (x === 3) throw new Error('inner');
  });
  db.transaction(() => {
    inner(1);
    assert.throws(() => inner(3), /inner/);
    inner(5);
  }).immediate();
  assert.throws(db.transaction(() => { insert.run(7); throw new Error('outer'); }), /outer/);
  assert.deepStrictEqual(db.prepare('SELECT x FROM t').pluck().all(), [2, 10]);
  db.close();
});

// Goal: bookmarks, the past beside the present, restore and undo.
// Method: the past by its full path name, which needs no URI.
test('point in time', () => {
  const db = new Database('past.db');
  db.exec('CREATE TABLE t(x); INSERT INTO t VALUES(1)');
  const one = pragma(db, 'tidemark_durable');
  assert.match(one, /^[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{32}$/);
  db.exec('INSERT INTO t VALUES(2)');
  db.prepare('ATTACH ? AS past').run(`${store}///${one}/files/past.db`);
  assert.strictEqual(value(db, 'SELECT x FROM t EXCEPT SELECT x FROM past.t'), 2);
  assert.strictEqual(pragma(db, 'past.tidemark_bookmark'), one);
  const undo = pragma(db, `tidemark_restore='${one}'`);
  assert.strictEqual(value(db, 'SELECT count(*) FROM t'), 1);
  pragma(db, `tidemark_restore='${undo}'`);
  assert.strictEqual(value(db, 'SELECT count(*) FROM t'), 2);
  assert.strictEqual(JSON.parse(pragma(db, 'tidemark_stat')).object, 'files/past.db');
  assert.throws(() => pragma(db, "tidemark_restore='some other day'"), /is no point in time/);
  db.close();
});

// Goal: backup and serialize bring a database out whole, and back.
// Method: through another object and through memory.
test('backup', async () => {
  const db = new Database('source.db');
  db.exec('CREATE TABLE t(x)');
  const insert = db.prepare('INSERT INTO t VALUES(?)');
  db.transaction(() => { for (let i = 0; i < 1000; ++i) insert.run('x'.repeat(i)); })();
  await db.backup('target.db');
  const target = new Database('target.db');
  const memory = new Database(db.serialize());
  for (const copy of [target, memory]) {
    assert.strictEqual(value(copy, 'SELECT sum(length(x)) FROM t'), 499500);
    assert.strictEqual(pragma(copy, 'integrity_check'), 'ok');
    copy.close();
  }
  db.close();
});

// Goal: readers and a writer of one process are independent, and two writers exclude each other.
// Method: an iterator that stays open while another connection commits.
test('connections', () => {
  const writer = new Database('shared.db', { timeout: 0 });
  writer.exec('CREATE TABLE t(x); INSERT INTO t VALUES(1), (2), (3)');
  const reader = new Database('shared.db', { timeout: 0 });
  const seen = [];
  for (const x of reader.prepare('SELECT x FROM t').pluck().iterate()) {
    writer.prepare('INSERT INTO t VALUES(?)').run(x + 10);
    seen.push(x);
  }
  assert.deepStrictEqual(seen, [1, 2, 3]);
  assert.strictEqual(value(reader, 'SELECT count(*) FROM t'), 6);
  writer.exec('BEGIN IMMEDIATE');
  assert.throws(() => reader.exec('BEGIN IMMEDIATE'), { code: 'SQLITE_BUSY' });
  writer.exec('ROLLBACK');
  reader.close();
  writer.close();
});
