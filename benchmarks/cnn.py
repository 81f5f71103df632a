"""One training step of a small convolutional network: microseconds of ours and of PyTorch's, in one run, as ratios.

    python benchmarks/cnn.py [--rounds N] [--peers PYTHON]

The network: 28 × 28 × 1, convolution 3 × 3 of 32 filters, pooling, convolution of 64 filters, pooling, 10 units; batch
64, Adam. Each round runs every subject once, in a process of its own, as in `step.py`; the figure is the median over
rounds of each process's median epoch. `--peers` names an interpreter that has torch.
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

BATCH, STEPS = 64, 30
EPOCHS, WARM_UP = 7, 2


def rows():
    generator = np.random.default_rng(0)
    x = generator.random((BATCH * STEPS, 28, 28, 1), dtype=np.float32)
    return x, generator.integers(0, 10, BATCH * STEPS).astype(np.int32)


def trainer(threads):
    from trainer_cli.compiler.program import InputSpec, build_program
    from trainer_cli.config.schema import Config
    from trainer_cli.data.source import Split
    from trainer_cli.targets import open_target

    hidden = []
    for filters in (32, 64):
        hidden += [{"type": "conv2d", "filters": filters, "kernel_size": 3, "activation": "relu"}, "max_pooling2d"]
    layers = [*hidden, "flatten", {"type": "dense", "units": 10, "activation": "softmax"}]
    config = {"architecture": layers, "optimizer": "adam", "loss": "sparse_categorical_crossentropy"}
    program = build_program(Config.model_validate(config), InputSpec((28, 28, 1)))
    executable = open_target("cpu", threads=threads).compile(program, batch_size=BATCH)
    executable.load(program.initial_state(0))
    x, y = rows()
    split = Split({"input": x}, {"target": y}, len(x))
    generator = np.random.default_rng(0)

    def epoch(number):
        order = generator.permutation(len(x)).astype(np.int32)
        executable.train(split, order, number * STEPS, program.hyperparameters, 0)

    return epoch


def torch(threads):
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    hidden = []
    for channels, filters in ((1, 32), (32, 64)):
        hidden += [nn.Conv2d(channels, filters, 3), nn.ReLU(), nn.MaxPool2d(2)]
    network = nn.Sequential(*hidden, nn.Flatten(), nn.Linear(1600, 10))
    x, y = rows()
    x, y = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2))), torch.from_numpy(y).long()
    optimizer, loss = torch.optim.Adam(network.parameters(), 1e-3, fused=True), nn.CrossEntropyLoss()

    def epoch(number):
        order = torch.randperm(len(x))
        total = torch.zeros(())
        for start in range(0, len(x), BATCH):
            index = order[start : start + BATCH]
            value = loss(network(x[index]), y[index])
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            total += value.detach()
        float(total)

    return epoch


SUBJECTS = {"trainer": trainer, "torch": torch}


def measure_here(subject, threads):
    """Microseconds per step of one subject, in this process."""
    epoch = SUBJECTS[subject](threads)
    seconds = []
    for number in range(EPOCHS):
        began = time.perf_counter()
        epoch(number)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[WARM_UP:]) / STEPS * 1e6


def measure(subject, threads, peers):
    """The same in a process of its own; None if it fails, with the reason on stderr."""
    python = sys.executable if subject == "trainer" else peers
    command = [python, __file__, "--subject", subject, "--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"{subject}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return float(json.loads(done.stdout.splitlines()[-1]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default=os.environ.get("PEERS_PYTHON", sys.executable))
    parser.add_argument("--subject", choices=SUBJECTS)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if options.subject:
        print(json.dumps(measure_here(options.subject, options.threads)))
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    figures = {(name, threads): [] for name in SUBJECTS for threads in sorted({1, cores})}
    for _ in range(options.rounds):
        for (name, threads), found in figures.items():
            figure = measure(name, threads, options.peers)
            if figure is not None:
                found.append(figure)
    medians = {subject: statistics.median(found) for subject, found in figures.items() if found}
    ours = min(value for (name, _), value in medians.items() if name == "trainer")
    for (name, threads), value in sorted(medians.items(), key=lambda item: item[1]):
        print(f"{name:8} {threads} thread{'s' if threads > 1 else ' '} {value:10,.0f} µs   {value / ours:6.2f} ×")


if __name__ == "__main__":
    main()
