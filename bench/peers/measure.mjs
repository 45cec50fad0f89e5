// measure.mjs PEER WORK PACKAGES DIRECTORY COUNT: prints one line of JSON with the figures of a peer's
// work (peers_bench.cc), in a scratch folder under DIRECTORY.
const [peer, work, packages, directory, count] = process.argv.slice(2);
const { run } = await import(`./${peer}.mjs`);
const figures = await run({ packages, directory, work, count: Number(count) });
console.log(JSON.stringify(figures));
