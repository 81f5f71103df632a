"""Stored plans: graphs in, the same words and bits out, whether the passes have run or a file tells what they made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.programs import program, rows_for, train
from trainer_cli.compiler.program import Program
from trainer_cli.compiler.trace import InputSpec
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph
from trainer_cli.targets.cpu import build, plan_digest, stored_plan
from trainer_cli.targets.cpu.cache import write_entry
from trainer_cli.targets.cpu.plan import Plan
from trainer_cli.targets.cpu.plan_record import PlanRecord

ROOT = Path(__file__).parents[3]
NETWORKS: dict[str, tuple[list[Any], Any]] = {
    "dense": (["flatten", {"type": "dense", "units": 5, "activation": "relu"}, {"type": "dropout", "rate": 0.5}], (4,)),
    "normalized": ([{"type": "dense", "units": 4}, "batch_normalization"], (3,)),
    "recurrent": ([{"type": "lstm", "units": 3}], (4, 2)),
    "convolutional": (
        [{"type": "conv_2d", "filters": 2, "kernel_size": 3}, "flatten"],
        InputSpec((5, 5, 1), "uint8", 0.5),
    ),
}


def network(name: str) -> Program:
    layers, inputs = NETWORKS[name]
    return program([*layers, {"type": "dense", "units": 2}], "mse", "adam", inputs=inputs)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with the kernels that other tests have compiled, and no plan."""
    place = tmp_path / "cache"
    place.mkdir(mode=0o700)
    kernels = Path(os.environ["TRAINER_CACHE_DIR"]) / "kernels"
    kernels.mkdir(mode=0o700, parents=True, exist_ok=True)
    (place / "kernels").symlink_to(kernels)
    monkeypatch.setenv("TRAINER_CACHE_DIR", str(place))
    return place


