"""The results of a run for people: as Markdown, and as one page of HTML with charts.

A document is what tidemark_bench --json writes (results.h), with "machine" from report.py.
"""

import html as escaping
import json
import pathlib

SYNC_ROW = "disk/sync"
# The figure that a chart shows of a row, if it has it, and its unit.
CHARTED = (("items_per_second", "a second"), ("calls/s", "a second"), ("commits/s", "a second"),
           ("p50_us", "us, median"), ("open_s", "s"), ("call_ms", "ms"))
# Rows of ours in families of peers, beside those that begin with "tidemark".
OURS = ("durable", "half", "restore", "fork", "one_object", "1000_objects")


def number(value):
    """Four digits that count: 1234567 -> 1,235 k; 0.01234 -> 0.01234."""
    if value is None:
        return ""
    size = abs(value)
    if size >= 1e6:
        return f"{value / 1e6:,.3g} M" if size < 1e9 else f"{value / 1e6:,.0f} M"
    if size >= 1e4:
        return f"{value / 1e3:,.3g} k" if size < 1e6 else f"{value / 1e3:,.0f} k"
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def spread(summary):
    return f"{number(summary['median'])} [{number(summary['least'])} .. {number(summary['most'])}]"


def verdict(targets, at):
    """met, MISSED or "did not run". An alternative and the target before it share one."""
    group = [targets[at]]
    if targets[at]["alternative"]:
        group.append(targets[at - 1])
    elif at + 1 < len(targets) and targets[at + 1]["alternative"]:
        group.append(targets[at + 1])
    known = [target["met"] for target in group if target["met"] is not None]
    if not known:
        return "did not run"
    return "met" if any(known) else "MISSED"


def target_rows(document):
    targets = document["targets"]
    durability = {row["name"]: row["durability"] for row in document["rows"]}
    for at, target in enumerate(targets):
        ran = target["met"] is not None
        twin = f" to {target['base']}" if target["base"] else ""
        yield {
            "text": ("or: " if target["alternative"] else "") + target["text"],
            "row": f"{target['row']}{twin}: {target['figure']}",
            "measured": spread(target) if ran else "",
            "bound": f"{target['sense']} {number(target['bound'])}",
            "verdict": verdict(targets, at),
            "durability": durability.get(target["row"], ""),
        }


def counts(document):
    """How many targets were met, missed and not run; an alternative counts with the one before."""
    targets = document["targets"]
    found = [verdict(targets, at) for at, target in enumerate(targets) if not target["alternative"]]
    return {name: found.count(name) for name in ("met", "MISSED", "did not run")}


def summary_line(document):
    found = counts(document)
    line = f"{found['met']} targets met, {found['MISSED']} missed"
    if found["did not run"]:
        line += f", {found['did not run']} did not run"
    size = document["size"]
    if size != "full":
        line += (f". This was a {size} run, with smaller sizes than those of the targets: for an "
                 "impression only" if size == "quick" else
                 ". This was a smoke run: its figures mean nothing")
    return line + "."


def conditions(document):
    """Name and text of what a figure depends on."""
    machine, system = document["machine"], document["system"]
    disk = machine["disk"]
    yield "Run", (f"{document['size']}, {document['rounds']} rounds, {machine['began']} to "
                  f"{machine['ended']}")
    yield "Source", machine["commit"] or "not known"
    yield "Machine", (f"{machine['cores']} x {machine['processor']}, "
                      f"{machine['memory_bytes'] / 2**30:.1f} GiB")
    yield "System", f"{machine['system']}, {system['kernel']}"
    kind = "as the system takes it, rotating" if disk["rotational"] else "not rotating"
    yield "Disk", ", ".join(text for text in (
        disk["device"], disk["model"], kind,
        f"scheduler {disk['scheduler']}" if disk["scheduler"] else None,
        f"cache {disk['write_cache']}" if disk["write_cache"] else None) if text)
    yield "File system", f"{disk['file_system'] or system['file_system']} ({disk['mount_options']})"
    for row in document["rows"]:
        if row["name"] == SYNC_ROW:
            for figure, summary in row["figures"].items():
                if figure.endswith("_us"):
                    yield (f"A write of 4 KB and a sync, {figure.removesuffix('_us')}",
                           f"{spread(summary)} us")
    yield "Load when it began and ended", (f"{machine['load_before']:.2f}, "
                                           f"{machine['load_after']:.2f}")
    yield "Compiler", f"{system['compiler']}, {system['build_type']}"
    yield "Versions", ", ".join(f"{name} {version}" for name, version in machine["versions"].items())


def families(document):
    """Rows by the first parts of their names, in order."""
    found = {}
    for row in document["rows"]:
        found.setdefault(row["name"].rpartition("/")[0], []).append(row)
    return found


def md_table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |")
    return "\n".join(lines) + "\n"


