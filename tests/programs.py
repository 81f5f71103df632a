"""Small programs for tests: a config's keys in, a compiled program, rows that fit it and a run on any target out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trainer_cli.compiler.program import InputSpec, Program, build_program
from trainer_cli.config.schema import Config
from trainer_cli.data.source import Split
from trainer_cli.parts.loss import TargetForm
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
    """Random rows of the program's inputs, and targets in the forms that its losses take."""
    random = np.random.default_rng(seed)
    inputs = {}
    for name, spec in program.inputs.items():
        shape = (count, *spec.shape)
        if name in program.tokens:
            inputs[name] = random.integers(0, program.tokens[name] or 10, shape, dtype=np.int32)
        elif spec.dtype == "uint8":
            inputs[name] = random.integers(0, 256, shape, dtype=np.uint8)
        else:
            inputs[name] = random.normal(size=shape).astype(np.float32)
    targets = {name: target_for(spec.form, spec.shape or (), count, random) for name, spec in program.targets.items()}
    return Split(inputs, targets, count)


def target_for(form: TargetForm, shape: tuple[int, ...], count: int, random: np.random.Generator) -> Any:
    """Random targets of a form for an output of this shape."""
    classes = shape[-1] if shape else 4  # of any number
    labels = random.integers(0, classes, (count, *shape[:-1])).astype(np.int32)
    if form == "labels":
        return labels
    if form == "one_hot":
        return np.eye(classes, dtype=np.float32)[labels]
    if form == "binary":
        return random.integers(0, 2, (count, *shape)).astype(np.float32)
    return random.normal(size=(count, *shape)).astype(np.float32)


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
    precision: str = "float64",
) -> tuple[State, list[Slice]]:
    """The state after a number of steps over epochs of all rows, in calls of at most `slices` steps, and their sums."""
    options: dict[str, Any] = {"threads": threads} if target == "cpu" else {"precision": precision}
    executable = open_target(target, **options).compile(program, batch_size=batch_size)
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


def check_numbers(program: Program, split: Split, batch_size: int, *, rtol: float, atol: float) -> None:
    """An epoch in random order: close to the reference, and the same bits at any number of threads."""
    order = np.random.default_rng(0).permutation(split.rows).astype(np.int32)
    found = []
    for target, threads in (("reference", 1), ("cpu", 1), ("cpu", 2), ("cpu", 3), ("cpu", 5)):
        ready = open_target(target, threads=threads).compile(program, batch_size=batch_size)
        ready.load(program.initial_state(0))
        ready.train(split, order, 0, program.hyperparameters, 0)
        found.append(ready.state())
    expected, first, *others = found
    for name, array in expected.items():
        np.testing.assert_allclose(first[name], array, rtol=rtol, atol=atol, err_msg=name)
    for other in others:
        assert same_bits(first, other)
