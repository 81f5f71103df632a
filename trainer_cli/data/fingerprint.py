"""A text in, a 64-bit number that is the same everywhere and always out: FarmHash's fingerprint, as TensorFlow has it.

Geoff Pike, "FarmHash", 2014: `Fingerprint64`, on which `tf.strings.to_hash_bucket_fast` and the layer `Hashing` build.
"""

from __future__ import annotations

_MASK = (1 << 64) - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def hashed(text: str, num_bins: int) -> int:
    """A text's number from 0 on, below `num_bins`: its fingerprint's remainder."""
    return fingerprint(text.encode()) % num_bins


def fingerprint(data: bytes) -> int:
    """The fingerprint of any number of bytes, an unsigned number of 64 bits."""
    length = len(data)
    if length <= 16:
        return _up_to_16(data, length)
    if length <= 32:
        return _up_to_32(data, length)
    return _up_to_64(data, length) if length <= 64 else _longer(data, length)


def _up_to_16(data: bytes, length: int) -> int:
    factor = _K2 + length * 2
    if length >= 8:
        first, last = _word(data, 0) + _K2, _word(data, length - 8)
        one = _turned(last, 37) * factor + first
        return _mixed(one, (_turned(first, 25) + last) * factor, factor)
    if length >= 4:
        return _mixed(length + (_half(data, 0) << 3), _half(data, length - 4), factor)
    if length:
        low = data[0] + (data[length >> 1] << 8)
        return _folded((low * _K2 ^ (length + (data[-1] << 2)) * _K0) & _MASK) * _K2 & _MASK
    return _K2


def _up_to_32(data: bytes, length: int) -> int:
    factor = _K2 + length * 2
    a, b = _word(data, 0) * _K1, _word(data, 8)
    c, d = _word(data, length - 8) * factor, _word(data, length - 16) * _K2
    return _mixed(_turned(a + b, 43) + _turned(c, 30) + d, a + _turned(b + _K2, 18) + c, factor)


def _up_to_64(data: bytes, length: int) -> int:
    factor = _K2 + length * 2
    a, b = _word(data, 0) * _K2, _word(data, 8)
    c, d = _word(data, length - 8) * factor, _word(data, length - 16) * _K2
    y = _turned(a + b, 43) + _turned(c, 30) + d
    z = _mixed(y, a + _turned(b + _K2, 18) + c, factor)
    e, f = _word(data, 16) * factor, _word(data, 24)
    g, h = (y + _word(data, length - 32)) * factor, (z + _word(data, length - 24)) * factor
    return _mixed(_turned(e + f, 43) + _turned(g, 30) + h, e + _turned(f + a, 18) + g, factor)


def _longer(data: bytes, length: int) -> int:
    """Blocks of 64 bytes, whole ones from the front and the last 64, which may overlap them."""
    seed = 81
    x, y = seed, (seed * _K1 + 113) & _MASK
    z = _folded((y * _K2 + 113) & _MASK) * _K2 & _MASK
    v = w = (0, 0)
    x = (x * _K2 + _word(data, 0)) & _MASK
    last = (length - 1) // 64 * 64
    for at in range(0, last, 64):
        x = _turned(x + y + v[0] + _word(data, at + 8), 37) * _K1 & _MASK
        y = _turned(y + v[1] + _word(data, at + 48), 42) * _K1 & _MASK
        x ^= w[1]
        y = (y + v[0] + _word(data, at + 40)) & _MASK
        z = _turned(z + w[0], 33) * _K1 & _MASK
        v = _block(data, at, v[1] * _K1, x + w[0])
        w = _block(data, at + 32, z + w[1], y + _word(data, at + 16))
        z, x = x, z
    factor = (_K1 + ((z & 0xFF) << 1)) & _MASK
    at = length - 64
    w = (w[0] + ((length - 1) & 63)) & _MASK, w[1]
    v = (v[0] + w[0]) & _MASK, v[1]
    w = (w[0] + v[0]) & _MASK, w[1]
    x = _turned(x + y + v[0] + _word(data, at + 8), 37) * factor & _MASK
    y = _turned(y + v[1] + _word(data, at + 48), 42) * factor & _MASK
    x ^= w[1] * 9 & _MASK
    y = (y + v[0] * 9 + _word(data, at + 40)) & _MASK
    z = _turned(z + w[0], 33) * factor & _MASK
    v = _block(data, at, v[1] * factor, x + w[0])
    w = _block(data, at + 32, z + w[1], y + _word(data, at + 16))
    z, x = x, z
    one = _mixed(v[0], w[0], factor) + _folded(y) * _K0 + z
    return _mixed(one, _mixed(v[1], w[1], factor) + x, factor)


def _block(data: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    """32 bytes and two numbers, together as two numbers."""
    first, second, third, fourth = (_word(data, at + place) for place in (0, 8, 16, 24))
    a += first
    b = _turned(b + a + fourth, 21)
    sums = a + second + third
    return (sums + fourth) & _MASK, (b + _turned(sums, 44) + a) & _MASK


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _half(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _turned(x: int, bits: int) -> int:
    """The lowest 64 bits, rotated to the right."""
    x &= _MASK
    return (x >> bits | x << (64 - bits)) & _MASK


def _folded(x: int) -> int:
    return x ^ x >> 47


def _mixed(one: int, other: int, factor: int) -> int:
    """Two numbers as one, each of its bits depending on all of theirs."""
    a = _folded(((one ^ other) & _MASK) * factor & _MASK)
    return _folded(((other ^ a) & _MASK) * factor & _MASK) * factor & _MASK
