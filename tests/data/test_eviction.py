"""Conversions of mapped data: the least recently used make room for new ones, and none that is in use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from trainer_cli.data import eviction
from trainer_cli.data.prepare import prepare
from trainer_cli.data.sources.npy import Npy
from trainer_cli.errors import ConfigError

ROWS = 25_000
SIZE = 4 * ROWS


@pytest.fixture(autouse=True)
def nothing_in_use(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[int, int], int]:
    """What is converted here is given back at once, as if other processes had done it."""
    held: dict[tuple[int, int], int] = {}
    monkeypatch.setattr(eviction, "_in_use", held)
    return held


def convert(folder: Path, number: int, held: dict[tuple[int, int], int] | None = None) -> Path:
    """The folder of a conversion, which is in use no more unless `held` is left out."""
    np.save(folder / f"{number}.npy", np.full((ROWS, 1), number, np.float32))
    cache = folder / "cache"
    source = Npy(input=f"{number}.npy", memory="mapped")
    (values,) = prepare(source, folder, {}, 0, cache=cache).train.inputs.values()
    assert values[0, 0] == number
    if held is not None:
        while held:
            os.close(held.popitem()[1])
    assert isinstance(values.base, np.memmap)
    return Path(str(values.base.filename)).parent


def used(place: Path, seconds_ago: int) -> None:
    then = (place / "index.json").stat().st_mtime - seconds_ago
    os.utime(place / "index.json", (then, then))


def test_the_least_recently_used_goes(tmp_path: Path, nothing_in_use, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(eviction.LIMIT_VARIABLE, str(3.5 * SIZE / 1e9))
    places = [convert(tmp_path, number, nothing_in_use) for number in range(3)]
    for ago, place in zip((50, 90, 70), places, strict=True):
        used(place, ago)
    # Used again, and so no longer the one that goes first.
    assert convert(tmp_path, 1, nothing_in_use) == places[1]
    last = convert(tmp_path, 3, nothing_in_use)
    assert [place.exists() for place in (*places, last)] == [True, True, False, True]
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {places[0].name, places[1].name, last.name}
    # What went is made again when it is needed.
    assert convert(tmp_path, 2, nothing_in_use) == places[2]
    assert not places[0].exists()


def test_what_this_process_uses_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(eviction.LIMIT_VARIABLE, "0")
    places = [convert(tmp_path, number) for number in range(3)]
    assert all(place.exists() for place in places)


OTHER = """
import sys
from pathlib import Path
from trainer_cli.data.prepare import prepare
from trainer_cli.data.sources.npy import Npy

folder = Path(sys.argv[1])
found = prepare(Npy(input="0.npy", memory="mapped"), folder, {}, 0, cache=folder / "cache")
print("ready", flush=True)
sys.stdin.readline()
"""


def test_what_another_process_uses_stays_until_it_ends(tmp_path: Path, nothing_in_use, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(eviction.LIMIT_VARIABLE, "0")
    first = convert(tmp_path, 0, nothing_in_use)
    command = [sys.executable, "-c", OTHER, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        second = convert(tmp_path, 1, nothing_in_use)
        assert (first.exists(), second.exists()) == (True, True)
        other.communicate("\n")
    third = convert(tmp_path, 2, nothing_in_use)
    assert [place.exists() for place in (first, second, third)] == [False, False, True]


def test_only_conversions_are_removed(tmp_path: Path, nothing_in_use, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(eviction.LIMIT_VARIABLE, "0")
    (tmp_path / "cache" / "mine").mkdir(parents=True)
    (tmp_path / "cache" / "mine" / "index.json").write_text("x" * 10_000)
    (tmp_path / "cache" / "notes.txt").write_text("x" * 10_000)
    convert(tmp_path, 0, nothing_in_use)
    convert(tmp_path, 1, nothing_in_use)
    names = {path.name for path in (tmp_path / "cache").iterdir()}
    assert {"mine", "notes.txt"} < names
    assert len(names) == 3


def test_the_limit_is_fifty_gigabytes_or_what_the_environment_says(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(eviction.LIMIT_VARIABLE, raising=False)
    assert eviction.limit_bytes() == 50 * 10**9
    monkeypatch.setenv(eviction.LIMIT_VARIABLE, "0.5")
    assert eviction.limit_bytes() == 5 * 10**8
    for wrong in ("much", "-1", "nan", "inf"):
        monkeypatch.setenv(eviction.LIMIT_VARIABLE, wrong)
        with pytest.raises(ConfigError, match="TRAINER_DATA_CACHE_GB"):
            eviction.limit_bytes()
