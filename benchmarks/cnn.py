"""One training step of a small convolutional network: microseconds of ours and of PyTorch's, in one run, as ratios.

    python benchmarks/cnn.py [--rounds N] [--peers PYTHON]

The network: 28 × 28 × 1, convolution 3 × 3 of 32 filters, pooling, convolution of 64 filters, pooling, 10 units; batch
64, Adam. `--peers` names an interpreter that has torch.
"""

from __future__ import annotations

import race

BATCH, STEPS = 64, 30


def trainer(threads):
    hidden = []
    for filters in (32, 64):
        hidden += [{"type": "conv2d", "filters": filters, "kernel_size": 3, "activation": "relu"}, "max_pooling2d"]
    layers = [*hidden, "flatten", {"type": "dense", "units": 10, "activation": "softmax"}]
    return race.trainer(layers, (28, 28, 1), BATCH, STEPS, threads)


def torch(threads):
    from torch import nn

    hidden = []
    for channels, filters in ((1, 32), (32, 64)):
        hidden += [nn.Conv2d(channels, filters, 3), nn.ReLU(), nn.MaxPool2d(2)]
    network = nn.Sequential(*hidden, nn.Flatten(), nn.Linear(1600, 10))
    x, y = race.rows((28, 28, 1), 10, BATCH * STEPS)
    return race.torch(network, x.transpose(0, 3, 1, 2), y, BATCH, threads)


TERMS = 2 * 26 * 26 * 9 * 32 + 3 * (11 * 11 * 9 * 32 * 64 + 1600 * 10)
"""Multiply-adds of an image: the first layer needs no gradient of its input."""

if __name__ == "__main__":
    floor = race.arithmetic_floor(BATCH * TERMS)
    subjects = {"trainer": trainer, "torch": torch}
    race.race(__file__, __doc__.splitlines()[0], {"cnn": ("cnn, batch 64", STEPS, subjects, floor)})
