// libsql on a local file, as its client opens one, in WAL mode with synchronous=FULL.
import { createRequire } from "node:module";
import path from "node:path";
import { upserts, UPSERT } from "./sqlite_work.mjs";

export function run(options) {
  const require = createRequire(path.join(options.packages, "package.json"));
  const { createClient } = require("@libsql/client");
  return upserts(options, async (file) => {
    const client = createClient({ url: `file:${file}`, intMode: "number" });
    await client.execute("pragma journal_mode=wal");
    await client.execute("pragma synchronous=full");
    return {
      fill: (table, rows) =>
        client.batch([table, ...rows.map((args) => ({ sql: UPSERT, args }))], "write"),
      upsert: (key, value) => client.execute({ sql: UPSERT, args: [key, value] }),
      close: () => client.close(),
    };
  });
}
