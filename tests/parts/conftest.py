"""What tests of parts share: the values that Keras computes for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def keras() -> dict[str, Any]:
    """What `tests/golden/make_keras_parts.py`, `make_keras_functions.py` and `make_keras_measures.py` wrote."""
    golden = Path(__file__).parent.parent / "golden"
    content: dict[str, Any] = json.loads((golden / "keras_parts.json").read_text())
    for name in ("functions", "measures"):
        more: dict[str, Any] = json.loads((golden / f"keras_{name}.json").read_text())
        for family in more.keys() - {"source"}:
            content[family] += more[family]
    return content
