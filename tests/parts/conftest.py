"""What tests of parts share: the values that Keras computes for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def keras() -> dict[str, Any]:
    """What `tests/golden/make_keras_parts.py` and `make_keras_functions.py` wrote."""
    golden = Path(__file__).parent.parent / "golden"
    content: dict[str, Any] = json.loads((golden / "keras_parts.json").read_text())
    more: dict[str, Any] = json.loads((golden / "keras_functions.json").read_text())
    for family in ("activations", "regularizers"):
        content[family] += more[family]
    return content
