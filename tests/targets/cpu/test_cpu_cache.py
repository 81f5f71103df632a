"""The plan cache: plans in, the same plans later and faster out, whatever happened to the files in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from tests.programs import program, rows_for, train
from trainer_cli.compiler.trace import InputSpec
from trainer_cli.ir.graph import BATCH, Graph
from trainer_cli.targets.cpu import cache
from trainer_cli.targets.cpu.plan import Plan
from trainer_cli.targets.cpu.plan_source import write_plan


def graph() -> Graph:
    made = Graph()
    made.outputs["y"] = made.input("input", (BATCH, 3)) * 2.0 + 1.0
    return made


def plan() -> Plan:
    return Plan(graph(), 4, {"input": InputSpec((3,))})


def check(made: Plan) -> None:
    x, output = np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros((2, 3), np.float32)
    made.run(np.arange(2, dtype=np.int32), {"input": x}, {}, outputs={"y": output})
    np.testing.assert_array_equal(output, x * 2 + 1)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    place = tmp_path / "cache"
    monkeypatch.setenv("TRAINER_CACHE_DIR", str(place))
    return place


def only_plan(folder: Path) -> Path:
    (found,) = (folder / "plans").iterdir()
    return found


def test_a_plan_is_found_again_and_nothing_else_is_left_behind(folder: Path) -> None:
    assert not plan().from_cache
    stored = only_plan(folder)
    assert sorted(path.name for path in stored.iterdir()) == ["plan.json", "plan.o", "plan.py"]
    again = plan()
    assert again.from_cache
    check(again)
    assert (stored / "plan.py").read_text() == again.source.text


def cut(stored: Path) -> None:
    (stored / "plan.o").write_bytes((stored / "plan.o").read_bytes()[:100])


def flip(stored: Path) -> None:
    code = bytearray((stored / "plan.o").read_bytes())
    code[len(code) // 2] ^= 1
    (stored / "plan.o").write_bytes(bytes(code))


def empty(stored: Path) -> None:
    (stored / "plan.o").write_bytes(b"")


def garbage(stored: Path) -> None:
    (stored / "plan.json").write_bytes(b"\xff\x00 not JSON")


def other_kind(stored: Path) -> None:
    (stored / "plan.json").write_text("[]")


def other_symbol(stored: Path) -> None:
    description = json.loads((stored / "plan.json").read_text())
    (stored / "plan.json").write_text(json.dumps(description | {"symbol": "main"}))


def folders(stored: Path) -> None:
    (stored / "plan.json").unlink()
    (stored / "plan.json").mkdir()


@pytest.mark.parametrize("damage", [cut, flip, empty, garbage, other_kind, other_symbol, folders])
def test_a_damaged_plan_is_worth_a_warning_and_is_replaced(folder: Path, damage: Any) -> None:
    plan()
    damage(only_plan(folder))
    with pytest.warns(RuntimeWarning, match="is damaged .*; compiling again") as caught:
        made = plan()
    assert len(caught) == 1
    assert not made.from_cache
    check(made)
    assert plan().from_cache


@pytest.mark.parametrize("missing", ["plan.json", "plan.o"])
def test_a_plan_with_a_missing_file_is_compiled_again_in_silence(folder: Path, missing: str) -> None:
    plan()
    (only_plan(folder) / missing).unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not plan().from_cache
        assert plan().from_cache


def test_a_folder_that_cannot_be_made_is_worth_one_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TRAINER_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.warns(RuntimeWarning, match="every start compiles") as caught:
        check(plan())
    assert len(caught) == 1


def test_a_cache_that_cannot_be_written_is_worth_one_warning(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    (folder / "plans").touch()
    with pytest.warns(RuntimeWarning, match="the plan cache cannot be written") as caught:
        check(plan())
    assert len(caught) == 1


def test_a_folder_that_anyone_may_write_is_not_trusted(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.warns(RuntimeWarning, match="every start compiles"):
        check(plan())
    assert list(folder.iterdir()) == []


def test_the_users_cache_folder_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRAINER_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.cache_folder() == tmp_path / "xdg" / "trainer"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache.cache_folder() == tmp_path / "home" / ".cache" / "trainer"
    assert (tmp_path / "home" / ".cache" / "trainer").stat().st_mode & 0o077 == 0


def test_without_a_home_a_private_temporary_folder_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("TRAINER_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", staticmethod(no_home))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = cache.cache_folder()
    assert found is not None
    assert found.parent == tmp_path


def test_writers_at_the_same_time_leave_one_whole_plan(folder: Path) -> None:
    stored = cache.StoredPlan(b"code" * 1000, "run")
    place = folder / "plans" / "digest"
    failures: list[BaseException] = []

    def write() -> None:
        try:
            for _ in range(20):
                cache.write_plan(place, "text", stored)
                found = cache.read_plan(place)
                assert found in (None, stored)
        except BaseException as error:
            failures.append(error)

    threads = [Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert cache.read_plan(place) == stored
    assert [path.name for path in place.parent.iterdir()] == ["digest"]


def test_the_digest_depends_on_the_text_and_on_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    one = cache.plan_digest("text")
    assert one == cache.plan_digest("text") != cache.plan_digest("Text")
    monkeypatch.setattr(cache, "_environment_digest", lambda: "another machine")
    assert cache.plan_digest("text") != one


def test_a_known_plan_is_loaded_without_numba(folder: Path) -> None:
    check(plan())
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from tests.targets.cpu.test_cpu_cache import check, plan
made = plan()
check(made)
assert made.from_cache
assert "numba" not in sys.modules, "numba was imported"
"""
    subprocess.run([sys.executable, "-c", script], check=True, env=dict(os.environ), timeout=120)


def test_equal_graphs_have_equal_text() -> None:
    texts = {write_plan(plan.schedule, {"input": InputSpec((3,))}).text for plan in (plan(), plan())}
    assert len(texts) == 1


@pytest.mark.parametrize(
    ("optimizer", "changed"),
    [
        ({"type": "sgd", "momentum": 0.9}, {"learning_rate": 0.5, "momentum": 0.1}),
        ({"type": "adam"}, {"learning_rate": 0.5, "beta_1": 0.5, "beta_2": 0.6, "epsilon": 0.1}),
        ({"type": "rmsprop"}, {"learning_rate": 0.5, "rho": 0.5, "epsilon": 0.1}),
        ({"type": "adagrad"}, {"learning_rate": 0.5, "initial_accumulator_value": 0.7}),
    ],
    ids=lambda value: value.get("type", "changed"),
)
def test_changing_a_hyperparameter_compiles_nothing(folder: Path, optimizer: dict[str, Any], changed: Any) -> None:
    layers = [{"type": "dense", "units": 2}]
    first, second = (program(layers, "mse", settings) for settings in (optimizer, optimizer | changed))
    split = rows_for(first, 8)
    before, _ = train(first, split, steps=2)
    stored = set((folder / "plans").iterdir())
    after, _ = train(second, split, steps=2)
    assert set((folder / "plans").iterdir()) == stored
    assert any(before[name].tobytes() != after[name].tobytes() for name in first.weights)
