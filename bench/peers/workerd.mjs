// workerd: one object that waits for each commit; and increments of 1000 objects, or of one, whose
// replies are held back until they are durable.
import path from "node:path";
import { startWorkerd } from "../workerd/server.mjs";

export async function run({ packages, directory, work, count }) {
  const server = await startWorkerd(path.join(packages, "node_modules/.bin/workerd"), directory);
  try {
    if (work === "waiting") return { items_per_second: await server.call("commit", count) };
    const objects = work === "many" ? Math.min(1000, count) : 1;
    await server.call("load", objects, objects);  // makes them
    return { "calls/s": await server.call("load", count, objects) };
  } finally {
    await server.stop();
  }
}
