"""Parts in; the text, the JSON and the Markdown that explain them to people out."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from trainer_cli.parts.families import FAMILIES, Family
from trainer_cli.reports import vocabulary
from trainer_cli.reports.vocabulary import Argument, Entry

_PLACES = {
    "layer": "architecture: [{}]",
    "optimizer": "optimizer: {}",
    "loss": "loss: {}",
    "metric": "metrics: [{}]",
    "data source": "data: {}",
    "schedule": "learning_rate: {}",
}
_INSIDE = {
    "activation": "activation",
    "initializer": "kernel_initializer",
    "regularizer": "kernel_regularizer",
    "constraint": "kernel_constraint",
}


def width() -> int:
    """Characters of a line: the terminal's, and at most as many as are easy to read."""
    return max(60, min(shutil.get_terminal_size((120, 24)).columns, 120))


def families_text() -> list[str]:
    """A line per family."""
    rows = [(vocabulary.plural(family), f"{len(family.names()):>4}", _some(family)) for family in FAMILIES]
    return columns(rows, width())


def _some(family: Family, count: int = 6) -> str:
    names = family.names()
    return ", ".join(names[:count]) + (", …" if len(names) > count else "")


def family_text(family: Family) -> list[str]:
    """A line per part: its name and what it does."""
    return columns([(name, vocabulary.summary(family, name)) for name in family.names()], width())


def family_record(family: Family) -> list[dict[str, object]]:
    """The same for other programs."""
    return [
        {
            "name": name,
            "aliases": list(vocabulary.aliases(family, name)),
            "summary": vocabulary.summary(family, name),
        }
        for name in family.names()
    ]


def entry_text(entry: Entry) -> Iterator[str]:
    """A part as plain text: what it is, its formula and source, its arguments, how a config names it."""
    total = width()
    yield f"{entry.family.noun} {entry.name}"
    if entry.aliases:
        yield f"  also called {', '.join(entry.aliases)}"
    yield ""
    for paragraph in entry.description.split("\n\n"):
        text = " ".join(paragraph.split())
        yield from (f"  {line}" for line in _wrapped(text, total - 2))
        yield ""
    if entry.family == vocabulary.SECTION:
        yield "keys"
    else:
        yield "arguments" if entry.arguments else "It has no arguments."
    rows = [(argument.name, argument.kind, _default(argument), argument.description) for argument in entry.arguments]
    yield from (f"  {line}" for line in columns(rows, total - 2))
    if entry.family == vocabulary.SECTION:
        return
    yield ""
    yield "in a config"
    yield f"  {in_config(entry)}"


def _wrapped(text: str, total: int) -> list[str]:
    return textwrap.wrap(text, total, break_long_words=False, break_on_hyphens=False)


def in_config(entry: Entry) -> str:
    """A line of YAML that uses the part."""
    value = vocabulary.example(entry)
    if entry.family.noun in _INSIDE:
        return f"{_INSIDE[entry.family.noun]}: {value}"
    return _PLACES.get(entry.family.noun, "{}").format(value)


def _default(argument: Argument) -> str:
    return "required" if argument.default is None else argument.default


def entry_record(entry: Entry) -> dict[str, object]:
    """A part for other programs; a default of `null` is the text, none for a required argument."""
    return {
        "family": vocabulary.plural(entry.family),
        "name": entry.name,
        "aliases": list(entry.aliases),
        "summary": entry.summary,
        "description": entry.description,
        "arguments": [
            {
                "name": argument.name,
                "kind": argument.kind,
                "required": argument.default is None,
                "default": argument.default,
                "description": argument.description,
            }
            for argument in entry.arguments
        ],
    }


def columns(rows: Sequence[Sequence[str]], total: int) -> list[str]:
    """Rows in columns, the last one wrapped to the width; no column before it takes more than a third of the line."""
    if not rows:
        return []
    limit = max(12, total // 3)
    widths = [min(limit, max(len(row[place]) for row in rows)) for place in range(len(rows[0]) - 1)]
    lines: list[str] = []
    for row in rows:
        lead, pieces = "", [""]
        for cell, size in zip(row, widths, strict=False):
            wrapped = _wrapped(cell, size) or [""]
            lead += f"{wrapped[0]:{size}}  "
            # What does not fit goes on below, in its own column.
            pieces = _beside(pieces, wrapped[1:], len(lead) - size - 2)
        rest = _wrapped(row[-1], max(20, total - len(lead))) or [""]
        lines.append(f"{lead}{rest[0]}".rstrip())
        lines += [line.rstrip() for line in _beside(pieces, rest[1:], len(lead)) if line.strip()]
    return lines


def _beside(lines: list[str], more: Sequence[str], place: int) -> list[str]:
    """The lines with further text at a column."""
    count = max(len(lines), len(more))
    left = [*lines, *[""] * (count - len(lines))]
    right = [*more, *[""] * (count - len(more))]
    return [f"{first:{place}}{second}" if second else first for first, second in zip(left, right, strict=True)]


def page(family: Family) -> str:
    """The reference page of a family, in Markdown."""
    title = vocabulary.plural(family).capitalize()
    found = [vocabulary.entry(family, name) for name in family.names()]
    lines = [
        f"# {title}",
        "",
        f"Every {family.noun} that a config can name. `python docs/make_parts.py` makes this page from the source;",
        f"`trainer list {vocabulary.plural(family)}` and `trainer explain NAME` show the same.",
        "",
    ]
    if not found:
        return "\n".join([*lines, "There is none yet.", ""])
    lines += ["| name | what it does |", "|---|---|"]
    lines += [f"| [`{entry.name}`](#{entry.name}) | {_cell(entry.summary)} |" for entry in found]
    for entry in found:
        lines += ["", *_section(entry)]
    return "\n".join([*lines, ""])


def _section(entry: Entry) -> Iterator[str]:
    yield f"## {entry.name}"
    yield ""
    yield entry.description
    if entry.aliases:
        yield ""
        yield f"Also called {', '.join(f'`{alias}`' for alias in entry.aliases)}."
    if entry.arguments:
        yield ""
        yield from markdown_table(
            ("argument", "type", "default", "meaning"),
            (
                (f"`{argument.name}`", argument.kind, _code(argument.default), argument.description)
                for argument in entry.arguments
            ),
        )


def _code(default: str | None) -> str:
    return "required" if default is None else f"`{default}`"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table in Markdown; what would end a cell is escaped."""
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(map(_cell, row))} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
