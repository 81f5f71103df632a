"""A config with the origin of every value in; the same config as YAML with the origins in comments out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from trainer_cli.config.load import to_yaml
from trainer_cli.config.origins import Origin, Value
from trainer_cli.config.references import show_path

_LONGEST = 88
"""Characters of a mapping or list that is written on one line."""
_COMMENTS = 56
"""The column of most comments: a longer line does not push those of all others to the right."""


class _Branch(NamedTuple):
    """A mapping or list of the config with values below it."""

    children: dict[str | int, _Branch | Value]

    @property
    def is_list(self) -> bool:
        return isinstance(next(iter(self.children)), int)


class _Line(NamedTuple):
    text: str
    comment: str


def annotated(values: Iterable[Value]) -> list[str]:
    """The lines of a YAML document; it loads to the same config."""
    root = _tree(values)
    lines = list(_lines(root, ""))
    column = min(_COMMENTS, max((len(line.text) for line in lines if line.comment), default=0)) + 2
    return [f"{line.text:{column - 2}}  # {line.comment}" if line.comment else line.text for line in lines]


def record(values: Iterable[Value]) -> dict[str, dict[str, object]]:
    """The origins by path, for other programs."""
    return {show_path(value.path): origin_record(value.origin) for value in values}


def origin_record(origin: Origin) -> dict[str, object]:
    """An origin with its place; file, line and column are null where there is none."""
    place = origin.place
    return {
        "from": origin.kind,
        "file": place.file if place else None,
        "line": place.line or None if place else None,
        "column": place.column or None if place else None,
        "reference": origin.reference,
    }


def _tree(values: Iterable[Value]) -> _Branch:
    root = _Branch({})
    for value in values:
        branch = root
        for step in value.path[:-1]:
            below = branch.children.setdefault(step, _Branch({}))
            assert isinstance(below, _Branch)
            branch = below
        branch.children[value.path[-1]] = value
    return root


def _lines(branch: _Branch, indent: str) -> Iterator[_Line]:
    for step, item in branch.children.items():
        lead = "- " if isinstance(step, int) else f"{_key(step)}: "
        one = _one_line(item)
        if one is not None:
            yield _Line(f"{indent}{lead}{one.text}", one.comment)
        elif isinstance(item, Value):
            # A text that YAML writes on several lines: a comment inside would be part of it.
            yield _Line(f"{indent}# {item.origin}", "")
            first, *rest = _written(item.value).splitlines()
            yield _Line(f"{indent}{lead}{first}", "")
            yield from (_Line(f"{indent}{line}", "") for line in rest)
        elif lead == "- ":
            first_line, *others = _lines(item, f"{indent}  ")
            yield _Line(f"{indent}- {first_line.text[len(indent) + 2 :]}", first_line.comment)
            yield from others
        else:
            yield _Line(f"{indent}{lead.rstrip()}", "")
            yield from _lines(item, f"{indent}  ")


def _one_line(item: _Branch | Value) -> _Line | None:
    """What can stand on one line with one origin, None for all else."""
    found = set(_origins(item))
    if len(found) != 1:
        return None
    text = _written(_plain(item))
    if "\n" in text or (isinstance(item, _Branch) and len(text) > _LONGEST):
        return None
    return _Line(text, found.pop())


def _origins(item: _Branch | Value) -> Iterator[str]:
    if isinstance(item, Value):
        yield str(item.origin)
    else:
        for below in item.children.values():
            yield from _origins(below)


def _plain(item: _Branch | Value) -> Any:
    if isinstance(item, Value):
        return item.value
    if item.is_list:
        return [_plain(below) for below in item.children.values()]
    return {key: _plain(below) for key, below in item.children.items()}


def _written(value: Any) -> str:
    """A value as YAML, on one line where it is a scalar, or a list or mapping of scalars."""
    if isinstance(value, list | dict):
        return to_yaml({"key": value}).removeprefix("key:").lstrip(" ").rstrip("\n")
    # The second key keeps the mapping from being written in one line.
    return to_yaml({"key": value, "more": []}).removeprefix("key: ").removesuffix("\nmore: []\n")


def _key(key: str) -> str:
    return to_yaml({key: []}).removesuffix(": []\n")


def given(values: Iterable[Value]) -> Iterator[Value]:
    """The values that are no defaults, with the `type` of every part among them."""
    listed = list(values)
    kept = {value.path[:length] for value in listed if value.origin.kind != "default" for length in range(20)}
    for value in listed:
        if value.origin.kind != "default" or (value.path[-1] == "type" and value.path[:-1] in kept):
            yield value


def configuration(dump: Mapping[str, Any], values: Iterable[Value]) -> dict[str, object]:
    """What `trainer config --json` tells."""
    return {"config": dump, "origins": record(values)}
