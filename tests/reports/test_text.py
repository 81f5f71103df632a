"""Numbers become words as people write them."""

from __future__ import annotations

import math

import pytest

from trainer_cli.reports import text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0"),
        (0.043212, "0.04321"),
        (0.99996, "1.000"),
        (1.5, "1.500"),
        (123.456, "123.5"),
        (12345.6, "12,346"),
        (0.000012345, "1.234e-05"),
        (-0.5, "-0.5000"),
        (123456789.0, "1.235e+08"),
        (1797, "1,797"),
        (None, "-"),
        (math.nan, "nan"),
        (math.inf, "inf"),
    ],
)
def test_number(value, expected):
    assert text.number(value) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.00034, "340 µs"),
        (0.0123, "12 ms"),
        (0.99996, "1.0 s"),
        (1.23, "1.2 s"),
        (9.96, "10 s"),
        (59.7, "1 min 00 s"),
        (185, "3 min 05 s"),
        (7620, "2 h 07 min"),
    ],
)
def test_duration(seconds, expected):
    assert text.duration(seconds) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(96, "96 B"), (999.9, "1.00 kB"), (81200, "81.2 kB"), (812000, "812 kB"), (4.1e6, "4.10 MB"), (5e15, "5,000 TB")],
)
def test_amount(value, expected):
    assert text.amount(value, "B") == expected


def test_shape_names_the_batch_axis():
    assert text.shape((8, 8)) == "(batch, 8, 8)"
    assert text.shape(()) == "(batch)"


def test_epoch_line_shows_every_measure_and_no_counter():
    record = {
        "phase": 1,
        "epoch": 3,
        "steps": 40,
        "seconds": 0.4,
        "learning_rate": 0.002,
        "loss": 0.12345,
        "val_loss": 1.5,
    }
    assert text.epoch_line(record, 20, True) == "epoch 3/20  loss 0.1235  val_loss 1.500  400 ms  best"
