// Starts workerd with worker.mjs on a free port of this machine, its disk in a folder of its own.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import { createServer } from "node:net";
import path from "node:path";

const sources = import.meta.dirname;

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

// A connection each: workerd closes one that idles while the other side has its turn.
const get = (url) =>
  new Promise((resolve, reject) => {
    http.get(url, { agent: false }, (response) => {
      let text = "";
      response.on("data", (bytes) => (text += bytes));
      response.on("end", () => resolve({ status: response.statusCode, text }));
    }).on("error", reject);
  });

// `call(what, calls, objects)` does so many calls and returns how many that were a second. `stop()` ends
// it and removes its folder.
export async function startWorkerd(workerd, directory) {
  const scratch = mkdtempSync(path.join(directory, "tidemark-bench-workerd-"));
  const port = await freePort();
  const server = spawn(
    workerd,
    ["serve", path.join(sources, "config.capnp"), `--socket-addr=http=127.0.0.1:${port}`,
     `--directory-path=disk=${scratch}`, "--experimental"],
    { stdio: ["ignore", "inherit", "inherit"] });
  let ended = false;
  const end = new Promise((resolve) => server.on("exit", resolve));
  end.then(() => (ended = true));

  async function call(what, calls, objects = 1) {
    const start = performance.now();
    const url = `http://127.0.0.1:${port}/${what}?calls=${calls}&objects=${objects}`;
    const { status, text } = await get(url);
    if (status !== 200) throw new Error(`${what}: ${status} ${text}`);
    return calls / ((performance.now() - start) / 1000);
  }
  async function stop() {
    server.kill();
    await end;
    rmSync(scratch, { recursive: true, force: true });
  }
  try {
    for (;;) {
      try {
        await call("setup", 1);
        return { call, stop };
      } catch (error) {
        if (ended) throw new Error("workerd ended before it answered");
        if (error.code !== "ECONNREFUSED") throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  } catch (error) {
    await stop();
    throw error;
  }
}
