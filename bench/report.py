"""What bench/run writes beside its figures: the machine, and the three files of results.

    report.py begin --tree T --build B --directory D --peers P --output machine.json
    report.py end --machine machine.json --run run.json --peers P --output DIRECTORY

`begin` notes the machine before anything runs on it; `end` joins that with what tidemark_bench wrote
(results.h) to latest.json, latest.md and latest.html in DIRECTORY. Python's standard library only.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import subprocess

import report_page


def output_of(*command):
    """What a program prints, or None if it is not there or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def first_match(path, key):
    """The value of a line "key : value" of a file in /proc or /etc."""
    try:
        for line in pathlib.Path(path).read_text().splitlines():
            name, _, value = line.replace("=", ":", 1).partition(":")
            if name.strip() == key:
                return value.strip().strip('"')
    except OSError:
        pass
    return None


def disk_of(directory):
    """Device, its model and how it is mounted."""
    mount = output_of("findmnt", "--noheadings", "--target", directory,
                      "--output", "SOURCE,FSTYPE,OPTIONS")
    source, kind, options = (mount.split(None, 2) + ["", "", ""])[:3] if mount else ("", "", "")
    number = os.stat(directory).st_dev
    block = pathlib.Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    texts = {}
    for name in ("device/model", "queue/rotational", "queue/scheduler", "queue/write_cache"):
        for base in (block, block.resolve().parent):  # a partition's are those of its disk
            try:
                texts[name] = (base / name).read_text().strip()
                break
            except OSError:
                continue
    usage = shutil.disk_usage(directory)
    return {"device": source, "model": texts.get("device/model"), "file_system": kind,
            "mount_options": options, "rotational": texts.get("queue/rotational") == "1",
            "scheduler": texts.get("queue/scheduler"),
            "write_cache": texts.get("queue/write_cache"), "free_bytes": usage.free}


def versions(peers):
    found = {}
    for name in ("sqlite3", "lmdb", "libzstd", "libxxhash", "rocksdb"):
        found[name] = output_of("pkg-config", "--modversion", name)
    # RocksDB of Debian has no file for pkg-config.
    package = output_of("dpkg-query", "--show", "--showformat=${Version}", "librocksdb-dev")
    found["rocksdb"] = found["rocksdb"] or package
    found["node"] = output_of("node", "--version")
    for path in sorted(pathlib.Path(peers).glob("node_modules/**/package.json")):
        parts = path.relative_to(pathlib.Path(peers) / "node_modules").parts[:-1]
        if parts in (("workerd",), ("chart.js",), ("@libsql", "client"),
                     ("@tursodatabase", "database"), ("@flydotio", "litestream")):
            found["/".join(parts)] = json.loads(path.read_text()).get("version")
    return {name: version for name, version in found.items() if version}


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def describe_machine(arguments):
    memory = first_match("/proc/meminfo", "MemTotal") or "0 kB"
    return {
        "began": now(),
        "commit": output_of("git", "-C", arguments.tree, "describe", "--always", "--dirty"),
        "processor": first_match("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": os.cpu_count(),
        "memory_bytes": int(memory.split()[0]) * 1024,
        "system": first_match("/etc/os-release", "PRETTY_NAME"),
        "disk": disk_of(arguments.directory),
        "load_before": os.getloadavg()[0],
        "versions": versions(arguments.peers),
    }


def begin(arguments):
    pathlib.Path(arguments.output).write_text(json.dumps(describe_machine(arguments)))


def end(arguments):
    run = json.loads(pathlib.Path(arguments.run).read_text())
    machine = json.loads(pathlib.Path(arguments.machine).read_text())
    machine["ended"] = now()
    machine["load_after"] = os.getloadavg()[0]
    document = {"format": run.pop("format"), "machine": machine, **run}
    library = pathlib.Path(arguments.peers) / "node_modules/chart.js/dist/chart.umd.min.js"
    charts = library.read_text() if library.exists() else None
    if charts is None:
        document["skipped"].append("charts: chart.js is not there")
    directory = pathlib.Path(arguments.output)
    for name, text in (("latest.json", json.dumps(document, indent=1) + "\n"),
                       ("latest.md", report_page.markdown(document)),
                       ("latest.html", report_page.html(document, charts))):
        # Whole or not at all, so that an interrupted run leaves the last one's.
        partial = directory / (name + ".partial")
        partial.write_text(text)
        partial.replace(directory / name)
        print(f"wrote {directory / name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(required=True)
    step = steps.add_parser("begin")
    for name in ("tree", "build", "directory", "peers", "output"):
        step.add_argument("--" + name, required=True)
    step.set_defaults(run_step=begin)
    step = steps.add_parser("end")
    for name in ("machine", "run", "peers", "output"):
        step.add_argument("--" + name, required=True)
    step.set_defaults(run_step=end)
    arguments = parser.parse_args()
    arguments.run_step(arguments)


if __name__ == "__main__":
    main()
