"""One training step of an LSTM: microseconds of ours, PyTorch's and JAX's, in one run, as ratios.

    python benchmarks/lstm.py [--rounds N] [--peers PYTHON]

The network: 28 rows of 28 pixels, 128 units, the last output to 10 classes; batch 64, Adam. `--peers` names an
interpreter that has torch and jax.
"""

from __future__ import annotations

import numpy as np
import race

TIME, FEATURES, UNITS, CLASSES = 28, 28, 128, 10
BATCH, STEPS = 64, 20


def trainer(threads):
    layers = [{"type": "lstm", "units": UNITS}, {"type": "dense", "units": CLASSES, "activation": "softmax"}]
    return race.trainer(layers, (TIME, FEATURES), BATCH, STEPS, threads)


def torch(threads):
    from torch import nn

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.recurrent, self.output = nn.LSTM(FEATURES, UNITS, batch_first=True), nn.Linear(UNITS, CLASSES)

        def forward(self, x):
            return self.output(self.recurrent(x)[0][:, -1])

    return race.torch(Network(), *race.rows((TIME, FEATURES), CLASSES, BATCH * STEPS), BATCH, threads)


def jax(threads):
    import jax
    import jax.numpy as jnp

    generator = np.random.default_rng(0)
    shapes = [(FEATURES, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,), (UNITS, CLASSES), (CLASSES,)]
    weights = [jnp.asarray(generator.normal(0, 0.05, shape), jnp.float32) for shape in shapes]

    def forward(weights, x):
        kernel, recurrent, bias, output, output_bias = weights
        drive = jnp.einsum("btd,dg->tbg", x, kernel) + bias

        def step(carry, drive):
            hidden, cell = carry
            write, keep, candidate, read = jnp.split(drive + hidden @ recurrent, 4, 1)
            cell = jax.nn.sigmoid(keep) * cell + jax.nn.sigmoid(write) * jnp.tanh(candidate)
            return (jax.nn.sigmoid(read) * jnp.tanh(cell), cell), None

        zeros = jnp.zeros((x.shape[0], UNITS))
        (hidden, _), _ = jax.lax.scan(step, (zeros, zeros), drive)
        return hidden @ output + output_bias

    return race.jax(weights, forward, *race.rows((TIME, FEATURES), CLASSES, BATCH * STEPS), BATCH)


TERMS = TIME * 4 * UNITS * (2 * FEATURES + 3 * UNITS) + 3 * UNITS * CLASSES
"""Multiply-adds of a sequence: the input needs no gradient."""

if __name__ == "__main__":
    floor = race.arithmetic_floor(BATCH * TERMS)
    subjects = {"trainer": trainer, "torch": torch, "jax": jax}
    race.race(
        __file__, __doc__.splitlines()[0], {"lstm": ("lstm 28 × 28 → 128 → 10, batch 64", STEPS, subjects, floor)}
    )
