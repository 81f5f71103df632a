"""Counter-based random numbers: a key and a counter in, 32 random bits out, the same on every machine and thread.

Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011).
"""

from __future__ import annotations

from typing import Any, TypeAlias

from trainer_cli.lazy import NDArray, np

ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
PARITY = 0x1BD11BDA
ROUNDS = 20

Words: TypeAlias = "NDArray[np.uint32]"


def threefry(key: tuple[int, int], counter_0: Words, counter_1: Words) -> tuple[Words, Words]:
    """Two random words per counter. Counters are uint32 arrays of one shape; the key is two 32-bit integers."""
    with np.errstate(over="ignore"):
        keys = [np.uint32(key[0]), np.uint32(key[1])]
        keys.append(keys[0] ^ keys[1] ^ np.uint32(PARITY))
        x0 = (counter_0 + keys[0]).astype(np.uint32)
        x1 = (counter_1 + keys[1]).astype(np.uint32)
        for round_index in range(ROUNDS):
            rotation = np.uint32(ROTATIONS[round_index % 8])
            x0 = x0 + x1
            x1 = (x1 << rotation) | (x1 >> np.uint32(32 - rotation))
            x1 = x1 ^ x0
            if round_index % 4 == 3:
                injection = round_index // 4 + 1
                x0 = x0 + keys[injection % 3]
                x1 = x1 + keys[(injection + 1) % 3] + np.uint32(injection)
        return x0, x1


def stream_number(*path: str | int) -> int:
    """A 32-bit number that identifies a stream by its path, e.g. `("initialize", "dense_1/kernel")`."""
    text = "\x1f".join(map(str, path))
    import hashlib

    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")


class RandomStream:
    """An endless sequence of numbers that is a function of the seed and the path alone."""

    def __init__(self, seed: int, *path: str | int) -> None:
        self._key = (seed & 0xFFFFFFFF, stream_number(*path))
        self._position = 0

    def _words(self, count: int) -> tuple[Words, Words]:
        index = np.arange(self._position, self._position + count, dtype=np.uint64)
        self._position += count
        low = (index & np.uint64(0xFFFFFFFF)).astype(np.uint32)
        high = (index >> np.uint64(32)).astype(np.uint32)
        return threefry(self._key, low, high)

    def bits(self, count: int) -> Words:
        """The next `count` words of 32 random bits."""
        return self._words(count)[0]

    def uniform(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Numbers in [0, 1) with 53 random bits."""
        count = int(np.prod(shape, dtype=np.int64))
        first, second = self._words(count)
        high = (first >> np.uint32(5)).astype(np.float64)
        low = (second >> np.uint32(6)).astype(np.float64)
        return ((high * 67108864.0 + low) / 9007199254740992.0).reshape(shape)

    def normal(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Standard normal numbers (Box and Muller, 1958)."""
        radius = np.sqrt(-2.0 * np.log1p(-self.uniform(shape)))
        return radius * np.cos(2.0 * np.pi * self.uniform(shape))

    def permutation(self, count: int) -> NDArray[np.int64]:
        """A random order of `0 … count − 1`: the order of random 64-bit keys, ties by position."""
        first, second = self._words(count)
        keys = (first.astype(np.uint64) << np.uint64(32)) | second.astype(np.uint64)
        order: NDArray[Any] = np.argsort(keys, kind="stable")
        return order.astype(np.int64)