def markdown(document):
    parts = ["# Tidemark beside its peers\n",
             "Written by `bench/run`. Every figure is the median of the rounds, and [least .. most]. "
             "A ratio is taken round by round.\n",
             summary_line(document) + "\n",
             md_table(("condition", ""), conditions(document)),
             "## Targets\n",
             md_table(("what", "measured", "target", "", "benchmark and figure", "durability"),
                      ((row["text"], row["measured"], row["bound"], row["verdict"], row["row"],
                        row["durability"]) for row in target_rows(document))),
             "## All figures\n"]
    lines = []
    for row in document["rows"]:
        for figure, summary in row["figures"].items():
            lines.append((row["name"], figure, spread(summary), row["durability"]))
    parts.append(md_table(("benchmark", "figure", "measured", "durability"), lines))
    if document["skipped"]:
        parts.append("## Skipped\n")
        parts.append("".join(f"- {reason}\n" for reason in document["skipped"]))
    return "\n".join(parts)


def html_table(head, rows, kind=""):
    cells = "".join(f"<th>{escaping.escape(text)}</th>" for text in head)
    body = []
    for row in rows:
        verdicts = {"met": "met", "MISSED": "missed"}
        body.append("<tr>" + "".join(
            f'<td class="{verdicts.get(cell, "")}">{escaping.escape(str(cell))}</td>'
            for cell in row) + "</tr>")
    return f'<table class="{kind}"><thead><tr>{cells}</tr></thead><tbody>{"".join(body)}</tbody></table>'


def target_chart(document):
    """Each target's measure as a multiple of its bound, so that 1 and more is met."""
    bars = []
    for at, target in enumerate(document["targets"]):
        if target["met"] is None or not target["bound"]:
            continue
        values = [target[name] / target["bound"] for name in ("median", "least", "most")]
        if target["sense"] == "at most":
            values = [1 / value if value else 1 for value in values]
        bars.append({"label": target["text"], "value": values[0],
                     "low": min(values[1:]), "high": max(values[1:]),
                     "good": verdict(document["targets"], at) == "met",
                     "note": f"{spread(target)}, {target['sense']} {number(target['bound'])}"})
    return {"title": "Measured, as a multiple of the target", "unit": "x", "line": 1,
            "logarithmic": True, "bars": bars}


def family_chart(name, rows):
    """None if its rows have no figure in common that says how fast they are."""
    for figure, unit in CHARTED:
        charted = [row for row in rows if figure in row["figures"]]
        if len(charted) < 2:
            continue
        bars = []
        for row in charted:
            summary = row["figures"][figure]
            side = row["name"].rpartition("/")[2]
            bars.append({"label": [side, row["durability"]], "value": summary["median"],
                         "low": summary["least"], "high": summary["most"],
                         "good": side.startswith("tidemark") or side in OURS,
                         "note": f"{spread(summary)} {unit}"})
        return {"title": f"{name}: {figure}", "unit": unit, "line": None, "logarithmic": False,
                "bars": bars}
    return None


def html(document, library):
    """`library` is Chart.js, or None: then there are tables only."""
    charts = []

    def place(chart):
        if library is None or chart is None or not chart["bars"]:
            return ""
        charts.append(chart)
        lines = 1 if isinstance(chart["bars"][0]["label"], str) else 2
        height = 70 + (10 + 16 * lines) * len(chart["bars"])
        return (f'<div class="chart" style="height:{height}px">'
                f'<canvas id="chart{len(charts) - 1}"></canvas></div>')

    body = [f"<p class=summary>{escaping.escape(summary_line(document))}</p>",
            html_table(("condition", ""), conditions(document), "conditions"),
            "<h2>Targets</h2>", place(target_chart(document)),
            html_table(("what", "measured", "target", "", "benchmark and figure", "durability"),
                       ((row["text"], row["measured"], row["bound"], row["verdict"], row["row"],
                         row["durability"]) for row in target_rows(document)), "targets"),
            "<h2>Benchmarks</h2>"]
    for name, rows in families(document).items():
        lines = []
        for row in rows:
            for figure, summary in row["figures"].items():
                lines.append((row["name"], figure, spread(summary), row["durability"]))
        body.append(f"<h3>{escaping.escape(name)}</h3>")
        body.append(place(family_chart(name, rows)))
        body.append("<details><summary>figures</summary>" +
                    html_table(("benchmark", "figure", "measured", "durability"), lines) +
                    "</details>")
    if document["skipped"]:
        items = "".join(f"<li>{escaping.escape(reason)}</li>" for reason in document["skipped"])
        body.append(f"<h2>Skipped</h2><ul>{items}</ul>")
    template = (pathlib.Path(__file__).parent / "report_page.html").read_text()
    script = ""
    if charts:
        # No text may end the script early.
        data = json.dumps(charts).replace("<", "\\u003c")
        draw = (pathlib.Path(__file__).parent / "report_page.js").read_text()
        code = library.replace("</script", "<\\/script")
        script = f"<script>{code}</script>\n<script>const charts = {data};\n{draw}</script>"
    return template.replace("{{body}}", "\n".join(body)).replace("{{script}}", script)
