// compare.mjs WORKERD DIRECTORY TIDEMARK_BENCH: see run.
import { execFileSync } from "node:child_process";
import { startWorkerd } from "./server.mjs";

const [workerd, directory, bench] = process.argv.slice(2);
const ROUNDS = 5;
const CALLS = { get: 200000, put: 100000, commit: 5000, list: 500000, select: 200000 };

const median = (numbers) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const rate = (n) => (n >= 1e6 ? `${(n / 1e6).toFixed(2)} M/s` : `${(n / 1e3).toFixed(1)} k/s`);

const { call, stop } = await startWorkerd(workerd, directory);

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
  await stop();
}
