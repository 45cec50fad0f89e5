// The work of workload.h, for peers that speak SQL: rows of 100 random bytes over 1000 keys, each change
// durable before the next one.
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import path from "node:path";

const KEYS = 1000;
const TABLE = "create table t(k integer primary key, v blob)";
export const UPSERT =
  "insert into t(k,v) values(?,?) on conflict(k) do update set v=excluded.v";

// `open(file)` gives {fill(table, rows), upsert(key, value), close()}, which may return promises; `fill`
// makes the table and puts the rows, [key, value] each, in one transaction.
export async function upserts({ directory, count }, open) {
  const scratch = mkdtempSync(path.join(directory, "tidemark-bench-peer-"));
  try {
    const database = await open(path.join(scratch, "one"));
    await database.fill(TABLE, Array.from({ length: KEYS }, (_, key) => [key, randomBytes(100)]));
    const values = Array.from({ length: 256 }, () => randomBytes(100));
    const latencies = new Float64Array(count);
    const start = performance.now();
    for (let i = 0; i < count; ++i) {
      const begin = performance.now();
      await database.upsert((i * 7919) % KEYS, values[i % values.length]);
      latencies[i] = (performance.now() - begin) * 1000;
    }
    const seconds = (performance.now() - start) / 1000;
    await database.close();
    latencies.sort();
    return { items_per_second: count / seconds, p50_us: latencies[count >> 1],
             p99_us: latencies[Math.floor((count - 1) * 0.99)] };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
