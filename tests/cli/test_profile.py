"""`trainer profile`, as a user types it: every kernel of a step with its work and its time."""

from __future__ import annotations

import json
import re

from trainer_cli.cli import app

ROWS, FEATURES, HIDDEN, CLASSES = 16, 4, 8, 3
FORWARD, BACKWARD = 2 * ROWS * FEATURES * HIDDEN, 2 * ROWS * HIDDEN * CLASSES


def test_every_kernel_is_told_longest_first(project):
    done = project.run("profile", "config.yaml", "--steps", "20", "--threads", "1")
    assert done.returncode == 0, done.stderr
    assert re.match(r"step +[\d.,]+ µs on 1 thread, batch of 16\nfloor +[\d.]+ µs: [\d.]+ kFLOP at ", done.stdout)
    rows = re.findall(r"^(\S.*?)  +(?:\([\w ,]*\) +)?([\d.,]+) +([\d.]+)%", done.stdout, re.MULTILINE)
    names = [name for name, _, _ in rows]
    assert {"dense_1: contract → kernel", "dense_2: contract → kernel", "input: gather"} <= set(names)
    times = [float(time.replace(",", "")) for name, time, _ in rows if not name.startswith("others")]
    assert times == sorted(times, reverse=True)
    assert abs(sum(float(share) for *_, share in rows) - 100) < 1
    assert not (project.folder / "runs").exists()


def test_json_gives_the_kernels_in_order_with_their_work(project):
    done = project.run("profile", "config.yaml", "--steps", "20", "--threads", "2", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["batch_size"], found["threads"], found["steps"]) == (ROWS, 2, 20)
    kernels = found["kernels"]
    work = sorted(kernel["operations"] for kernel in kernels if kernel["kernel"].endswith("contract"))
    # Forward and the kernels' gradients of two layers, and the gradient of the second one's input; the elementwise
    # work behind each product comes on top.
    least = sorted([FORWARD, FORWARD, BACKWARD, BACKWARD, BACKWARD])
    assert all(0 <= has - needs < 2000 for has, needs in zip(work, least, strict=True))
    assert found["operations"] == sum(kernel["operations"] for kernel in kernels)
    assert abs(found["floor"] * found["peak"] / found["operations"] - 1) < 1e-9
    updates = [name for kernel in kernels for name in kernel["updates"]]
    assert {"dense_1/kernel", "dense_1/bias", "dense_2/kernel", "dense_2/bias"} <= set(updates)
    # 16 rows are two blocks: one for each thread.
    assert {kernel["part"] for kernel in kernels if kernel["shape"][:1] == ["batch"]} == {0.5}
    assert kernels[0]["kernel"] in ("scalars", "input: gather")
    assert kernels[-1]["kernel"] == "barrier"


def test_what_fit_refuses_is_refused(project):
    done = project.run("profile", "config.yaml", "--phase", "2")
    assert done.returncode == 2
    assert "there is no phase 2" in done.stderr
    project.configure(optimizer=None)
    done = project.run("profile", "config.yaml")
    assert done.returncode == 2
    assert "`optimizer` is missing" in done.stderr


def test_the_config_may_be_an_option_and_overridden(project):
    done = project.run("profile", "--config", "config.yaml", "--set", "optimizer=nonsense")
    assert done.returncode == 2
    assert "`nonsense`" in done.stderr


def test_it_is_a_command():
    assert "profile" in app.COMMANDS
