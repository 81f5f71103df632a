"""A file of JSON lines or a running text in; what its rows are and what is to be predicted out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from trainer_cli.data.files import nearest, shown
from trainer_cli.data.outline import Key, Kind, Outline, Wanted, wanted_of
from trainer_cli.data.vocabulary import WORD
from trainer_cli.errors import DataError
from trainer_cli.lazy import np

Named = Callable[[Path], str]

_ROWS_LOOKED_AT = 20_000
_TARGETS = ("target", "targets", "label", "labels", "class", "y", "output")
_MOST_STEPS = 512
_MOST_WORDS = 10_000
_WINDOW = 64
_FEWEST_CHARACTERS = 2
_MOST_LOADED = 1 << 27
"""Characters of a text that is loaded into memory, where its windows take some 16 bytes for each."""


def json_lines_outline(path: Path, target: str | None, named: Named) -> Outline:
    """The keys of the rows of a file. Raises DataError if inputs and target cannot be told apart."""
    from trainer_cli.data.sources.json_lines import records_of

    records = [record for _, record in islice(records_of(path), _ROWS_LOOKED_AT)]
    if not records:
        raise DataError(f"{path}: holds no rows")
    everywhere = [key for key in records[0] if all(key in record for record in records)]
    target = target or next((key for key in _TARGETS if key in everywhere), None)
    if target is None:
        raise DataError(f"{path}: which key is to be predicted?", hint=f"--target, one of: {', '.join(everywhere)}")
    if target not in everywhere:
        hint = nearest(target, everywhere, "keys")
        raise DataError(f"{path}: not every row has a key `{target}`", hint=hint)
    kinds = {key: _looks([record[key] for record in records]) for key in everywhere if key != target}
    long = [key for key, kind in kinds.items() if kind in ("words", "numbers", "vectors")]
    plain = [key for key, kind in kinds.items() if kind == "number"]
    if not long and not plain:
        raise DataError(f"{path}: no key is left to predict `{target}` from")
    input_keys = long[:1] or plain
    left_out = [key for key in kinds if key not in input_keys]
    notes = (f"Left out: {', '.join(shown(key)[1:-1] for key in left_out)}",) if left_out else ()
    keys = {"path": Key(named(path)), "input": Key(input_keys[0] if long else input_keys), "target": Key(target)}
    about = f"`{shown(target)[1:-1]}` of the rows of {path.name}"
    answers = [record[target] for record in records]
    if not long:
        wanted = wanted_of(_array(answers, path, target), (), f"{path}, key `{target}`")
        return Outline("json_lines", about, len(records), "vector", (len(plain),), wanted, keys, notes=notes)
    return _of_lists(
        [record[long[0]] for record in records], answers, kinds[long[0]], keys, about, path, target
    )._replace(notes=notes)


def _looks(values: list[Any]) -> str:
    """What the values of a key are: words, a number, or lists of numbers or of vectors."""
    some: Any = next((value for value in values if value != []), [])
    if isinstance(some, str) or (isinstance(some, list) and some and isinstance(some[0], str)):
        texts = {value for value in values if isinstance(value, str)}
        few = len(texts) <= max(2, len(values) // 10) and all(isinstance(value, str) for value in values)
        return "category" if few else "words"
    if isinstance(some, bool | int | float):
        return "number"
    if isinstance(some, list) and some and isinstance(some[0], int | float):
        return "numbers"
    if (
        isinstance(some, list)
        and some
        and isinstance(some[0], list)
        and some[0]
        and isinstance(some[0][0], int | float)
    ):
        return "vectors"
    return "other"


def _of_lists(
    values: list[Any], answers: list[Any], looks: str, keys: Mapping[str, Key], about: str, path: Path, target: str
) -> Outline:
    """The outline of rows with lists, which become rows of one length."""
    if looks == "words":
        values = [WORD.findall(value) if isinstance(value, str) else value for value in values]
    lengths = sorted(len(value) for value in values)
    length = min(_MOST_STEPS, max(2, lengths[math.ceil(0.95 * len(lengths)) - 1]))
    more = {}
    spread = f"the lists hold {lengths[0]} to {lengths[-1]}"
    per_step = all(
        isinstance(answer, list) and len(answer) == len(value) for answer, value in zip(answers, values, strict=True)
    )
    where = f"{path}, key `{target}`"
    if per_step:
        more["pad_target"] = Key(True, "a class for every step, padded like the input")
        flat = _array([each for answer in answers for each in answer], path, target)
        wanted = wanted_of(flat, (), where)._replace(places=True)
        if wanted.classes is None:
            raise DataError(f"{where}: holds numbers for every step, for which `init` has no template")
    else:
        wanted = wanted_of(_array(answers, path, target), (), where)
    sequence = Key({"length": length, "padding": "post", "truncating": "post"}, f"steps; {spread}")
    shape: tuple[int, ...] = (length,)
    kind: Kind = "sequence"
    tokens = None
    if looks == "words":
        distinct = len({token for value in values for token in value}) + 2
        tokens = min(_MOST_WORDS, distinct)
        more["vocabulary_size"] = Key(tokens, "the most frequent tokens; 0 is padding, 1 any other")
        kind = "tokens"
    elif looks == "vectors":
        shape = (length, len(next(value for value in values if value)[0]))
    else:
        whole = all(isinstance(item, int) and item >= 0 for value in values for item in value)
        if lengths[0] == lengths[-1] and not per_step and not whole:
            return Outline("json_lines", about, len(values), "vector", (lengths[0],), wanted, keys)
        if whole:
            kind, tokens = "tokens", max(item for value in values for item in value) + 1
    return Outline(
        "json_lines",
        about,
        len(values),
        kind,
        shape,
        wanted,
        {**keys, "sequence": sequence, **more},
        tokens,
    )


def _array(answers: list[Any], path: Path, target: str) -> np.ndarray:
    try:
        values = np.asarray(answers)
    except ValueError:  # lists of different lengths
        values = np.empty(0, object)
    if values.dtype.kind not in "iubfU" or (values.dtype.kind == "U" and not all(isinstance(a, str) for a in answers)):
        raise DataError(f"{path}, key `{target}`: expected a number or a class in every row")
    return values.astype(np.int64) if values.dtype.kind == "b" else values


def text_outline(path: Path, named: Named) -> Outline:
    """A running text, of which the next character is foretold. Raises DataError."""
    from trainer_cli.data.tokens import characters_of

    distinct, total = characters_of([path])
    if total < _FEWEST_CHARACTERS:
        raise DataError(f"{path}: has {total:,} characters, too few to foretell one from others")
    tokens = distinct + 2
    # The smallest part, a tenth, holds at least four windows.
    length = min(_WINDOW, max(2, total // 50))
    keys = {
        "path": Key(named(path)),
        "unit": Key("character", "or word, byte"),
        "length": Key(length, "characters in a window"),
        "stride": Key(max(1, length // 2), "from the beginning of a window to that of the next"),
        "vocabulary_size": Key(tokens, "all characters of the text; 0 is padding, 1 any other"),
    }
    if total > _MOST_LOADED:
        keys["memory"] = Key("mapped", "converted into files once, and not loaded: the text is large")
    about = f"the next character of {path.name}, {total:,} characters"
    return Outline(
        "text", about, total // max(1, length // 2), "text", (length,), Wanted(tokens, places=True), keys, tokens
    )
