"""`trainer show` and `trainer export`, as a user types them."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file


def test_show_tells_what_a_run_holds(trained):
    done = trained.run("show", "run")
    assert done.returncode == 0, done.stderr
    found = dict(re.findall(r"^(\S.*?)  +(.*)$", done.stdout, re.MULTILINE))
    assert found["file"].startswith("run/checkpoints/best.safetensors (")
    assert found["name"] == "flowers, seed 3"
    assert found["network"] == "dense_1, dense_2"
    assert found["optimizer"] == "adam (learning_rate 0.02)"
    assert found["trained"].startswith("3 epochs, 12 steps")
    assert found["classes"] == "blue, green, red"
    assert found["features"] == "a, b, c, d"
    assert found["parameters"] == "67 in 4 tensors (268 B)"
    assert re.findall(r"^ (dense_\S+) +dense +(\(.*?\)) +F32 +(\d+)$", done.stdout, re.MULTILINE) == [
        ("dense_1/kernel", "(4, 8)", "32"),
        ("dense_1/bias", "(8,)", "8"),
        ("dense_2/kernel", "(8, 3)", "24"),
        ("dense_2/bias", "(3,)", "3"),
    ]


def test_show_lists_all_tensors_and_gives_json(trained):
    done = trained.run("show", "run/checkpoints/last.safetensors", "--tensors")
    assert re.search(r"dense_1/kernel/first_moment +dense +optimizer +\(4, 8\) +F32 +32", done.stdout)
    assert re.search(r"^test +loss [\d.]+  accuracy [\d.]+$", done.stdout, re.MULTILINE)
    found = json.loads(trained.run("show", "--json", "run").stdout)
    assert found["counters"]["step"] == 12
    assert found["config"]["name"] == "flowers"
    assert {tensor["name"]: tensor["shape"] for tensor in found["tensors"]}["dense_2/kernel"] == [8, 3]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [("none", None, "there is no checkpoint at none"), ("bad.safetensors", b"\x08junk", "is damaged")],
)
def test_show_refuses_what_is_no_checkpoint(project, name, content, words):
    if content is not None:
        (project.folder / name).write_bytes(content)
    done = project.run("show", name)
    assert (done.returncode, done.stdout) == (3, "")
    assert words in done.stderr


def test_show_takes_any_safetensors_file(project):
    save_file({"a/kernel": np.zeros((2, 3), np.float32)}, project.folder / "w.safetensors")
    done = project.run("show", "w.safetensors")
    assert done.returncode == 0, done.stderr
    assert re.search(r"a/kernel +\(2, 3\) +F32 +6", done.stdout)


def test_export_writes_the_weights_that_show_lists(trained, tmp_path):
    best = load_file(trained.folder / "run" / "checkpoints" / "best.safetensors")
    for name in ("out.npz", "out.safetensors"):
        file = tmp_path / name
        done = trained.run("export", "run", "--to", str(file))
        assert done.returncode == 0, done.stderr
        assert "4 tensors with 67 parameters" in done.stderr
        found = np.load(file) if name.endswith(".npz") else load_file(file)
        assert set(found) == {"dense_1/kernel", "dense_1/bias", "dense_2/kernel", "dense_2/bias"}
        for key in found:
            assert found[key].tobytes() == best[key].tobytes()


def test_an_export_can_start_another_training(trained, tmp_path):
    file = tmp_path / "weights.safetensors"
    done = trained.run("export", "run/checkpoints/last.safetensors", "--to", str(file), "--json")
    assert json.loads(done.stdout)["parameters"] == 67
    done = trained.fit("--weights", str(file), "--run-dir", str(tmp_path / "next"))
    assert done.returncode == 0, done.stderr
    assert "4 of 4 matched" in done.stderr


def test_export_replaces_nothing_unless_forced(trained, tmp_path):
    file = tmp_path / "out.npz"
    file.write_text("precious")
    done = trained.run("export", "run", "--to", str(file))
    assert done.returncode == 2
    assert "--force" in done.stderr
    assert file.read_text() == "precious"
    assert trained.run("export", "run", "--to", str(file), "--force", "--quiet").returncode == 0
    assert "dense_1/kernel" in np.load(file)
    assert [path.name for path in tmp_path.iterdir()] == ["out.npz"], "nothing half written is left"
    done = trained.run("export", "run", "--to", str(tmp_path / "out.h5"))
    assert done.returncode == 2
    assert ".npz, .safetensors" in done.stderr
