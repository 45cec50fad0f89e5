"""bench/run and its report: run_test.py BUILD.

The figures of a smoke run mean nothing; that there are such, where they belong, is what is tested.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
BUILD = pathlib.Path(sys.argv.pop(1))
sys.path.insert(0, str(BENCH))

sys.dont_write_bytecode = True
import report_page  # noqa: E402


def run(*arguments):
    return subprocess.run([BENCH / "run", *arguments], capture_output=True, text=True)


def summary(median, least=None, most=None):
    return {"median": median, "least": least or median, "most": most or median,
            "samples": [median]}


def target(text, met, measured=None, bound=1.0, alternative=False, sense="at least"):
    made = {"text": text, "row": "a/tidemark_full", "base": "", "figure": "calls/s",
            "sense": sense, "bound": bound, "alternative": alternative, "met": met}
    return made if met is None else {**made, **summary(measured)}


def document(targets=(), rows=(), skipped=()):
    disk = {"device": "/dev/x", "model": None, "file_system": "ext4", "mount_options": "rw",
            "rotational": False, "scheduler": None, "write_cache": None, "free_bytes": 1}
    machine = {"began": "then", "ended": "later", "commit": "abc", "processor": "P", "cores": 2,
               "memory_bytes": 2**30, "system": "S", "disk": disk, "load_before": 0.5,
               "load_after": 1.5, "versions": {"sqlite3": "3"}}
    system = {"kernel": "K", "file_system": "ext4", "compiler": "C", "build_type": "B",
              "sqlite": "3"}
    return {"format": 1, "machine": machine, "size": "full", "rounds": 5, "system": system,
            "rows": list(rows), "targets": list(targets), "skipped": list(skipped)}


class RunTest(unittest.TestCase):
    # Goal: one command leaves three files that say what was measured, on what, and what it is
    # worth. Method: a smoke run of two families in two rounds.
    def test_writes_three_files(self):
        with tempfile.TemporaryDirectory(dir=BUILD) as place:
            done = run("--smoke", "--rounds", "2", "--build", BUILD, "--directory", place,
                       "--output", place + "/results", "--filter", "^(disk|commit/one)/")
            self.assertEqual(done.returncode, 0, done.stderr)
            results = pathlib.Path(place) / "results"
            self.assertEqual(sorted(path.name for path in results.iterdir()),
                             ["latest.html", "latest.json", "latest.md"])
            made = json.loads((results / "latest.json").read_text())
            markdown = (results / "latest.md").read_text()
            page = (results / "latest.html").read_text()
            self.assertEqual(list(pathlib.Path(place).glob("tidemark-bench-*")), [])

        rows = {row["name"]: row for row in made["rows"]}
        for name in ("disk/sync", "commit/one/tidemark_normal", "commit/one/wal_full"):
            self.assertIn(name, rows)
        for row in made["rows"]:
            self.assertTrue(row["durability"], row["name"])
            self.assertTrue(row["figures"] or row["name"] == "", row["name"])
            for figure in row["figures"].values():
                self.assertEqual(len(figure["samples"]), 2)
                self.assertLessEqual(figure["least"], figure["median"])
                self.assertLessEqual(figure["median"], figure["most"])
            self.assertIn(row["durability"], markdown)
            self.assertIn(row["name"], page)
        self.assertGreater(rows["disk/sync"]["figures"]["p50_us"]["median"], 0)
        self.assertEqual(made["size"], "smoke")
        self.assertGreater(made["machine"]["cores"], 0)
        self.assertTrue(made["machine"]["disk"]["file_system"])
        self.assertIn("sqlite3", made["machine"]["versions"])

        # Each target is there, with what it is held against, whether it ran or not; ratios are
        # those of the same round.
        ran = [one for one in made["targets"] if one["met"] is not None]
        self.assertTrue(ran)
        self.assertGreater(len(made["targets"]), len(ran))
        for one in ran:
            self.assertEqual(len(one["samples"]), 2)
            if one["base"]:
                a = rows[one["row"]]["figures"][one["figure"]]["samples"]
                b = rows[one["base"]]["figures"][one["figure"]]["samples"]
                for ratio, x, y in zip(one["samples"], a, b):
                    self.assertAlmostEqual(ratio, x / y, delta=1e-6 * ratio)
        self.assertIn("figures mean nothing", page)
        self.assertIn("did not run", markdown)

    # Goal: the page needs nothing but itself.
    def test_page_is_self_contained(self):
        row = {"name": "a/tidemark_full", "durability": "</script><b>",
               "figures": {"calls/s": summary(3, 2, 4)}}
        other = {**row, "name": "a/wal_full"}
        page = report_page.html(document([target("x <y>", True, 2)], [row, other]),
                                "var Chart; '</script>'")
        self.assertEqual(page.count("</script>"), 2)
        self.assertEqual(page.count("<canvas"), 2)
        self.assertIsNone(re.search(r'(src|href)="', page))
        self.assertIn("x &lt;y&gt;", page)
        self.assertNotIn("<b>", page)

    # Goal: without the chart library there are tables.
    def test_page_without_charts(self):
        page = report_page.html(document([target("x", True, 2)]), None)
        self.assertNotIn("<script", page)
        self.assertIn('<td class="met">met</td>', page)

    # Goal: a target counts as met if its alternative is, and what did not run as neither.
    def test_verdicts(self):
        made = document([target("a", False, 0.5), target("b", True, 2, alternative=True),
                         target("c", False, 0.5), target("d", None),
                         target("e", None), target("f", False, 0.1, alternative=True)])
        verdicts = [report_page.verdict(made["targets"], at) for at in range(6)]
        self.assertEqual(verdicts, ["met", "met", "MISSED", "did not run", "MISSED", "MISSED"])
        self.assertEqual(report_page.counts(made), {"met": 1, "MISSED": 2, "did not run": 1})

    # Goal: what was skipped is said, in both.
    def test_skipped(self):
        made = document(skipped=["workerd: not there"])
        self.assertIn("workerd: not there", report_page.markdown(made))
        self.assertIn("workerd: not there", report_page.html(made, None))

    # Goal: numbers that people can read.
    def test_numbers(self):
        for value, text in ((0.01234, "0.0123"), (1.5, "1.5"), (123.4, "123"), (4321, "4,321"),
                            (12345, "12.3 k"), (123456, "123 k"), (1234567, "1.23 M")):
            self.assertEqual(report_page.number(value), text)

    # Goal: what fails in one row does not take the others' figures with it, and shows. Method: a
    # node that says nothing, and so fails as any peer could.
    @unittest.skipUnless((BUILD.parent / "peers/node_modules/workerd").exists(), "no peers here")
    def test_failed_row(self):
        with tempfile.TemporaryDirectory(dir=BUILD) as place:
            (pathlib.Path(place) / "node").write_text("#!/bin/sh\n")
            (pathlib.Path(place) / "node").chmod(0o755)
            environment = {**os.environ, "PATH": place + ":" + os.environ["PATH"]}
            done = subprocess.run([BENCH / "run", "--smoke", "--build", BUILD, "--directory", place,
                                   "--output", place, "--filter", "^(disk/|commit/waiting/turso)"],
                                  capture_output=True, text=True, env=environment)
            made = json.loads((pathlib.Path(place) / "latest.json").read_text())
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("disk/sync", [row["name"] for row in made["rows"]])
        self.assertTrue([text for text in made["skipped"] if "turso: failed" in text], made["skipped"])

    # Goal: a wrong argument is said, and nothing is run.
    def test_wrong_arguments(self):
        for arguments in (["--fast"], ["--output"]):
            done = run(*arguments)
            self.assertEqual(done.returncode, 2)
            self.assertIn("bench/run [--quick", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
