"""pydantic's errors and a source tree in; problems in plain words, each with its place and a hint, out.

A message names the path as `--set` spells it, what was read and what was expected. Nothing of pydantic's wording shows.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from trainer_cli.config.fields import declared_keys, elsewhere, owner_of
from trainer_cli.config.references import nearest, show_path
from trainer_cli.config.scalars import resolve_scalar
from trainer_cli.config.source import ConfigPath, Node, SourceTree
from trainer_cli.errors import Place, Problem
from trainer_cli.parts.families import FAMILIES, plain_key, snake_case
from trainer_cli.parts.part import Part

if TYPE_CHECKING:
    from trainer_cli.parts.left_out import LeftOut

_EXPECTED = {
    "int_type": "an integer",
    "int_from_float": "an integer",
    "int_parsing": "an integer",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "string_type": "a text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "none_required": "nothing",
    "path_type": "a path",
    "string_pattern_mismatch": "another text",
}
_BOUNDS = {
    "greater_than": ("gt", "a number greater than"),
    "greater_than_equal": ("ge", "a number of at least"),
    "less_than": ("lt", "a number less than"),
    "less_than_equal": ("le", "a number of at most"),
    "multiple_of": ("multiple_of", "a multiple of"),
}
# What other tools call a key → what it is called here.
_OTHER_NAMES = {
    "lr": "learning_rate",
    "learn_rate": "learning_rate",
    "model": "architecture",
    "network": "architecture",
    "layers": "architecture",
    "dataset": "data",
    "train": "fit",
    "training": "fit",
    "trainer": "fit",
    "criterion": "loss",
    "objective": "loss",
    "num_epochs": "epochs",
    "n_epochs": "epochs",
    "max_epochs": "epochs",
    "batch": "batch_size",
    "random_seed": "seed",
    "random_state": "seed",
    "file": "path",
    "filename": "path",
    "activation_function": "activation",
    "neurons": "units",
    "class_name": "type",
    "kind": "type",
}
# The same for keys whose meaning is written in another way here.
_OTHER_WAYS = {
    "weighted_metrics": "write `{type: accuracy, weighted: true}` among the `metrics`",
    "sample_weights": "name the column or array under `data`: `sample_weight: …`",
}
_FORMS = ("(single)", "(by output)")  # what the schema calls the forms of a field, which are no steps of a path
_SHOWN = 60  # characters of a value that a message quotes
_QUOTED = 100  # characters of a line that are quoted
_LINE = 1500  # characters of a line of a message
_PROBLEMS = 100  # problems that are told
_ERRORS = 2000  # errors that are made problems; some problems have several


@dataclass(frozen=True)
class _Error:
    """One of pydantic's errors with where it stands in the source."""

    kind: str
    location: ConfigPath
    context: Mapping[str, Any]
    path: ConfigPath  # as the file spells it; for an unknown or missing key, its owner's
    node: Node
    branch: ConfigPath | None  # where a union was entered: errors of its other branches have the same


def problems_of(error: ValidationError, tree: SourceTree, model: type[BaseModel]) -> list[Problem]:
    """Every error as a Problem with its place, in the order of the file; of very many, the first."""
    errors = [_located(each, tree) for each in error.errors(include_url=False)[:_ERRORS]]
    problems: list[Problem] = []
    seen: set[ConfigPath] = set()
    for each in errors:
        if each.branch is None:
            problems.append(_problem(each, tree, model))
        elif each.branch not in seen:
            seen.add(each.branch)
            problems += _union_problems([other for other in errors if other.branch == each.branch], tree, model)
    return in_order(problems)


def _located(details: Any, tree: SourceTree) -> _Error:
    kind, steps = details["type"], details["loc"]
    # A key that is refused is the user's, whatever it looks like.
    keys = len(steps) - (kind == "extra_forbidden")
    location = tuple(step for place, step in enumerate(steps) if step not in _FORMS or place >= keys)
    at = location[:-1] if kind in ("extra_forbidden", "missing") else location
    path, node, _ = tree.find(at)
    branch = None
    for length, step in enumerate(at):
        before, above, _ = tree.find(at[:length])
        if tree.find(at[: length + 1])[0] == before and not (step == "layers" and isinstance(above.value, list)):
            branch = before
            break
    return _Error(kind, location, details.get("ctx", {}), path, node, branch)


def _union_problems(errors: Sequence[_Error], tree: SourceTree, model: type[BaseModel]) -> list[Problem]:
    """One value was refused by every form that it may have: tell of the form that came furthest, else of all."""

    def progress(error: _Error) -> int:
        return 2 * len(error.path) + (error.kind not in _EXPECTED and error.kind != "part_expected")

    furthest = max(map(progress, errors))
    best = [error for error in errors if progress(error) == furthest]
    expected = list(dict.fromkeys(filter(None, (_expected(error) for error in best))))
    if len(best) > 1 and len(expected) == len({error.kind for error in best}) and _same_path(best):
        message = f"expected {' or '.join(expected)}, got {show_value(best[0].node.value)}"
        return [_make(best[0], tree, message, None)]
    return [_problem(error, tree, model) for error in best]


