"""The benchmarks' folder on the path, as it is when one of them runs."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def scripts(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
