"""Random numbers in native code: seed, stream, step and element in, a number as `ir.random` defines it out."""

from __future__ import annotations

import numpy as np

from trainer_cli.ir.random import PARITY, ROTATIONS
from trainer_cli.targets.cpu.intrinsics import inline_attributes
from trainer_cli.targets.cpu.linking import linked

_FIRST_ROTATIONS = tuple(np.uint32(rotation) for rotation in ROTATIONS[:4])
_LAST_ROTATIONS = tuple(np.uint32(rotation) for rotation in ROTATIONS[4:])
_PARITY = np.uint32(PARITY)
_SCALE = np.float32(2.0**-24)


@linked
def _round(x, y, rotation):
    """One round: add, rotate, exclusive or."""
    inline_attributes()
    x = np.uint32(x + y)
    y = np.uint32((y << rotation) | (y >> (np.uint32(32) - rotation)))
    return x, np.uint32(y ^ x)


@linked
def _four_rounds(x, y, rotations):
    inline_attributes()
    x, y = _round(x, y, rotations[0])
    x, y = _round(x, y, rotations[1])
    x, y = _round(x, y, rotations[2])
    return _round(x, y, rotations[3])


@linked
def random_uniform(seed, stream, step, element):
    """24 bits of Threefry-2x32 with 20 rounds under the key (seed, stream) at the counter (step, element)."""
    inline_attributes()
    key_0 = np.uint32(seed)
    key_1 = np.uint32(stream)
    key_2 = np.uint32(key_0 ^ key_1 ^ _PARITY)
    x = np.uint32(np.uint32(step) + key_0)
    y = np.uint32(np.uint32(element) + key_1)
    x, y = _four_rounds(x, y, _FIRST_ROTATIONS)
    x, y = np.uint32(x + key_1), np.uint32(y + key_2 + np.uint32(1))
    x, y = _four_rounds(x, y, _LAST_ROTATIONS)
    x, y = np.uint32(x + key_2), np.uint32(y + key_0 + np.uint32(2))
    x, y = _four_rounds(x, y, _FIRST_ROTATIONS)
    x, y = np.uint32(x + key_0), np.uint32(y + key_1 + np.uint32(3))
    x, y = _four_rounds(x, y, _LAST_ROTATIONS)
    x, y = np.uint32(x + key_1), np.uint32(y + key_2 + np.uint32(4))
    x, y = _four_rounds(x, y, _FIRST_ROTATIONS)
    return np.float32(np.int32(np.uint32(x + key_2) >> np.uint32(8))) * _SCALE
