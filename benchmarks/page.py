"""Results of a benchmark in; the tables and pictures of `docs/performance.md` out, between the page's marks.

    python benchmarks/page.py [RESULTS.json]

A mark is `<!-- bench: NAME -->`, up to `<!-- end -->`. Without an argument the newest results are taken.
"""

from __future__ import annotations

import json
import re
import sys

import growth
import products
import race
from contestants import OURS, ROOT
from drawing import growth_chart, share_chart
from startup import BARE
from workloads import WORKLOADS

from trainer_cli.training.checkpoints import write_atomically

PAGE = ROOT / "docs" / "performance.md"
PICTURES = ROOT / "docs" / "pictures"
RESULTS = ROOT / "benchmarks" / "results"
PRODUCTS = "products.svg"
MARK = re.compile(r"<!-- bench: (?P<what>[\w -]+) -->\n.*?<!-- end -->", re.DOTALL)
_KERNELS = 16
"""Lines of a profile that are shown."""


def table(columns, rows):
    """A Markdown table; all columns but the first are aligned to the right."""
    marks = ["---", *["---:"] * (len(columns) - 1)]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in (columns, marks, *rows))


def micro(value):
    return "" if value is None else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def mark(reached):
    return "✓" if reached else "✗ missed"


def versions(results):
    """What the figures were measured on and with."""
    machine = results["machine"]
    peers = [f"{name} ({', '.join(map(' '.join, own.items()))})" for name, own in results["peers"].items()]
    missing = f"; not installed: {', '.join(results['missing'])}" if results["missing"] else ""
    return "\n".join(
        [
            f"- {machine['processor']} ({machine['target']}), {machine['cores']} cores, {machine['system']}",
            f"- {', '.join(f'{name} {version}' for name, version in results['versions'].items())}",
            f"- peers: {', '.join(peers) or 'none'}{missing}",
            f"- {results['time']}, {results['rounds']} rounds, load at the start {machine['load']:.2f}",
        ]
    )


def race_table(results):
    """A row per workload: the floor, ours, each peer at its best number of threads, the ratio and the reach."""
    peers = list(dict.fromkeys(each["name"] for own in results["race"].values() for each in own["contestants"]))
    peers.remove(OURS)
    rows = []
    for name, own in results["race"].items():
        ours, ratio = race.best(own["contestants"], OURS), race.ratio(own)
        found = [race.best(own["contestants"], peer) for peer in peers]
        reached = ratio is not None and ratio <= own["reach"]
        rows.append(
            [
                f"{name}: {own['title']}",
                micro(own["floor"]),
                f"**{micro(ours['microseconds'])}**",
                f"{ours['microseconds'] / own['floor']:.1f} ×",
                *(micro(each and each["microseconds"]) for each in found),
                "" if ratio is None else f"{ratio:.2f}",
                f"≤ {own['reach']:.2f} {'' if ratio is None else mark(reached)}",
            ]
        )
    return table(["µs per step", "floor", "trainer", "of floor", *peers, "ours / best peer", "reach"], rows)


def thread_table(results):
    """Ours by the number of threads: as chosen by itself, and with more than there are cores."""
    rows = []
    for name, own in results["race"].items():
        contestants = own["contestants"]
        given = sorted(each["threads"] for each in contestants if each["name"] == OURS and each["threads"])
        times = [micro(race.with_threads(contestants, threads)["microseconds"]) for threads in (0, *given)]
        crowded = race.crowded(own)
        rows.append([name, *times, f"{crowded:.2f} {mark(crowded <= race.CROWDED)}"])
    first = next(iter(results["race"].values()))["contestants"]
    given = sorted(each["threads"] for each in first if each["name"] == OURS and each["threads"])
    labels = [f"{threads} thread{'s' if threads > 1 else ''}" for threads in given]
    crowding = f"{given[-1]} / {given[-2]} threads, ≤ {race.CROWDED}"
    return table(["µs per step", "chosen by itself", *labels, crowding], rows)


def startup_table(results):
    """Whole processes, beside what was asked for."""
    rows = []
    for name, own in results["startup"].items():
        asked = own["asked"]
        reach = "" if asked is None else f"≤ {asked} s {mark(own['seconds'] <= asked)}"
        accuracy = "" if own["accuracy"] is None else f"{own['accuracy']:.3f}"
        ratio = f"{own['seconds'] / results['startup'][BARE]['seconds']:.1f} ×"
        rows.append([name, f"{own['seconds']:.2f}", ratio, accuracy, reach])
    return table(["whole process", "seconds", "of a bare import", "accuracy", "reach"], rows)


def memory_table(results):
    """Peak resident memory of a training."""
    rows = [
        [name, *(f"{own[key] / 1e6:,.0f}" for key in ("data", "arena", "peak", "allowed")), mark(own["reached"])]
        for name, own in results["memory"].items()
    ]
    return table(["MB", "data", "arena", "peak of `fit`", "at most", ""], rows)


def growth_lines(results):
    """The lines that show the pictures of all sweeps, and the cliffs."""
    shown = []
    for name, own in results["growth"].items():
        shown.append(f"![{own['title']}](pictures/{picture_name(name)})\n")
        shown.append(f"{own['title']}: {'; '.join(growth.cliffs(own)) or 'no cliff'}.\n")
    return "\n".join(shown).rstrip("\n")


