"""Threefry against its published answers, and what the streams made of it promise."""

from __future__ import annotations

import numpy as np
import pytest

from trainer_cli.ir.random import RandomStream, stream_number, threefry

# The answers that Random123 ships for threefry2x32 with 20 rounds: counter, key, result.
KNOWN = [
    ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
]


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_threefry_gives_the_published_answers(
    counter: tuple[int, int], key: tuple[int, int], result: tuple[int, int]
) -> None:
    first, second = (np.array([word], dtype=np.uint32) for word in counter)
    found = threefry(key, first, second)
    assert (int(found[0][0]), int(found[1][0])) == result


def test_a_stream_is_a_function_of_seed_and_path() -> None:
    numbers = RandomStream(7, "initialize", "dense_1/kernel").uniform((5,))
    np.testing.assert_array_equal(numbers, RandomStream(7, "initialize", "dense_1/kernel").uniform((5,)))
    for other in (RandomStream(8, "initialize", "dense_1/kernel"), RandomStream(7, "initialize", "dense_2/kernel")):
        assert not np.isin(other.uniform((5,)), numbers).any()


def test_drawing_in_pieces_gives_the_same_numbers() -> None:
    whole, pieces = RandomStream(1, "x"), RandomStream(1, "x")
    np.testing.assert_array_equal(whole.bits(10), np.concatenate([pieces.bits(3), pieces.bits(7)]))


def test_path_entries_are_kept_apart() -> None:
    assert stream_number("a", "bc") != stream_number("ab", "c")
    assert stream_number("a", 1) == stream_number("a", "1")


def test_seeds_wrap_at_32_bits() -> None:
    np.testing.assert_array_equal(RandomStream(2**32 + 3, "x").bits(4), RandomStream(3, "x").bits(4))


def test_uniform_numbers_fill_the_unit_interval_evenly() -> None:
    numbers = RandomStream(0, "uniform").uniform((100, 1000))
    assert numbers.shape == (100, 1000)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    counts, _ = np.histogram(numbers, bins=20, range=(0, 1))
    # Each bin holds 5000 on average with a deviation of 69.
    assert np.abs(counts - 5000).max() < 5 * 69


def test_normal_numbers_have_the_moments_of_the_normal_distribution() -> None:
    numbers = RandomStream(0, "normal").normal((100_000,))
    moments = [np.mean(numbers**power) for power in (1, 2, 3, 4)]
    np.testing.assert_allclose(moments, [0, 1, 0, 3], atol=0.1)
    assert np.isfinite(numbers).all()


def test_a_permutation_holds_every_index_once_and_moves_most() -> None:
    order = RandomStream(3, "shuffle", 0).permutation(1000)
    np.testing.assert_array_equal(np.sort(order), np.arange(1000))
    assert (order == np.arange(1000)).sum() < 10
    assert not np.array_equal(order, RandomStream(3, "shuffle", 1).permutation(1000))
    assert RandomStream(3, "x").permutation(0).shape == (0,)
