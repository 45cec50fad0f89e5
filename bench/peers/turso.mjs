// Turso on a local file: it knows WAL mode only; synchronous=FULL.
import { readFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { upserts, UPSERT } from "./sqlite_work.mjs";

export async function run(options) {
  const package_ = path.join(options.packages, "node_modules/@tursodatabase/database");
  const { main } = JSON.parse(readFileSync(path.join(package_, "package.json"), "utf8"));
  const { connect } = await import(pathToFileURL(path.join(package_, main)).href);
  return upserts(options, async (file) => {
    const database = await connect(file);
    await database.exec("pragma synchronous=full");
    let statement = null;
    const upsert = (key, value) => statement.run(key, value);
    return {
      upsert,
      fill: async (table, rows) => {
        await database.exec(table);
        statement = await database.prepare(UPSERT);
        await database.exec("begin");
        for (const row of rows) await upsert(...row);
        await database.exec("commit");
      },
      close: () => database.close(),
    };
  });
}
