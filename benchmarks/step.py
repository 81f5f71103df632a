"""One training step of small dense networks: microseconds of ours, PyTorch's and JAX's, in one run, as ratios.

    python benchmarks/step.py [WORKLOAD …] [--rounds N] [--peers PYTHON]

Each round runs every subject once, in a process of its own, so that a busy moment hits all alike; the figure is the
median over rounds of each process's median epoch. `--peers` names an interpreter that has torch and jax, if they are
not installed beside trainer (`pip install 'trainer-cli[bench]'`). Every subject trains on the same number of rows in
random order with Adam and sparse categorical cross-entropy. `floor` is the arithmetic of the products at the speed
that the micro-kernel reaches in the first-level cache, on all cores.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import time

import numpy as np

WORKLOADS = {  # units from input to output, batch size, steps per epoch
    "tiny": ((64, 32, 10), 32, 400),
    "mlp": ((784, 128, 10), 32, 400),
    "mlp128": ((784, 128, 10), 128, 200),
    "big": ((784, 1024, 1024, 10), 256, 20),
}
EPOCHS = 9
WARM_UP = 3


def rows(units, batch, steps):
    generator = np.random.default_rng(0)
    x = generator.random((batch * steps, units[0]), dtype=np.float32)
    return x, generator.integers(0, units[-1], batch * steps).astype(np.int32)


def trainer(workload, threads):
    from trainer_cli.compiler.program import InputSpec, build_program
    from trainer_cli.config.schema import Config
    from trainer_cli.data.source import Split
    from trainer_cli.targets import open_target

    units, batch, steps = WORKLOADS[workload]
    hidden = [{"type": "dense", "units": n, "activation": "relu"} for n in units[1:-1]]
    output = {"type": "dense", "units": units[-1], "activation": "softmax"}
    config = Config.model_validate(
        {"architecture": [*hidden, output], "optimizer": "adam", "loss": "sparse_categorical_crossentropy"}
    )
    program = build_program(config, InputSpec((units[0],)))
    executable = open_target("cpu", threads=threads).compile(program, batch_size=batch)
    executable.load(program.initial_state(0))
    x, y = rows(units, batch, steps)
    split = Split({"input": x}, {"target": y}, len(x))
    generator = np.random.default_rng(0)

    def epoch(number):
        order = generator.permutation(len(x)).astype(np.int32)
        executable.train(split, order, number * steps, program.hyperparameters, 0)

    return epoch


def torch(workload, threads):
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    units, batch, steps = WORKLOADS[workload]
    layers = [layer for a, b in itertools.pairwise(units) for layer in (nn.Linear(a, b), nn.ReLU())][:-1]
    network = nn.Sequential(*layers)
    x, y = rows(units, batch, steps)
    x, y = torch.from_numpy(x), torch.from_numpy(y).long()
    optimizer, loss = torch.optim.Adam(network.parameters(), 1e-3, fused=True), nn.CrossEntropyLoss()

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


def jax(workload, threads):
    import jax
    import jax.numpy as jnp

    units, batch, steps = WORKLOADS[workload]
    x, y = (jnp.asarray(array) for array in rows(units, batch, steps))
    generator = np.random.default_rng(0)
    weights = [
        (jnp.asarray(generator.normal(0, 0.05, (a, b)), jnp.float32), jnp.zeros(b))
        for a, b in itertools.pairwise(units)
    ]

    def loss(weights, x, y):
        for kernel, bias in weights[:-1]:
            x = jax.nn.relu(x @ kernel + bias)
        scores = jax.nn.log_softmax(x @ weights[-1][0] + weights[-1][1])
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


SUBJECTS = {"trainer": trainer, "torch": torch, "jax": jax}


def measure_here(subject, workload, threads):
    """Microseconds per step of one subject, in this process."""
    if threads == 1 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    epoch = SUBJECTS[subject](workload, threads)
    seconds = []
    for number in range(EPOCHS):
        began = time.perf_counter()
        epoch(number)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[WARM_UP:]) / WORKLOADS[workload][2] * 1e6


def measure(subject, workload, threads, peers):
    """The same in a process of its own; None if the peer is not installed."""
    python = sys.executable if subject == "trainer" else peers
    command = [python, __file__, workload, "--subject", subject, "--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        missing = "ModuleNotFoundError" in done.stderr
        print(f"{subject}: {'not installed' if missing else done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return float(json.loads(done.stdout.splitlines()[-1]))


def floor(workload, cores):
    """Microseconds of the products' arithmetic at the peak of the micro-kernel."""
    from gemm import peak

    units, batch, _ = WORKLOADS[workload]
    products = sum(a * b for a, b in itertools.pairwise(units)) * 3 - units[0] * units[1]
    return 2 * batch * products / (peak() * 1e9 * cores) * 1e6


def table(workload, rounds, peers, cores):
    subjects = [(name, threads) for name in SUBJECTS for threads in sorted({1, cores})]
    figures = {subject: [] for subject in subjects}
    for _ in range(rounds):
        for name, threads in list(figures):
            figure = measure(name, workload, threads, peers)
            if figure is None:
                del figures[name, threads]
            else:
                figures[name, threads].append(figure)
    medians = {subject: statistics.median(values) for subject, values in figures.items()}
    ours = min(value for (name, _), value in medians.items() if name == "trainer")
    units, batch, _ = WORKLOADS[workload]
    print(f"\n{workload}: {'-'.join(map(str, units))}, batch {batch}; floor {floor(workload, cores):,.0f} µs")
    for (name, threads), value in sorted(medians.items(), key=lambda item: item[1]):
        print(f"  {name:8} {threads} thread{'s' if threads > 1 else ' '} {value:10,.1f} µs   {value / ours:6.2f} ×")
    rivals = [value for (name, _), value in medians.items() if name != "trainer"]
    if rivals:
        print(f"  ours / best peer = {ours / min(rivals):.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workloads", nargs="*", default=["mlp"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default=os.environ.get("PEERS_PYTHON", sys.executable))
    parser.add_argument("--subject", choices=SUBJECTS)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if options.subject:
        print(json.dumps(measure_here(options.subject, options.workloads[0], options.threads)))
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for workload in options.workloads:
        table(workload, options.rounds, options.peers, cores)


if __name__ == "__main__":
    main()
