"""One training step of dense networks: microseconds of ours, PyTorch's and JAX's, in one run, as ratios.

    python benchmarks/step.py [tiny|mlp|mlp128|big|odd …] [--rounds N] [--peers PYTHON]

`--peers` names an interpreter that has torch and jax, if they are not installed beside trainer
(`pip install 'trainer-cli[bench]'`). Every subject trains on the same number of rows in random order with Adam and
sparse categorical cross-entropy. `floor` is the arithmetic of the products at the speed that the micro-kernel reaches
in the first-level cache, on all cores.
"""

from __future__ import annotations

import itertools

import numpy as np
import race

SIZES = {  # units from input to output, batch size, steps per epoch
    "mlp": ((784, 128, 10), 32, 400),
    "tiny": ((64, 32, 10), 32, 400),
    "mlp128": ((784, 128, 10), 128, 200),
    "big": ((784, 1024, 1024, 10), 256, 20),
    "odd": ((100, 37, 11, 3), 17, 400),
}


def workload(units, batch, steps):
    def trainer(threads):
        hidden = [{"type": "dense", "units": n, "activation": "relu"} for n in units[1:-1]]
        layers = [*hidden, {"type": "dense", "units": units[-1], "activation": "softmax"}]
        return race.trainer(layers, units[:1], batch, steps, threads)

    def torch(threads):
        from torch import nn

        layers = [layer for a, b in itertools.pairwise(units) for layer in (nn.Linear(a, b), nn.ReLU())][:-1]
        return race.torch(nn.Sequential(*layers), *race.rows(units[:1], units[-1], batch * steps), batch, threads)

    def jax(threads):
        import jax
        import jax.numpy as jnp

        generator = np.random.default_rng(0)
        weights = [
            (jnp.asarray(generator.normal(0, 0.05, (a, b)), jnp.float32), jnp.zeros(b))
            for a, b in itertools.pairwise(units)
        ]

        def forward(weights, x):
            for kernel, bias in weights[:-1]:
                x = jax.nn.relu(x @ kernel + bias)
            return x @ weights[-1][0] + weights[-1][1]

        return race.jax(weights, forward, *race.rows(units[:1], units[-1], batch * steps), batch)

    terms = sum(a * b for a, b in itertools.pairwise(units)) * 3 - units[0] * units[1]
    title = f"{'-'.join(map(str, units))}, batch {batch}"
    return title, steps, {"trainer": trainer, "torch": torch, "jax": jax}, race.arithmetic_floor(batch * terms)


if __name__ == "__main__":
    race.race(__file__, __doc__.splitlines()[0], {name: workload(*sizes) for name, sizes in SIZES.items()})
