// compare.mjs WORKERD SOURCES DIRECTORY TIDEMARK_BENCH: see run.
import { spawn, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import { createServer } from "node:net";
import path from "node:path";

const [workerd, sources, directory, bench] = process.argv.slice(2);
const ROUNDS = 5;
const CALLS = { get: 200000, put: 100000, commit: 5000, list: 500000, select: 200000 };

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
const median = (numbers) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const rate = (n) => (n >= 1e6 ? `${(n / 1e6).toFixed(2)} M/s` : `${(n / 1e3).toFixed(1)} k/s`);

const scratch = mkdtempSync(path.join(directory, "tidemark-workerd-"));
const port = await freePort();
const server = spawn(
  workerd,
  ["serve", path.join(sources, "config.capnp"), `--socket-addr=http=127.0.0.1:${port}`,
   `--directory-path=disk=${scratch}`, "--experimental"],
  { stdio: ["ignore", "inherit", "inherit"] });
let ended = false;
server.on("exit", () => (ended = true));

// A connection each: workerd closes one that idles while the other side has its turn.
const get = (url) =>
  new Promise((resolve, reject) => {
    http.get(url, { agent: false }, (response) => {
      let text = "";
      response.on("data", (bytes) => (text += bytes));
      response.on("end", () => resolve({ status: response.statusCode, text }));
    }).on("error", reject);
  });

async function call(what, calls) {
  const start = performance.now();
  const { status, text } = await get(`http://127.0.0.1:${port}/${what}?calls=${calls}`);
  if (status !== 200) throw new Error(`${what}: ${status} ${text}`);
  return calls / ((performance.now() - start) / 1000);
}

async function ready() {
  for (;;) {
    try {
      return await call("setup", 1);
    } catch (error) {
      if (ended) throw new Error("workerd ended before it answered");
      if (error.code !== "ECONNREFUSED") throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

// The column calls/s of what tidemark_bench prints: "storage/get/...  929.224k  721.926k  1.28715".
function ours() {
  const text = execFileSync(
    bench, [`--directory=${directory}`, "--rounds=1", "--benchmark_filter=^storage/"],
    { stdio: ["ignore", "pipe", "ignore"] }).toString();
  const scale = { "": 1, k: 1e3, M: 1e6, G: 1e9 };
  const rates = {};
  for (const [, name, n, unit] of text.matchAll(
    /^storage\/(\w+)\/.* ([\d.]+)([kMG]?) +[\d.]+[kMG]? +[\d.]+$/gm)) {
    rates[name] = Number(n) * scale[unit];
  }
  return rates;
}

try {
  await ready();
  const theirs = Object.fromEntries(Object.keys(CALLS).map((what) => [what, []]));
  const own = Object.fromEntries(Object.keys(CALLS).map((what) => [what, []]));
  for (let round = 0; round < ROUNDS; ++round) {
    for (const [what, calls] of Object.entries(CALLS)) theirs[what].push(await call(what, calls));
    const rates = ours();
    for (const what of Object.keys(CALLS)) {
      if (!(what in rates)) throw new Error(`tidemark_bench says nothing of storage/${what}`);
      own[what].push(rates[what]);
    }
  }
  const version = execFileSync(workerd, ["--version"]).toString().trim();
  console.log(`${version}, medians of ${ROUNDS} rounds in turns; "commit" is durable on both sides,`);
  console.log("workerd's one by one, ours pipelined and all durable at the end\n");
  console.log("| calls | Tidemark | workerd | ratio |\n|---|---|---|---|");
  for (const what of Object.keys(CALLS)) {
    const [a, b] = [median(own[what]), median(theirs[what])];
    console.log(`| ${what} | ${rate(a)} | ${rate(b)} | ${(a / b).toFixed(1)} |`);
  }
} finally {
  server.kill();
  rmSync(scratch, { recursive: true, force: true });
}
