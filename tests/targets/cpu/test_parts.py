"""Divided sums in; which inputs and partial sums lie part by part in memory, whatever else reads them, out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.programs import check_numbers, program, rows_for
from trainer_cli.compiler import divide
from trainer_cli.compiler.program import InputSpec, Program
from trainer_cli.compiler.schedule import make_schedule
from trainer_cli.targets.cpu.parts import steps_of_parts

BATCH = 24
HEAD: list[Any] = [{"type": "dense", "units": 12, "name": "first"}, "relu", {"type": "dense", "units": 3}]
BESIDE: list[Any] = [
    {"type": "dense", "units": 256, "name": "first"},
    {"type": "add", "inputs": ["first", "input"]},
    {"type": "dense", "units": 3},
]
WHOLE: list[Any] = [
    {"type": "dense", "units": 12, "name": "first"},
    {"type": "concatenate", "inputs": ["first", "input"]},
    {"type": "dense", "units": 3},
]
HEADS: list[Any] = [
    {"type": "dense", "units": 12, "name": "first"},
    {"type": "dense", "units": 9, "name": "second", "inputs": ["input"]},
    {"type": "concatenate", "inputs": ["first", "second"]},
    {"type": "dense", "units": 3},
]
DEEP: list[Any] = [
    {"type": "dense", "units": 512},
    "relu",
    {"type": "dense", "units": 512},
    {"type": "dense", "units": 3},
]


def in_parts(made: Program) -> dict[str, tuple[int, ...]]:
    """The steps of what lies part by part, by `input` or by the layer that sums up."""
    assert made.train is not None
    steps = steps_of_parts(make_schedule(made.train, BATCH))
    return {value.layer or value.op: known for value, known in steps.items()}


def test_inputs_and_partial_sums_lie_part_by_part() -> None:
    # 784 inputs in 8 parts of 98, for 24 rows.
    assert in_parts(program(HEAD, inputs=(784,))) == {"input": (98, BATCH * 98), "first": (12, BATCH * 12)}
    images = in_parts(program(["flatten", *HEAD], inputs=(28, 28)))
    assert images == {"input": (98, BATCH * 98), "first": (12, BATCH * 12)}


@pytest.mark.parametrize("layers", [BESIDE, WHOLE], ids=["added", "concatenated"])
def test_an_input_that_others_read_by_rows_lies_row_by_row(layers: list[Any]) -> None:
    steps = in_parts(program(layers, inputs=(256,)))
    assert "input" not in steps
    assert len(steps) == 1, "the partial sums are read by nobody else"


@pytest.mark.usefixtures("passes_run")
def test_an_input_that_two_layers_read_in_other_parts_lies_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    made = program(HEADS, inputs=(256,))
    assert in_parts(made)["input"] == (128, BATCH * 128)
    counts = iter((2, 4))
    monkeypatch.setattr(divide, "_parts", lambda *_: next(counts, 1))
    assert "input" not in in_parts(made)
    # Both gather, or wait for, the parts that one of them names.
    counts = iter((2, 4) * 20)
    check(made)


def test_adjoints_of_inner_layers_lie_row_by_row() -> None:
    steps = in_parts(program(DEEP, inputs=(16,)))
    # Of the two divided products of the inner layer, the backward one is read by rows.
    assert list(steps.values()) == [(512, BATCH * 512)]


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize("layers", [HEAD, BESIDE, WHOLE, HEADS], ids=["alone", "added", "concatenated", "twice"])
def test_the_numbers_are_right_at_any_number_of_threads(layers: list[Any], dtype: str) -> None:
    spec = InputSpec((256,), dtype=dtype, scale=1 / 255 if dtype == "uint8" else 1.0)
    made = program(layers, inputs=spec, optimizer={"type": "sgd", "learning_rate": 0.01})
    check(made)


def check(made: Program) -> None:
    check_numbers(made, rows_for(made, 2 * BATCH + 5), BATCH, rtol=2e-5, atol=2e-6)
