"""The benchmark as a whole on its smallest network, and what it says of figures that miss what is asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest


def contestant(name, threads, microseconds):
    return {"name": name, "threads": threads, "microseconds": microseconds}


def result(ours, peer, crowded):
    """A race on two cores: ours on 1 and 2 threads, chosen by itself, and on 4, beside a peer on 1 and 2."""
    own = [contestant("trainer", 1, ours * 1.5), contestant("trainer", 2, ours), contestant("trainer", 0, ours * 1.1)]
    own += [contestant("trainer", 4, crowded), contestant("JAX", 1, peer * 1.2), contestant("JAX", 2, peer)]
    return {"title": "a network", "reach": 0.5, "contestants": own, "floor": 1.0}


@pytest.fixture(scope="module")
def measured(tmp_path_factory, root):
    path = tmp_path_factory.mktemp("bench") / "results.json"
    parts = ["race", "startup", "growth", "memory", "products", "barrier", "profiles"]
    arguments = [*parts, "--workload", "tiny", "--rounds", "1", "--seconds", "0.01", "--limit", "2"]
    arguments += ["--shape", "nn:31x100x50", "--shape", "nt:8x16x32"]
    command = [sys.executable, "benchmarks/bench.py", *arguments, "--output", str(path)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300, env={**os.environ})
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(path.read_text())


@pytest.mark.slow
def test_a_run_holds_ours_on_every_number_of_threads_and_the_floor(measured):
    from contestants import cores, thread_counts

    own = measured[1]["race"]["tiny"]
    found = {each["threads"] for each in own["contestants"] if each["name"] == "trainer"}
    assert found == {0, *thread_counts(), 2 * cores()}
    assert all(each["parameters"] == 2410 for each in own["contestants"])
    assert own["floor"] == own["operations"] / own["peak"] * 1e6
    # Products: forward and the kernels' gradients of both layers, and the gradient of the second one's input.
    assert own["operations"] > 2 * 32 * (2 * 64 * 32 + 3 * 32 * 10)


@pytest.mark.slow
def test_frameworks_that_are_not_there_are_said_to_be_missing(measured):
    said, results = measured
    for name in results["missing"]:
        assert f"{name}: not installed" in said
    assert not set(results["missing"]) & set(results["peers"])
    assert "Keras on TensorFlow" in {*results["missing"], *results["peers"]}


@pytest.mark.slow
def test_a_training_is_as_good_with_an_empty_cache_as_with_a_warm_one(measured):
    own = measured[1]["startup"]
    accuracy = {own[name]["accuracy"] for name in ("trainer fit, warm cache", "trainer fit, empty cache")}
    assert len(accuracy) == 1
    assert accuracy.pop() > 0.9
    assert own["trainer fit, empty cache"]["seconds"] > own["trainer fit, warm cache"]["seconds"]
    assert own["trainer --help"]["accuracy"] is None


@pytest.mark.slow
def test_the_cost_is_measured_as_batches_grow(measured):
    own = measured[1]["growth"]
    assert set(own["batch"]["contestants"]["trainer"]) == {"1", "2"}
    assert own["batch"]["operations"]["2"] > own["batch"]["operations"]["1"]
    assert own["width"]["contestants"] == {}


@pytest.mark.slow
def test_memory_and_kernels_are_in_the_results(measured):
    results = measured[1]
    assert 30e6 < results["memory"]["tiny"]["peak"]
    assert results["memory"]["tiny"]["arena"] == results["race"]["tiny"]["arena_bytes"]
    assert "dense_1: contract → kernel" in results["profiles"]["tiny"]


@pytest.mark.slow
def test_products_are_measured_beside_their_peak_and_blas(measured):
    shapes = measured[1]["products"]["shapes"]
    found = [(own["layout"], own["rows"], own["depth"], own["columns"]) for own in shapes]
    assert found == [("nn", 31, 100, 50), ("nt", 8, 16, 32)]
    for own in shapes:
        assert min(own[key] for key in ("peak", "ours", "blas", "blas_of_peak", "ours_of_blas")) > 0
        assert 0 < own["ours_of_peak"] < 2  # never far over what the kernel can, however busy the machine is


@pytest.mark.slow
def test_a_barrier_is_measured_on_one_core_and_with_more_threads_than_cores(measured):
    from contestants import cores

    own = measured[1]["barrier"]
    assert [each["threads"] for each in own["threads"]] == sorted({1, 2, cores(), 2 * cores()})
    assert all(0 < each["least"] <= each["median"] for each in own["threads"])
    # Alone nobody waits.
    assert own["threads"][0]["least"] < min(each["least"] for each in own["threads"][1:])


@pytest.mark.slow
def test_the_page_takes_over_what_was_measured_and_keeps_the_rest(measured, root):
    import page

    before = (root / "docs" / "performance.md").read_text(encoding="utf-8")
    after = page.rewritten(before, measured[1])
    assert "](pictures/growth-batch.svg)" in after
    assert "| tiny: 64-32-10, batch 32 |" in after
    assert measured[1]["machine"]["processor"] in after
    assert "| nn 31 × 100 × 50 |" in after
    assert "](pictures/products.svg)" in after
    assert page.MARK.sub("", after) == page.MARK.sub("", before)
    # What was not measured stays as it was.
    others = [
        [block[0] for block in page.MARK.finditer(text) if block["what"] == "profile big"] for text in (before, after)
    ]
    assert others[0] == others[1] != []


def product(ours, blas, peak=100.0):
    shape = {"layout": "nn", "rows": 31, "depth": 100, "columns": 50, "ours": ours, "blas": blas, "peak": peak}
    return {**shape, "ours_of_peak": ours / peak, "blas_of_peak": blas / peak, "ours_of_blas": ours / blas}


def beside(**parts):
    return {"machine": {"processor": "a processor", "cores": 2, "load": 0.5}, "time": "2026-01-01 00:00 UTC", **parts}


def test_products_that_miss_the_peak_are_marked():
    import page
    import products

    own = {"turns": 9, "reach": 0.85, "shapes": [product(90.0, 60.0), product(84.0, 120.0), product(60.0, 50.0)]}
    assert products.summary(own) == (
        "1 of 3 shapes reach 85% of the peak, and 2 are at least as fast as BLAS; "
        "the medians are 84% of the peak and 1.20 × BLAS."
    )
    lines = page.product_lines(beside(products=own))
    assert "| nn 31 × 100 × 50 | 100 | 90 | 60 | 90% | 60% | 1.50 | ✓ |" in lines
    assert lines.count("✗ missed") == 2


def test_only_threads_that_have_cores_are_asked_for_fast_barriers():
    import page

    times = {1: 0.002, 2: 1.5, 4: 8.0}
    threads = [{"threads": number, "median": time, "least": time} for number, time in times.items()]
    lines = page.barrier_table(beside(barrier={"cores": 2, "calls": 20, "reach": 1.0, "threads": threads}))
    assert "| 2 | 1.500 | 1.500 | ≤ 1 µs ✗ missed |" in lines
    assert lines.count("missed") == 1


def test_parts_that_were_measured_alone_leave_the_others_as_they_are(root):
    import page

    before = (root / "docs" / "performance.md").read_text(encoding="utf-8")
    after = page.rewritten(before, beside(products={"turns": 9, "reach": 0.85, "shapes": [product(1.0, 2.0)]}))
    blocks = [{block["what"]: block[0] for block in page.MARK.finditer(text)} for text in (before, after)]
    assert {what for what in blocks[0] if blocks[0][what] != blocks[1][what]} == {"products"}


def test_every_workload_has_a_section_on_the_page(root):
    from workloads import WORKLOADS

    text = (root / "docs" / "performance.md").read_text(encoding="utf-8")
    assert all(f"<!-- bench: profile {name} -->" in text for name in WORKLOADS)


def test_the_ratio_is_that_of_both_at_their_best():
    import race

    found = result(ours=4.0, peer=10.0, crowded=5.0)
    assert race.ratio(found) == 0.4
    assert race.misses(found) == []


@pytest.mark.parametrize(
    ("ours", "crowded", "words"),
    [(6.0, 6.0, "0.60 of the best peer, asked are 0.50"), (4.0, 8.0, "2.00 × with more threads than cores")],
)
def test_what_is_not_reached_is_marked(ours, crowded, words):
    import page
    import race

    found = result(ours, 10.0, crowded)
    (missed,) = race.misses(found)
    assert words in missed
    tables = page.race_table({"race": {"a": found}}) + page.thread_table({"race": {"a": found}})
    assert tables.count("✗ missed") == 1


def test_least_times_stand_beside_medians_of_both_at_their_best():
    import page

    found = result(ours=4.0, peer=10.0, crowded=5.0)
    for each in found["contestants"]:
        each["least"] = each["microseconds"] - (1.0 if each["name"] == "trainer" else 4.0)
    shown = page.spread_table({"race": {"a": found}})
    assert "| a, JAX | 4.0 | 3.0 | 10.0 | 6.0 | 0.40 | 0.50 |" in shown


def test_a_run_without_peers_has_no_ratio_and_no_line():
    import page

    found = result(ours=4.0, peer=10.0, crowded=5.0)
    found["contestants"] = [each for each in found["contestants"] if each["name"] == "trainer"]
    assert len(page.spread_table({"race": {"a": found}}).splitlines()) == 2


def test_the_ratios_of_a_run_are_a_row(tmp_path, monkeypatch):
    import page

    machine = {"target": "A (quick) processor (znver5): avx2, fma; 16 floats per vector"}
    for number, raced in enumerate([{"tiny": result(4.0, 10.0, 5.0)}, {}, {"big": result(3.0, 10.0, 5.0)}]):
        written = json.dumps({"time": f"run {number}", "machine": machine, "race": raced})
        (tmp_path / f"{number}.json").write_text(written, encoding="utf-8")
    monkeypatch.setattr(page, "RESULTS", tmp_path)
    first, _, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.run_table({}).splitlines()
    )
    assert [row[:2] for row in rows] == [["run 0", "znver5"], ["run 2", "znver5"]]
    assert rows[0][first.index("tiny")] == "0.40"
    assert rows[1][first.index("big")] == "0.30"
    assert rows[1][first.index("tiny")] == ""


def test_another_network_or_none_that_trains_is_refused():
    import race
    from contestants import Process

    def trained(parameters, *losses):
        process = Process.__new__(Process)
        process.name, process.facts = "JAX", {"parameters": parameters}
        process.turns = [{"loss": loss} for loss in losses]
        return process

    ours = trained(1000, 2.3, 2.2)
    race.check(trained(1005, 2.3, 2.2), ours)
    with pytest.raises(ValueError, match="1,100 parameters"):
        race.check(trained(1100, 2.3, 2.2), ours)
    with pytest.raises(ValueError, match="does not train"):
        race.check(trained(1000, 2.3, float("nan")), ours)


def test_a_jump_of_the_cost_per_unit_of_work_is_a_cliff():
    import growth

    costs = {"1": 10.0, "2": 19.0, "4": 60.0, "8": 100.0}
    found = {"what": "batch", "operations": {}, "contestants": {"trainer": costs}}
    assert growth.cliffs(found) == ["batch 2 to 4: 1.58 × per unit of work"]
    work = {number: 1e6 * int(number) ** 2 for number in costs}
    assert growth.cliffs({**found, "what": "width", "operations": work}) == []


def test_a_chart_is_a_picture_with_a_line_for_each_contestant():
    from drawing import growth_chart

    lines = {"trainer": {1: 5.0, 64: 90.0, 4096: 4000.0}, "PyTorch": {1: 300.0, 64: 500.0, 4096: 9000.0}}
    tree = ElementTree.fromstring(growth_chart("a network", lines, "batch", "µs per step"))
    drawn = [line for line in tree.iter("{http://www.w3.org/2000/svg}polyline") if len(line.get("points").split()) == 3]
    assert len(drawn) == len(lines)
    heights = [float(point.split(",")[1]) for point in drawn[0].get("points").split()]
    assert heights == sorted(heights, reverse=True)


def test_a_chart_of_shares_has_a_dot_for_each_contestant_of_each_row():
    from drawing import share_chart

    rows = {"nn 1 × 2 × 3": {"trainer": 0.9, "BLAS": 0.4}, "tn 4 × 5 × 6": {"trainer": 1.02, "BLAS": 0.8}}
    tree = ElementTree.fromstring(share_chart("products", rows, "share", 0.85))
    dots = [dot for dot in tree.iter("{http://www.w3.org/2000/svg}circle") if len(dot)]
    across = {dot[0].text: float(dot.get("cx")) for dot in dots}
    assert sorted(across, key=across.get) == [
        "BLAS, nn 1 × 2 × 3: 40%",
        "BLAS, tn 4 × 5 × 6: 80%",
        "trainer, nn 1 × 2 × 3: 90%",
        "trainer, tn 4 × 5 × 6: 102%",
    ]
    assert max(across.values()) < float(tree.get("width"))
    assert "85%" in [text.text for text in tree.iter("{http://www.w3.org/2000/svg}text")]
