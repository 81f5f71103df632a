"""The profile of a recurrent network: kernels inside of the loop over time are counted at every step of it."""

from __future__ import annotations

import numpy as np

from trainer_cli.config.load import load
from trainer_cli.training.profile import profile_phase

ROWS, TIME, FEATURES, UNITS, CLASSES = 24, 5, 3, 32, 2
CONFIG = """
name: waves
data: {type: npz, path: waves.npz}
architecture:
  - {type: lstm, units: 32}
  - {type: dense, units: 2, activation: softmax}
optimizer: adam
loss: sparse_categorical_crossentropy
fit: {batch_size: 24}
"""


def test_work_inside_of_loops_is_counted_at_every_step_of_time(tmp_path):
    generator = np.random.default_rng(0)
    rows = generator.random((ROWS, TIME, FEATURES), dtype=np.float32)
    np.savez(tmp_path / "waves.npz", x=rows, y=generator.integers(0, CLASSES, ROWS))
    (tmp_path / "config.yaml").write_text(CONFIG)
    found = profile_phase(load(tmp_path / "config.yaml"), threads=1, steps=10)
    # A product with the recurrent kernel at every step of time, and one for its gradient and one for that of the state
    # before; the input's product and its gradient; the output's three.
    products = 3 * TIME * UNITS * 4 * UNITS + 2 * TIME * FEATURES * 4 * UNITS + 3 * UNITS * CLASSES
    assert 0.8 < 2 * ROWS * products / found.operations < 1
    loops = [kernel for kernel in found.kernels if kernel.operations >= 2 * ROWS * TIME * UNITS * 4 * UNITS]
    assert len(loops) >= 3
    assert all(kernel.seconds > 0 for kernel in loops)
    assert {"lstm_1: loop, contract"} <= {kernel.kernel for kernel in loops}
    assert sum(kernel.seconds for kernel in found.kernels) > 0.2 * found.seconds
    assert found.floor < found.seconds