def product_lines(results):
    """What the products reach in a sentence, as a picture and as a table."""
    own = results["products"]
    rows = [
        [
            products.name(shape),
            *(f"{shape[key]:.0f}" for key in ("peak", "ours", "blas")),
            *(f"{shape[key]:.0%}" for key in ("ours_of_peak", "blas_of_peak")),
            f"{shape['ours_of_blas']:.2f}",
            mark(shape["ours_of_peak"] >= own["reach"]),
        ]
        for shape in own["shapes"]
    ]
    ratios = ["trainer / peak", "BLAS / peak", "trainer / BLAS", f"≥ {own['reach']:.0%} of the peak"]
    columns = ["GFLOP/s", "peak", "trainer", "BLAS", *ratios]
    title = f"![Products as shares of the kernel's peak](pictures/{PRODUCTS})"
    return "\n\n".join([products.summary(own), title, table(columns, rows), provenance(results, own["turns"], "turns")])


def barrier_table(results):
    """A barrier by the number of threads; without reach where threads share cores."""
    own = results["barrier"]
    rows = []
    for each in own["threads"]:
        asked = 1 < each["threads"] <= own["cores"]
        reach = f"≤ {own['reach']:.0f} µs {mark(each['median'] <= own['reach'])}" if asked else ""
        rows.append([f"{each['threads']}", *(f"{each[key]:.3f}" for key in ("median", "least")), reach])
    columns = [f"threads, on {own['cores']} cores", "µs, median", "µs, least", "reach"]
    return f"{table(columns, rows)}\n\n{provenance(results, own['calls'], 'calls')}"


def provenance(results, count, what):
    """Where and when a part was measured that may come from another run than the rest of the page."""
    machine = results["machine"]
    load = f"load at the start {machine['load']:.2f}"
    return f"{count} {what}; {machine['processor']}, {machine['cores']} cores, {results['time']}, {load}."


def picture_name(sweep):
    return f"growth-{sweep}.svg"


def write_pictures(results):
    """A picture of every sweep that has points, and of the products."""
    for name, own in results.get("growth", {}).items():
        lines = {who: {int(n): value for n, value in line.items()} for who, line in own["contestants"].items()}
        if lines:
            drawn = growth_chart(own["title"], lines, own["what"], "µs per step")
            write_atomically(PICTURES / picture_name(name), drawn.encode())
    if results.get("products"):
        own = results["products"]
        rows = {
            products.name(shape): {"trainer": shape["ours_of_peak"], "NumPy's BLAS": shape["blas_of_peak"]}
            for shape in own["shapes"]
        }
        drawn = share_chart("Products of one core", rows, "share of the kernel's peak", own["reach"])
        write_atomically(PICTURES / PRODUCTS, drawn.encode())


def profile_block(results, name):
    """The longest kernels of a workload, as `trainer profile` shows them."""
    lines = results["profiles"][name].splitlines()
    shown = lines if len(lines) <= _KERNELS else [*lines[:_KERNELS], "…"]
    return "\n".join(["```console", "$ trainer profile config.yaml --threads 1", *shown, "```"])


def spread_table(results):
    """How far a busy machine moves the figures: medians and least times of all turns, ours and the best peer's."""
    rows = []
    for name, own in results["race"].items():
        ours, peer = race.best(own["contestants"], OURS), race.best_peer(own["contestants"])
        if peer is not None:
            times = [micro(each[key]) for each in (ours, peer) for key in ("microseconds", "least")]
            ratios = [f"{ours[key] / peer[key]:.2f}" for key in ("microseconds", "least")]
            rows.append([f"{name}, {peer['name']}", *times, *ratios])
    columns = ["trainer, median", "least", "best peer, median", "least", "ratio of medians", "of the least"]
    return table(["µs per step", *columns], rows)


def run_table(results):
    """The ratios of all stored runs that raced, and on what, so that one can see whether they agree."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))]
    rows = []
    for run in runs:
        raced = run.get("race", {})
        ratios = [race.ratio(raced[name]) if name in raced else None for name in WORKLOADS]
        if any(ratio is not None for ratio in ratios):
            shown = ["" if ratio is None else f"{ratio:.2f}" for ratio in ratios]
            rows.append([run["time"], architecture(run["machine"]), *shown])
    return table(["ours / best peer", "on", *WORKLOADS], rows)


def architecture(machine):
    """The processor's architecture, as LLVM names it."""
    return machine["target"].rpartition(" (")[2].partition(")")[0]


BLOCKS = {
    "machine": ("race", versions),
    "race": ("race", race_table),
    "threads": ("race", thread_table),
    "spread": ("race", spread_table),
    "runs": ("race", run_table),
    "startup": ("startup", startup_table),
    "memory": ("memory", memory_table),
    "growth": ("growth", growth_lines),
    "products": ("products", product_lines),
    "barrier": ("barrier", barrier_table),
}
"""The blocks of the page: the part of the results that each needs, and what writes it."""


def rewritten(page, results):
    """The page with every block written anew whose part of the results is there."""

    def replace(match):
        what = match["what"]
        if what.startswith("profile "):
            name = what.removeprefix("profile ")
            if name not in results.get("profiles", {}):
                return match[0]
            text = profile_block(results, name)
        else:
            needed, write = BLOCKS[what]
            if not results.get(needed):
                return match[0]
            text = write(results)
        return f"<!-- bench: {what} -->\n{text}\n<!-- end -->"

    return MARK.sub(replace, page)


def write_page(results):
    write_pictures(results)
    write_atomically(PAGE, rewritten(PAGE.read_text(encoding="utf-8"), results).encode())
    print(f"wrote {PAGE.relative_to(ROOT)}")


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else max(RESULTS.glob("*.json"))
    with open(path, encoding="utf-8") as file:
        write_page(json.load(file))


if __name__ == "__main__":
    main()
