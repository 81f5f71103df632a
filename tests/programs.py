"""Small programs for tests: a config's keys in, a compiled program, rows that fit it and a run on any target out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trainer_cli.compiler.program import InputSpec, Program, build_program
from trainer_cli.config.schema import Config
from trainer_cli.data.source import Split
from trainer_cli.targets import open_target
from trainer_cli.targets.target import Slice, State, Totals


def config(architecture: Sequence[Any], **keys: Any) -> Config:
    """A config with these layers, each a name or a mapping."""
    return Config.model_validate({"architecture": list(architecture), **keys})


def program(
    architecture: Sequence[Any],
    loss: Any = "mse",
    optimizer: Any = "sgd",
    *,
    inputs: InputSpec | tuple[int, ...] = (3,),
    phase: int = 0,
    **keys: Any,
) -> Program:
    """A compiled program."""
    specification = inputs if isinstance(inputs, InputSpec) else InputSpec(inputs)
    return build_program(config(architecture, loss=loss, optimizer=optimizer, **keys), specification, phase=phase)


def rows_for(program: Program, count: int, seed: int = 0) -> Split:
    """Random rows of the program's input, and a target in the form that its loss takes."""
    random = np.random.default_rng(seed)
    shape = (count, *program.input.shape)
    if program.tokens:
        inputs = random.integers(0, program.tokens["input"] or 10, shape, dtype=np.int32)
    elif program.input.dtype == "uint8":
        inputs = random.integers(0, 256, shape, dtype=np.uint8)
    else:
        inputs = random.normal(size=shape).astype(np.float32)
    classes = program.output_shape[-1]
    labels = random.integers(0, classes, (count, *program.output_shape[:-1])).astype(np.int32)
    target: Any = {
        "labels": lambda: labels,
        "values": lambda: random.normal(size=(count, *program.output_shape)).astype(np.float32),
        "one_hot": lambda: np.eye(classes, dtype=np.float32)[labels],
        "binary": lambda: random.integers(0, 2, (count, *program.output_shape)).astype(np.float32),
    }[str(program.target_form)]()
    return Split({"input": inputs}, target, count)


def train(
    program: Program,
    split: Split,
    *,
    steps: int,
    batch_size: int = 8,
    target: str = "cpu",
    threads: int | None = 1,
    slices: int = 10**9,
    seed: int = 5,
    hyperparameters: dict[str, float] | None = None,
) -> tuple[State, list[Slice]]:
    """The state after a number of steps over epochs of all rows, in calls of at most `slices` steps, and their sums."""
    executable = open_target(target, threads=threads if target == "cpu" else None).compile(
        program, batch_size=batch_size
    )
    executable.load(program.initial_state(seed))
    found: list[Slice] = []
    done = 0
    while done < steps:
        order = np.random.default_rng(done).permutation(split.rows).astype(np.int32)[: (steps - done) * batch_size]
        totals: Totals | None = None
        for start in range(0, len(order), slices * batch_size):
            part = order[start : start + slices * batch_size]
            result = executable.train(split, part, done, hyperparameters or program.hyperparameters, seed, totals)
            totals, done = result.totals, done + result.steps
        found.append(result)
    return executable.state(), found


def same_bits(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(one[name].tobytes() == other[name].tobytes() for name in one)
