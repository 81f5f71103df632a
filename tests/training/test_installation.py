"""The packages that an installation needs are compared with those that are there."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError

import pytest

from trainer_cli.training import installation

LINES = [
    "numpy>=2.0",
    "pyyaml >=99",
    "nowhere-to-be-found (>=1.0)",
    "pytest>=8.0; extra == 'dev'",
    'nowhere-to-be-found; extra == "dev"',
    "numba; extra == 'fast'",
    "numpy>=99; extra == 'fast'",
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
    monkeypatch.setattr(installation, "_source_lines", lambda folder: [])
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
        installation.Extra("fast", ("numpy",)),
    ]


def test_a_copy_that_nobody_installed_has_no_requirements(monkeypatch, tmp_path):
    def unknown(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(installation.trainer_cli, "__file__", str(tmp_path / "trainer_cli" / "__init__.py"))
    monkeypatch.setattr(installation, "requires", unknown)
    assert [*installation.requirements(), *installation.extras()] == []
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "another"\ndependencies = ["numpy"]\n')
    assert list(installation.requirements()) == []


def test_the_requirements_are_those_of_the_project(root):
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert [extra.name for extra in installation.extras()] == list(project["optional-dependencies"])
    assert all(extra.purpose != "optional" for extra in installation.extras()), "every extra says what it is for"
    asked = [line.partition(">")[0].partition("=")[0] for line in project["dependencies"]]
    assert [package.name for package in installation.requirements()] == asked
