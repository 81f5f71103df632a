"""What every test runs under: a compilation cache of its own, kept between runs, and no settings of the user's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
os.environ["TRAINER_CACHE_DIR"] = str(ROOT / ".cache" / "tests")
for name in ("CI", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM"):
    os.environ.pop(name, None)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's folder."""
    return ROOT


@pytest.fixture(autouse=True)
def cores_for_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let first calls use all threads that a test asks for, on machines with fewer cores too."""
    monkeypatch.setattr("trainer_cli.targets.cpu.executable.available_cores", lambda: 64)


@pytest.fixture
def passes_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """No plan is stored or found: a test that changes a pass runs it, and leaves what it makes to nobody."""
    monkeypatch.setattr("trainer_cli.targets.cpu.stored_plan.stored_place", lambda *_: None)
