"""Installed packages: names in, the versions that the reader of metadata finds too."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from trainer_cli.targets import installed


@pytest.fixture
def fresh() -> None:
    installed._versions.cache_clear()


@pytest.mark.parametrize(
    "name", ["numpy", "numba", "llvmlite", "safetensors", "typing_extensions", "typing-extensions"]
)
def test_the_version_is_the_one_of_the_metadata(name: str, fresh: None) -> None:
    assert installed.installed_version(name) == version(name)


def test_of_a_package_that_is_not_there_nothing_is_known(fresh: None) -> None:
    assert installed.installed_version("no-such-package") is None


def test_the_first_folder_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh: None) -> None:
    for folder, number in (("one", "1.0+local"), ("two", "2.0")):
        (tmp_path / folder / f"Some_Package-{number}.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path / "two")
    monkeypatch.syspath_prepend(tmp_path / "one")
    assert installed.installed_version("some.package") == "1.0+local"
    installed._versions.cache_clear()


def test_a_package_without_such_a_folder_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh: None
) -> None:
    (tmp_path / "older.egg-info").mkdir()
    (tmp_path / "older.egg-info" / "PKG-INFO").write_text("Name: older\nVersion: 0.5\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert installed.installed_version("older") == "0.5"
    installed._versions.cache_clear()
