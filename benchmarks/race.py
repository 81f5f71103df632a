"""Subjects that train the same network in, a table of their microseconds per step and of ratios to ours out.

What the benchmarks of single networks share: every subject runs in a process of its own, one after another in rounds,
so that a busy moment hits all alike; the figure is the median over rounds of each process's median epoch. A script
calls `race` with its subjects, and is called again by it for each process, with `--subject` and `--threads`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import numpy as np

EPOCHS, WARM_UP = 9, 3


def rows(shape, classes, count):
    """The same random rows and labels for every subject."""
    generator = np.random.default_rng(0)
    return generator.random((count, *shape), dtype=np.float32), generator.integers(0, classes, count).astype(np.int32)


def trainer(layers, shape, batch, steps, threads):
    """Our epoch: these layers, Adam and cross-entropy."""
    from trainer_cli.compiler.program import InputSpec, build_program
    from trainer_cli.config.schema import Config
    from trainer_cli.data.source import Split
    from trainer_cli.targets import open_target

    config = {"architecture": layers, "optimizer": "adam", "loss": "sparse_categorical_crossentropy"}
    program = build_program(Config.model_validate(config), InputSpec(shape))
    executable = open_target("cpu", threads=threads).compile(program, batch_size=batch)
    executable.load(program.initial_state(0))
    x, y = rows(shape, layers[-1]["units"], batch * steps)
    split = Split({"input": x}, {"target": y}, len(x))
    generator = np.random.default_rng(0)

    def epoch(number):
        order = generator.permutation(len(x)).astype(np.int32)
        executable.train(split, order, number * steps, program.hyperparameters, 0)

    return epoch


def torch(network, x, y, batch, threads):
    """PyTorch's epoch for a network and rows as arrays."""
    import torch

    torch.set_num_threads(threads)
    x, y = torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(y).long()
    optimizer, loss = torch.optim.Adam(network.parameters(), 1e-3, fused=True), torch.nn.CrossEntropyLoss()

    def epoch(number):
        order = torch.randperm(len(x))
        total = torch.zeros(())
        for start in range(0, len(x), batch):
            index = order[start : start + batch]
            value = loss(network(x[index]), y[index])
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            total += value.detach()
        float(total)

    return epoch


def jax(weights, forward, x, y, batch):
    """JAX's epoch, a scan over all steps: `forward(weights, rows)` gives the scores of the classes."""
    import jax
    import jax.numpy as jnp

    x, y = jnp.asarray(x), jnp.asarray(y)

    def loss(weights, x, y):
        scores = jax.nn.log_softmax(forward(weights, x))
        return -jnp.mean(jnp.take_along_axis(scores, y[:, None], 1))

    def step(carry, index):
        weights, first, second, count = carry
        value, gradient = jax.value_and_grad(loss)(weights, x[index], y[index])
        count = count + 1
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradient)
        rate = 1e-3 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        weights = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-7), weights, first, second)
        return (weights, first, second, count), value

    whole = jax.jit(
        lambda carry, key: jax.lax.scan(step, carry, jax.random.permutation(key, len(x)).reshape(-1, batch))
    )
    zeros = jax.tree.map(jnp.zeros_like, weights)
    state = [(weights, zeros, zeros, 0.0)]

    def epoch(number):
        state[0], losses = whole(state[0], jax.random.PRNGKey(number))
        losses.block_until_ready()

    return epoch


def measure_here(epoch, steps):
    """Microseconds per step of one subject, in this process."""
    seconds = []
    for number in range(EPOCHS):
        began = time.perf_counter()
        epoch(number)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[WARM_UP:]) / steps * 1e6


def _measure(script, workload, subject, threads, peers):
    """The same in a process of its own; None if the peer is not installed or fails."""
    python = sys.executable if subject == "trainer" else peers
    command = [python, script, workload, "--subject", subject, "--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        missing = "ModuleNotFoundError" in done.stderr
        print(f"{subject}: {'not installed' if missing else done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return float(json.loads(done.stdout.splitlines()[-1]))


def _table(title, script, workload, subjects, options, floor):
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    figures = {(name, threads): [] for name in subjects for threads in sorted({1, cores})}
    for _ in range(options.rounds):
        for name, threads in list(figures):
            figure = _measure(script, workload, name, threads, options.peers)
            if figure is None:
                del figures[name, threads]
            else:
                figures[name, threads].append(figure)
    medians = {subject: statistics.median(values) for subject, values in figures.items()}
    ours = min(value for (name, _), value in medians.items() if name == "trainer")
    words = f"; floor {floor(cores):,.0f} µs" if floor is not None else ""
    print(f"\n{title}{words}")
    for (name, threads), value in sorted(medians.items(), key=lambda item: item[1]):
        print(f"  {name:8} {threads} thread{'s' if threads > 1 else ' '} {value:10,.1f} µs   {value / ours:6.2f} ×")
    rivals = [value for (name, _), value in medians.items() if name != "trainer"]
    if rivals:
        print(f"  ours / best peer = {ours / min(rivals):.2f}")


def race(script, description, workloads):
    """Run a script's command line.

    `workloads` maps a name to `(title, steps, subjects, floor)`: `subjects` maps names to functions of a number of
    threads that give an epoch, and `floor(cores)` gives the microseconds that the arithmetic of a step takes.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("workloads", nargs="*", default=list(workloads)[:1])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default=os.environ.get("PEERS_PYTHON", sys.executable))
    parser.add_argument("--subject")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    for name in options.workloads:
        title, steps, subjects, floor = workloads[name]
        if options.subject:
            if options.threads == 1 and hasattr(os, "sched_setaffinity"):
                os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
            print(json.dumps(measure_here(subjects[options.subject](options.threads), steps)))
        else:
            _table(title, script, name, subjects, options, floor)


def arithmetic_floor(multiply_adds):
    """Microseconds of so many multiply-adds at the peak of the micro-kernel, by the number of cores."""

    def floor(cores):
        from gemm import peak

        return 2 * multiply_adds / (peak() * 1e9 * cores) * 1e6

    return floor