def _same_path(errors: Sequence[_Error]) -> bool:
    return len({error.path for error in errors}) == 1


def _problem(error: _Error, tree: SourceTree, model: type[BaseModel]) -> Problem:
    if error.kind == "extra_forbidden":
        return _unknown_key(error, tree, model)
    if error.kind == "missing":
        return _missing_key(error, tree, model)
    if error.kind == "part_type_missing":
        return _make(error, tree, str(error.context["message"]), _part_hint(error))
    expected = _expected(error)
    if expected:
        hint = error.context.get("hint") or _value_hint(error)
        return _make(error, tree, f"expected {expected}, got {show_value(error.node.value)}", hint)
    if "message" in error.context:
        return _make(error, tree, str(error.context["message"]), error.context.get("hint"))
    if error.kind in ("value_error", "assertion_error"):
        return _make(error, tree, str(error.context["error"]), None)
    return _make(error, tree, f"{show_value(error.node.value)} is not possible here", None)


def _make(error: _Error, tree: SourceTree, message: str, hint: str | None) -> Problem:
    prefix = f"{show_path(error.path)}: " if error.path else ""
    place = tree.place(error.location) if error.branch is None else None
    return Problem(prefix + message, error.location, hint, place or error.node.place)


def _expected(error: _Error) -> str | None:
    """What should have stood there, or None if the error is of another nature."""
    kind, context = error.kind, error.context
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"{words} {context[name]:g}" if isinstance(context[name], float) else f"{words} {context[name]}"
    if kind == "literal_error":
        return "one of " + ", ".join(f"`{choice}`" for choice in _choices(error))
    if kind in ("too_short", "too_long"):
        bound, number = ("at least", "min_length") if kind == "too_short" else ("at most", "max_length")
        return f"a list of {bound} {context[number]}"
    if kind in ("string_too_short", "string_too_long"):
        short = kind == "string_too_short"
        if short and context["min_length"] == 1:
            return "a text that is not empty"
        bound = f"at least {context['min_length']}" if short else f"at most {context['max_length']}"
        return f"a text of {bound} characters"
    if kind == "part_expected":
        return str(context["message"]).removeprefix("expected ")
    return None


def _choices(error: _Error) -> list[str]:
    return [text or number for text, number in re.findall(r"'([^']*)'|(-?\d+)", error.context["expected"])]


def _value_hint(error: _Error) -> str | None:
    """How the value that was read becomes the one that was expected, where that can be guessed."""
    value, kind = error.node.value, error.kind
    if kind == "literal_error" and isinstance(value, str):
        near = nearest(snake_case(value), _choices(error))
        return f"did you mean `{near}`?" if near else None
    if value is None:
        return "give a value, or leave the key out"
    if kind in ("int_type", "int_from_float") and isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return f"write {int(value)}"
    if kind in ("int_type", "float_type") and isinstance(value, str):
        return "remove the quotes" if isinstance(_without_quotes(value), (int, float)) else None
    if kind == "bool_type" and str(value).lower() in ("yes", "no", "on", "off", "1", "0"):
        return "write " + ("true" if str(value).lower() in ("yes", "on", "1") else "false")
    if kind == "string_type" and not isinstance(value, (dict, list)):
        return f'write it in quotes: "{show_scalar(value)}"'
    if kind in ("list_type", "tuple_type") and isinstance(value, str) and value.isprintable():
        return f"write [{value}]" if len(value) < _SHOWN else None
    if kind in ("list_type", "tuple_type") and isinstance(value, dict) and "type" in value:
        return "begin the entry with `- `, or put it in [ ]"
    return None


def _without_quotes(text: str) -> Any:
    try:
        return resolve_scalar(text.strip())
    except ValueError:
        return text


def _part_hint(error: _Error) -> str | None:
    """For `- dense: {units: 3}` and other ways of naming a part without `type`."""
    value = error.node.value
    family = next(family for family in FAMILIES if family.noun == error.context["family"])
    if not isinstance(value, dict):
        return None
    for key, item in value.items():
        if _OTHER_NAMES.get(key) == "type" and isinstance(item.value, str):
            return f"write `type: {item.value}`"
        name = family.canonical(key)
        if name is not None:
            return f"write `type: {name}` and its arguments beside it"
    return None


def _unknown_key(error: _Error, tree: SourceTree, model: type[BaseModel]) -> Problem:
    key = str(error.location[-1])
    owner, noun = owner_of(error.location[:-1], tree, model)
    known = list(declared_keys(owner, noun)) if owner else []
    plain = plain_key(key)
    given = error.node.value if isinstance(error.node.value, dict) else {}
    place = given[key].key if key in given else None
    message = f"unknown key `{key}`" + (f" of {noun}" if noun else "")
    hint: str | None = None
    if plain in known and plain != key:
        message, hint = f"the key `{plain}` is given twice, as `{key}` too", f"keep `{plain}`"
    elif (left_out := _left_out(owner, plain)) is not None:
        message, hint = f"{message}: {left_out.reason}", left_out.hint
    else:
        hint = _key_hint(plain, error.path, known, given, tree, model)
    prefix = f"{show_path(error.path)}: " if error.path else ""
    return Problem(prefix + message, error.location, hint, place or tree.place(error.location))