@pytest.fixture
def no_passes(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """What forbids the passes to run from then on."""

    def refuse(*_: Any) -> None:
        raise AssertionError("the passes ran")

    return lambda: monkeypatch.setattr("trainer_cli.targets.cpu.plan_making.make_plan", refuse)


def training(name: str, batch_size: int = 6) -> Plan:
    made = network(name)
    assert made.train is not None
    return Plan(made.train, batch_size, made.input_leaves)


def same(one: PlanRecord, two: PlanRecord) -> bool:
    return one.to_bytes() == two.to_bytes()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_stored_plan_has_the_words_of_the_one_that_was_made(
    name: str, folder: Path, no_passes: Callable[[], None]
) -> None:
    made = training(name)
    assert len(list((folder / "plans").iterdir())) == 1
    schedule = made.schedule
    no_passes()
    found = training(name)
    assert found.from_cache
    assert same(found.record, made.record)
    assert found.record.labels == made.record.labels
    assert found.record.inputs == made.record.inputs
    assert found.record.totals == made.record.totals
    assert len(found.arena) == schedule.arena
    for one, two in zip(found.record.constants, made.record.constants, strict=True):
        assert one.dtype == two.dtype
        np.testing.assert_array_equal(one, two)


def test_a_plan_tells_of_its_schedule_when_asked(folder: Path) -> None:
    made, found = training("dense"), training("dense")
    assert found.source.text == made.source.text
    assert found.source.program.words == found.record.words.tolist()
    assert found.schedule.arena == found.record.arena


@pytest.mark.parametrize("name", NETWORKS)
def test_it_trains_to_the_same_bits(name: str, folder: Path, no_passes: Callable[[], None]) -> None:
    made = network(name)
    split = rows_for(made, 20)
    first, _ = train(made, split, steps=5)
    no_passes()
    again, _ = train(network(name), split, steps=5)
    assert {key: value.tobytes() for key, value in first.items()} == {
        key: value.tobytes() for key, value in again.items()
    }


def test_without_the_cache_nothing_is_stored_or_found(folder: Path, no_passes: Callable[[], None]) -> None:
    made = Graph()
    made.outputs["y"] = made.input("input", (BATCH, 3)) * 2.0
    assert not Plan(made, 4, {"input": InputSpec((3,))}, use_cache=False).from_cache
    assert not (folder / "plans").exists()
    no_passes()
    with pytest.raises(AssertionError, match="the passes ran"):
        Plan(made, 4, {"input": InputSpec((3,))}, use_cache=False)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


def empty(file: Path) -> None:
    file.write_bytes(b"")


def other_words(file: Path) -> None:
    write_entry(file, b"another thing")


def no_json(file: Path) -> None:
    write_entry(file, b"{'a': 1}\n")


def other_fields(file: Path) -> None:
    write_entry(file, json.dumps({"arrays": [["<i8", [0]]], "batch": 3}).encode() + b"\n")


def fewer_bytes(file: Path) -> None:
    write_entry(file, file.read_bytes()[32:-8])


def become_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("damage", [cut, flip, empty, other_words, no_json, other_fields, fewer_bytes, become_folder])
def test_a_damaged_plan_is_worth_a_warning_and_is_made_again(folder: Path, damage: Callable[[Path], None]) -> None:
    made = training("dense")
    (place,) = (folder / "plans").iterdir()
    damage(place)
    with pytest.warns(RuntimeWarning, match="the stored plan .* is damaged .*; making it again") as caught:
        again = training("dense")
    assert len(caught) == 1
    assert same(again.record, made.record)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert same(training("dense").record, made.record)


def test_plans_that_cannot_be_stored_are_worth_one_warning(folder: Path) -> None:
    (folder / "plans").touch()
    with pytest.warns(RuntimeWarning, match="the plan cache cannot be written") as caught:
        training("dense")
    assert len(caught) == 1


def test_a_known_plan_without_a_kernel_compiles_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINER_CACHE_DIR", str(tmp_path))

    def plan() -> Plan:
        made = Graph()
        made.outputs["y"] = made.input("input", (BATCH, 3)) * 2.0 + 0.25
        return Plan(made, 4, {"input": InputSpec((3,))})

    record = plan().record
    (kernel,) = (digest for digest in record.units if digest != record.runtime)
    (tmp_path / "kernels" / kernel).unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not plan().from_cache
    (tmp_path / "kernels" / kernel).write_bytes(b"")
    build._loaded.clear()
    with pytest.warns(RuntimeWarning, match="the cached kernel .* is damaged") as caught:
        assert not plan().from_cache
    assert len(caught) == 1
    assert plan().from_cache


# The name of a plan


def digest(made: Graph, batch_size: int = 4, cache: int = 1 << 20, **changes: Any) -> str:
    spec = InputSpec((3,), **changes)
    return plan_digest.plan_digest(made, batch_size, {"input": spec}, cache)


def graph(
    factor: Any = 2.0, name: str = "y", layer: str | None = None, shape: tuple[Any, ...] = (BATCH, 3), order: int = 1
) -> Graph:
    made = Graph()
    with made.layer(layer):
        value = made.input("input", shape)
        product = value * ir.constant(made, factor) if isinstance(factor, np.ndarray) else value * factor
        added = [product + 1.0, product - 1.0][::order]
        made.outputs[name] = added[0] * added[1] - added[0]
    return made


CHANGED: dict[str, Callable[[], str]] = {
    "a constant": lambda: digest(graph(3.0)),
    "the sign of a zero": lambda: digest(graph(0.0)),
    "the other zero": lambda: digest(graph(-0.0)),
    "a constant array": lambda: digest(graph(np.array([1.0, 2.0, 3.0]))),
    "another array": lambda: digest(graph(np.array([1.0, 2.0, 3.5]))),
    "the width of an array": lambda: digest(graph(np.array([1.0, 2.0, 3.0], np.float32))),
    "operands": lambda: digest(graph(order=-1)),
    "an output": lambda: digest(graph(name="z")),
    "a layer": lambda: digest(graph(layer="dense_1")),
    "a shape": lambda: digest(graph(shape=(BATCH, 1))),
    "an axis that is no batch": lambda: digest(graph(shape=(4, 3))),
    "the batch": lambda: digest(graph(), batch_size=5),
    "the cache": lambda: digest(graph(), cache=0),
    "the type of an input": lambda: digest(graph(), dtype="uint8"),
    "the scale of an input": lambda: digest(graph(), scale=0.5),
}


def test_whatever_decides_a_plan_is_in_its_name() -> None:
    names = [digest(graph()), *(changed() for changed in CHANGED.values())]
    assert digest(graph()) == names[0]
    assert len(set(names)) == len(names)


def test_so_is_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest(graph())
    monkeypatch.setattr(plan_digest, "plan_environment", lambda: "another machine")
    assert digest(graph()) != before


def test_what_an_update_writes_is_in_its_name() -> None:
    def updating(name: str) -> Graph:
        made = graph()
        first, second = made.weight("first", (2,)), made.weight("second", (2,))
        made.updates[name] = first + second
        return made

    assert digest(updating("first")) != digest(updating("second"))


def test_the_body_of_a_loop_is_in_its_name() -> None:
    def looping(factor: float) -> Graph:
        made = Graph()
        value = made.input("input", (BATCH, 4, 3))
        zero = ir.broadcast_to(ir.constant(made, 0.0), (BATCH, 3))
        carried, _ = ir.loop(
            lambda carried, slices, _: ([carried[0] + slices[0] * factor], []), [zero], [value], length=4
        )
        made.outputs["y"] = carried[0]
        return made

    assert digest(looping(2.0)) == digest(looping(2.0)) != digest(looping(3.0))


def test_an_attribute_of_no_known_kind_is_refused() -> None:
    made = graph()
    made.values[0].attributes = {"name": "input", "odd": {1, 2}}
    with pytest.raises(TypeError, match="has no digest"):
        digest(made)


def test_every_process_gives_a_plan_the_same_name() -> None:
    script = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.targets.cpu.test_stored_plan import NETWORKS, network
from trainer_cli.targets.cpu.plan_digest import plan_digest
for name in NETWORKS:
    made = network(name)
    print(*(plan_digest(each, 6, made.input_leaves, 1 << 20) for each in (made.train, made.evaluate, made.predict)))
"""
    names = {
        subprocess.run(
            [sys.executable, "-c", script],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
            timeout=120,
        ).stdout
        for seed in ("1", "2")
    }
    (name,) = names
    assert len(set(name.split())) == 3 * len(NETWORKS)


# A start


def test_a_known_network_trains_without_the_passes(folder: Path, tmp_path: Path) -> None:
    script = """
import json, sys
from trainer_cli.cli.main import main
try:
    main()
except SystemExit as leaving:
    assert not leaving.code, leaving.code
print("\\n" + json.dumps(sorted(sys.modules)))
"""
    unneeded = {"trainer_cli.compiler.schedule", "trainer_cli.compiler.fuse", "trainer_cli.targets.cpu.plan_source"}
    weights = []
    for run in ("first", "second"):
        arguments = ["fit", "configs/digits.yaml", "--set", "fit.epochs=1", "--run-dir", str(tmp_path / run)]
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        )
        modules = set(json.loads(done.stdout.splitlines()[-1]))
        tensors = load_file(tmp_path / run / "checkpoints" / "last.safetensors")
        weights.append({name: tensor.tobytes() for name, tensor in tensors.items()})
        assert (modules >= unneeded) if run == "first" else not modules & {*unneeded, "numba"}
    assert weights[0] == weights[1]


def test_what_is_stored_is_data(folder: Path) -> None:
    training("dense")
    (place,) = (folder / "plans").iterdir()
    head = json.loads(place.read_bytes()[32:].partition(b"\n")[0])
    assert head["batch_size"] == 6
    assert stored_plan.PlanRecord.from_bytes(place.read_bytes()[32:]).batch_size == 6
