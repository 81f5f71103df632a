"""One training step of a small Transformer: microseconds of ours, PyTorch's and JAX's, in one run, as ratios.

    python benchmarks/attention.py [--rounds N] [--peers PYTHON]

The network: 28 tokens of 28 numbers, 2 blocks of width 64 with 4 heads and an MLP of 128, the mean to 10 classes; batch
64, Adam. `--peers` names an interpreter that has torch and jax.
"""

from __future__ import annotations

import numpy as np
import race

TIME, FEATURES, WIDTH, HEADS, HIDDEN, BLOCKS, CLASSES = 28, 28, 64, 4, 128, 2, 10
BATCH, STEPS = 64, 20


def trainer(threads):
    layers, last = [{"type": "dense", "units": WIDTH, "name": "begin"}], "begin"
    for n in range(BLOCKS):
        layers += [
            {"type": "layer_normalization", "inputs": [last]},
            {"type": "multi_head_attention", "num_heads": HEADS, "key_dim": WIDTH // HEADS, "name": f"attention_{n}"},
            {"type": "add", "name": f"middle_{n}", "inputs": [last, f"attention_{n}"]},
            {"type": "layer_normalization"},
            {"type": "dense", "units": HIDDEN, "activation": "gelu"},
            {"type": "dense", "units": WIDTH, "name": f"mlp_{n}"},
            {"type": "add", "name": f"end_{n}", "inputs": [f"middle_{n}", f"mlp_{n}"]},
        ]
        last = f"end_{n}"
    layers += ["global_average_pooling1d", {"type": "dense", "units": CLASSES, "activation": "softmax"}]
    return race.trainer(layers, (TIME, FEATURES), BATCH, STEPS, threads)


def torch(threads):
    from torch import nn

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            block = {"dropout": 0.0, "activation": "gelu", "batch_first": True, "norm_first": True}
            self.begin, self.output = nn.Linear(FEATURES, WIDTH), nn.Linear(WIDTH, CLASSES)
            self.blocks = nn.Sequential(
                *(nn.TransformerEncoderLayer(WIDTH, HEADS, HIDDEN, **block) for _ in range(BLOCKS))
            )

        def forward(self, x):
            return self.output(self.blocks(self.begin(x)).mean(1))

    return race.torch(Network(), *race.rows((TIME, FEATURES), CLASSES, BATCH * STEPS), BATCH, threads)


def jax(threads):
    import jax
    import jax.numpy as jnp

    generator = np.random.default_rng(0)

    def dense(a, b):
        return jnp.asarray(generator.normal(0, 0.05, (a, b)), jnp.float32), jnp.zeros(b)

    def normal():
        return jnp.ones(WIDTH), jnp.zeros(WIDTH)

    sizes = ((WIDTH, 3 * WIDTH), (WIDTH, WIDTH), (WIDTH, HIDDEN), (HIDDEN, WIDTH))
    blocks = [(*(dense(*size) for size in sizes), normal(), normal()) for _ in range(BLOCKS)]
    weights = (dense(FEATURES, WIDTH), blocks, dense(WIDTH, CLASSES))

    def apply(x, weights):
        return x @ weights[0] + weights[1]

    def normalized(x, weights):
        centred = x - x.mean(-1, keepdims=True)
        return centred * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-5) * weights[0] + weights[1]

    def heads(x):
        return x.reshape(*x.shape[:2], HEADS, WIDTH // HEADS).transpose(0, 2, 1, 3)

    def forward(weights, x):
        begin, blocks, output = weights
        x = apply(x, begin)
        for joint, out, wide, narrow, first, second in blocks:
            query, key, value = map(heads, jnp.split(apply(normalized(x, first), joint), 3, -1))
            shares = jax.nn.softmax(query @ key.transpose(0, 1, 3, 2) / (WIDTH // HEADS) ** 0.5)
            x = x + apply((shares @ value).transpose(0, 2, 1, 3).reshape(x.shape), out)
            x = x + apply(jax.nn.gelu(apply(normalized(x, second), wide), approximate=False), narrow)
        return apply(x.mean(1), output)

    return race.jax(weights, forward, *race.rows((TIME, FEATURES), CLASSES, BATCH * STEPS), BATCH)


PER_TOKEN = 3 * BLOCKS * (4 * WIDTH * WIDTH + 2 * WIDTH * HIDDEN + 2 * TIME * WIDTH) + 2 * FEATURES * WIDTH
"""Multiply-adds of a token: the input needs no gradient."""

if __name__ == "__main__":
    floor = race.arithmetic_floor(BATCH * TIME * PER_TOKEN)
    subjects = {"trainer": trainer, "torch": torch, "jax": jax}
    title = "attention, 2 blocks of width 64, 28 tokens, batch 64"
    race.race(__file__, __doc__.splitlines()[0], {"attention": (title, STEPS, subjects, floor)})