def _left_out(owner: Any, key: str) -> LeftOut | None:
    """Why a part has no argument of this name that its like in other libraries has."""
    if not (isinstance(owner, type) and issubclass(owner, Part)):
        return None
    from trainer_cli.parts.left_out import argument

    return argument(owner.type, key)


def _key_hint(
    key: str,
    path: ConfigPath,
    known: Sequence[str],
    given: Mapping[str, Node],
    tree: SourceTree,
    model: type[BaseModel],
) -> str | None:
    if key in _OTHER_WAYS and not path:
        return _OTHER_WAYS[key]
    other = _OTHER_NAMES.get(key, key)
    if other in known and other != key:
        return f"it is called `{other}` here"
    sections = [section for section in elsewhere(other, tree, model) if section != show_path(path)]
    renamed = f" as `{other}`" if other != key else ""
    if sections:
        below = " or ".join(f"under `{section}:`" if section else "at the top level" for section in sections)
        return f"it belongs {below}{renamed}"
    near = nearest(key, known)
    if near:
        return f"did you mean `{near}`?"
    left = [name for name in known if name not in given]
    return f"known keys: {', '.join(left)}" if left else None


def _missing_key(error: _Error, tree: SourceTree, model: type[BaseModel]) -> Problem:
    key = str(error.location[-1])
    owner, noun = owner_of(error.location[:-1], tree, model)
    field = owner.model_fields.get(key) if owner else None
    message = f"the key `{key}` is missing" if not noun else f"{noun} needs the key `{key}`"
    hint = f"`{key}`: {field.description}" if field and field.description else None
    prefix = f"{show_path(error.path)}: " if error.path else ""
    place = tree.root.place if not error.path else error.node.key or error.node.place
    return Problem(prefix + message, error.location, hint, place)


def show_scalar(value: Any) -> str:
    """A scalar as YAML spells it."""
    if value is None:
        return "null"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    return str(value).lower() if isinstance(value, bool) else str(value)


def show_value(value: Any) -> str:
    """A value as messages quote it: `the text `2``, `the number 0.5`, `a list of 3`."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{show_scalar(value)}`"
    if isinstance(value, (int, float)):
        return f"the number {_shortened(show_scalar(value))}"
    if isinstance(value, str):
        return f"the text `{_shortened(value)}`" if value else "an empty text"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    return "a mapping" if value else "an empty mapping"


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def in_order(problems: Sequence[Problem]) -> list[Problem]:
    """Problems by place: first those of no place, then by file, line and column."""

    def key(problem: Problem) -> tuple[int, str, int, int]:
        place = problem.place
        return (0, "", 0, 0) if place is None else (1 if place.line else 2, place.file, place.line, place.column)

    return sorted(dict.fromkeys(problems), key=key)


def render(problems: Sequence[Problem]) -> str:
    """The problems as text: place and message, the line with a caret under the column, the hint."""
    ordered = in_order(problems)
    told = [_render_one(problem) for problem in ordered[:_PROBLEMS]]
    if len(ordered) > _PROBLEMS:
        told.append(f"and {len(ordered) - _PROBLEMS:,} problems more")
    return "\n".join(told)


def _render_one(problem: Problem) -> str:
    place = problem.place
    lines = [_printable(f"{place}: {problem.message}" if place else problem.message)]
    if place and place.text.strip():
        lines += _quoted(place)
    if problem.hint:
        first, *more = problem.hint.split("\n")
        lines += [f"  hint: {_printable(first)}", *(f"        {_printable(line)}" for line in more)]
    return "\n".join(lines)


def _quoted(place: Place) -> list[str]:
    """The line and a caret; of a long line the part around the column."""
    text, column = place.text, min(place.column - 1, len(place.text))
    if len(text) > _QUOTED:
        start = max(0, min(column - _QUOTED // 2, len(text) - _QUOTED))
        left, right = "…" if start else "", "…" if start + _QUOTED < len(text) else ""
        text, column = left + text[start : start + _QUOTED] + right, column - start + len(left)
    gutter = f"  {place.line} | "
    space = "".join("\t" if character == "\t" else " " * _width(character) for character in text[:column])
    return [gutter + _printable(text), " " * (len(gutter) - 2) + "| " + space + "^"]


def _printable(text: str) -> str:
    """The text without what would steer a terminal, and of a very long one the ends."""
    if len(text) > _LINE:
        text = f"{text[: _LINE * 2 // 3]} … {text[-_LINE // 3 :]}"
    return "".join(character if character.isprintable() or character == "\t" else "·" for character in text)


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
