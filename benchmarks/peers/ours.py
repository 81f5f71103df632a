"""Ours: a workload in, its compiled program's epochs out."""

from __future__ import annotations

import numpy as np

from peers import Contestant
from trainer_cli.compiler.program import InputSpec, build_program
from trainer_cli.config.schema import Config
from trainer_cli.data.source import Split
from trainer_cli.targets import open_target


def begin(workload, x, y, threads):
    """`threads`: as many as it chooses itself if 0."""
    program = build_program(Config.model_validate(workload.config), InputSpec(workload.shape, workload.dtype))
    executable = open_target("cpu", threads=threads or None).compile(program, batch_size=workload.batch)
    executable.load(program.initial_state(0))
    split = Split({"input": x}, {"target": y}, len(x))
    generator = np.random.default_rng(0)
    rows = len(x) // workload.batch * workload.batch

    def epoch(number):
        order = generator.permutation(len(x)).astype(np.int32)[:rows]
        first = number * (rows // workload.batch)
        done = executable.train(split, order, first, program.hyperparameters, 0)
        return float(done.totals["loss"]) / done.rows

    def scores(x):
        return executable.predict(Split({"input": x}, {}, len(x)), 0, len(x))["prediction"]

    parameters = sum(program.weights[name].size for name in program.trainable_weights)
    description = executable.description
    facts = {name: description[name] for name in ("operations_per_step", "arena_bytes")}
    return Contestant(epoch, scores, parameters, facts)
