"""The plan cache: plans in, the same plans later and faster out, whatever happened to the files in between."""

from __future__ import annotations

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
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph
from trainer_cli.targets.cpu import build, cache
from trainer_cli.targets.cpu.compilation import compile_unit
from trainer_cli.targets.cpu.plan import Plan
from trainer_cli.targets.cpu.plan_source import RUNTIME, write_plan
from trainer_cli.targets.cpu.program import Export, Unit


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


def stored(folder: Path) -> list[Path]:
    return sorted((folder / "kernels").iterdir())


def test_a_plan_is_found_again_and_nothing_else_is_left_behind(folder: Path) -> None:
    assert not plan().from_cache
    before = stored(folder)
    assert len(before) == 2, "the functions that all plans share, and the kernel"
    again = plan()
    assert again.from_cache
    check(again)
    assert stored(folder) == before


def test_another_plan_compiles_only_the_kernels_that_are_new(folder: Path) -> None:
    plan()
    before = set(stored(folder))
    made = Graph()
    made.outputs["y"] = made.input("input", (BATCH, 3)) * 2.0 + 1.0
    made.outputs["loss"] = ir.reduce_sum(made.outputs["y"], (0, 1))
    assert not Plan(made, 8, {"input": InputSpec((3,))}).from_cache
    assert before < set(stored(folder))
    known = Plan(graph(), 64, {"input": InputSpec((3,))})
    assert known.from_cache, "the batch's size is in no kernel"


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])


def flip(file: Path) -> None:
    code = bytearray(file.read_bytes())
    code[len(code) // 2] ^= 1
    file.write_bytes(bytes(code))


def empty(file: Path) -> None:
    file.write_bytes(b"")


def other_symbol(file: Path) -> None:
    """The code of another kernel in this one's place."""
    cache.write_entry(file, compile_unit(Unit(RUNTIME.text, (RUNTIME.exports[-1],)), "another"))


def name_alone(file: Path) -> None:
    """The code of another kernel, and the name of this one behind it."""
    code = compile_unit(Unit(RUNTIME.text, (RUNTIME.exports[-1],)), "another")
    cache.write_entry(file, code + cache.symbol("entry", file.name).encode())


def become_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("damage", [cut, flip, empty, other_symbol, name_alone, become_folder])
def test_a_damaged_kernel_is_worth_a_warning_and_is_replaced(folder: Path, damage: Any) -> None:
    made = plan()
    (unit,) = made.source.units
    damage(folder / "kernels" / cache.unit_digest(unit))
    build._loaded.clear()
    with pytest.warns(RuntimeWarning, match="is damaged .*; compiling again") as caught:
        made = plan()
    assert len(caught) == 1
    assert not made.from_cache
    check(made)
    assert plan().from_cache


def test_a_missing_kernel_is_compiled_again_in_silence(folder: Path) -> None:
    plan()
    stored(folder)[0].unlink()
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
    (folder / "kernels").touch()
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


def test_writers_at_the_same_time_leave_one_whole_file(folder: Path) -> None:
    code, place = b"code" * 1000, folder / "kernels" / "digest"
    failures: list[BaseException] = []

    def write() -> None:
        try:
            for _ in range(20):
                cache.write_entry(place, code)
                assert cache.read_entry(place) == code
        except BaseException as error:
            failures.append(error)

    threads = [Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [path.name for path in place.parent.iterdir()] == ["digest"]


def test_the_digest_depends_on_the_text_and_on_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    one = cache.unit_digest(Unit("text"))
    assert one == cache.unit_digest(Unit("text")) != cache.unit_digest(Unit("Text"))
    assert one != cache.unit_digest(Unit("text", (Export("other"),)))
    monkeypatch.setattr(cache, "_environment_digest", lambda: "another machine")
    assert cache.unit_digest(Unit("text")) != one


def test_a_known_plan_is_loaded_without_the_compiler(folder: Path) -> None:
    check(plan())
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from tests.targets.cpu.test_cpu_cache import check, plan
made = plan()
check(made)
assert made.from_cache
assert "numba" not in sys.modules, "the compiler was imported"
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
    before_files = stored(folder)
    after, _ = train(second, split, steps=2)
    assert stored(folder) == before_files
    assert any(before[name].tobytes() != after[name].tobytes() for name in first.weights)
