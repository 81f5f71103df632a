"""An unquoted text of a YAML file in, the value that it stands for out.

Scalars follow the core schema of YAML 1.2: `1e-3` is a number, `no`, `12:30` and `2024-01-01` are texts, `010` is ten.
"""

from __future__ import annotations

import math
import re
from typing import TypeAlias

Scalar: TypeAlias = bool | int | float | str | None

MAX_DIGITS = 1000  # Python refuses to print integers of more than 4300 digits

_DECIMAL = frozenset("0123456789+-.eE")
_OTHER_BASE = r"0o[0-7]+|0x[0-9a-fA-F]+"
_INFINITY = r"[-+]?\.(inf|Inf|INF)"
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}


def resolve_scalar(text: str) -> Scalar:
    """The value of an unquoted scalar; ValueError for a number that cannot be held."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if not _DECIMAL.issuperset(text):
        if re.fullmatch(_INFINITY, text):
            return -math.inf if text[0] == "-" else math.inf
        if not re.fullmatch(_OTHER_BASE, text):
            return text
        _refuse_length(text)
        return int(text, 8 if text[1] == "o" else 16)
    try:
        number = float(text)  # of texts of these characters Python takes the same ones for numbers as YAML does
    except ValueError:
        return text
    _refuse_length(text)
    if text.lstrip("+-").isdigit():
        return int(text)
    if math.isinf(number):
        raise ValueError(f"the number {text} is too large")
    return number


def _refuse_length(number: str) -> None:
    if len(number) > MAX_DIGITS:
        raise ValueError(f"a number of {len(number)} digits is too long")
