"""What tests of parts share: the values that Keras computes for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def keras() -> dict[str, Any]:
    """What `tests/golden/make_keras_parts.py` wrote."""
    content: dict[str, Any] = json.loads((Path(__file__).parent.parent / "golden" / "keras_parts.json").read_text())
    return content
