// The work, inside of a Durable Object: each request runs one kind of call so many times. What it takes is
// measured outside, because a worker's clock stands still while it computes.
import { DurableObject } from "cloudflare:workers";

const KEYS = 1000;
const key = (i) => `key:${1000000 + (i % KEYS)}`;
const value = () => crypto.getRandomValues(new Uint8Array(100));

export class Bench extends DurableObject {
  setup() {
    const { sql, kv } = this.ctx.storage;
    sql.exec("CREATE TABLE IF NOT EXISTS t(k INTEGER PRIMARY KEY, v)");
    for (let i = 0; i < KEYS; ++i) {
      sql.exec("INSERT OR REPLACE INTO t VALUES(?,?)", i, value());
      kv.put(key(i), value());
    }
    return KEYS;
  }
  get(calls) {
    const { kv } = this.ctx.storage;
    let bytes = 0;
    for (let i = 0; i < calls; ++i) bytes += kv.get(key(i * 7)).byteLength;
    return bytes;
  }
  // All in one turn.
  put(calls) {
    const { kv } = this.ctx.storage;
    const bytes = value();
    for (let i = 0; i < calls; ++i) kv.put(key(i * 7), bytes);
    return calls;
  }
  // Each is a turn, and durable before the next.
  async commit(calls) {
    const { storage } = this.ctx;
    const bytes = value();
    for (let i = 0; i < calls; ++i) {
      storage.kv.put(key(i * 7), bytes);
      await storage.sync();
    }
    return calls;
  }
  // One turn: the reply is held back until it is durable.
  increment() {
    const { kv } = this.ctx.storage;
    const total = (kv.get("total") ?? 0) + 1;
    kv.put("total", total);
    return total;
  }
  list(calls) {
    let bytes = 0;
    for (let left = calls; left > 0; left -= KEYS) {
      for (const [name, v] of this.ctx.storage.kv.list()) bytes += name.length + v.byteLength;
    }
    return bytes;
  }
  select(calls) {
    const { sql } = this.ctx.storage;
    let bytes = 0;
    for (let i = 0; i < calls; ++i) {
      bytes += sql.exec("SELECT v FROM t WHERE k=?", (i * 7) % KEYS).one().v.byteLength;
    }
    return bytes;
  }
}

// `calls` increments over so many objects, a few callers of each at a time, each behind the reply of its
// last one.
async function load(env, calls, objects) {
  const callers = Math.max(objects, Math.min(calls, 64));
  let left = calls;
  const caller = async (i) => {
    const stub = env.BENCH.get(env.BENCH.idFromName(`load-${i % objects}`));
    while (left-- > 0) await stub.increment();
  };
  await Promise.all(Array.from({ length: callers }, (_, i) => caller(i)));
  return calls;
}

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const what = url.pathname.slice(1);
    const calls = Number(url.searchParams.get("calls"));
    if (what === "load") {
      return new Response(String(await load(env, calls, Number(url.searchParams.get("objects")))));
    }
    const stub = env.BENCH.get(env.BENCH.idFromName("one"));
    return new Response(String(await stub[what](calls)));
  },
};
