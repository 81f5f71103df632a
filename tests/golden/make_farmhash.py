"""Writes `farmhash.json` beside itself: fingerprints of texts of every length, as Google's FarmHash computes them.

Not a test and never run by one: it needs an environment with `pyfarmhash`, which wraps the C++ code.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import farmhash

LETTERS = "The quick brown fox jumps over the lazy dog, größer als 5 ÷ 2; "


def main() -> None:
    texts = [(LETTERS * 5)[start : start + length] for length in range(200) for start in (0, length % 50)]
    found = {text: farmhash.fingerprint64(text) for text in texts}
    content = {"source": f"pyfarmhash {version('pyfarmhash')}", "fingerprints": found}
    text = json.dumps(content, indent=0, ensure_ascii=False)
    Path(__file__).with_name("farmhash.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
