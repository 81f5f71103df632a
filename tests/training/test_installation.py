"""The packages that an installation needs are compared with those that are there."""

from __future__ import annotations

import pytest

from trainer_cli.training import installation

LINES = [
    "numpy>=2.0",
    "pyyaml >=99",
    "nowhere-to-be-found (>=1.0)",
    "pytest>=8.0; extra == 'dev'",
    'nowhere-to-be-found; extra == "dev"',
    "numba; extra == 'fast'",
]


@pytest.mark.parametrize(
    ("version", "bounds", "expected"),
    [
        ("0.68.1", ">=0.68,<0.70", True),
        ("0.70", ">=0.68,<0.70", False),
        ("0.70.0", "<0.70", False),
        ("0.9", ">=0.68", False),
        ("2.0.0rc1", ">=2.0", True),
        ("1.2.3", "==1.2.3", True),
        ("1.2.3", "!=1.2.3", False),
        ("1.2", ">1.2", False),
        ("1.2", "~=1.2", True),
        ("1.2", "", True),
    ],
)
def test_bounds(version, bounds, expected):
    assert installation.fits(version, bounds) is expected


def test_needed_packages_and_extras(monkeypatch):
    monkeypatch.setattr(installation, "requires", lambda name: LINES)
    found = {package.name: package for package in installation.requirements()}
    assert list(found) == ["numpy", "pyyaml", "nowhere-to-be-found"]
    assert found["numpy"].problem is None
    assert found["pyyaml"].problem is not None
    assert ">=99 is needed" in found["pyyaml"].problem
    assert found["nowhere-to-be-found"].problem == "not installed"
    assert found["nowhere-to-be-found"].fix == "pip install 'nowhere-to-be-found>=1.0'"
    assert installation.extras() == [
        installation.Extra("dev", ("nowhere-to-be-found",)),
        installation.Extra("fast", ()),
    ]
