"""YAML text in, a tree of plain values that knows the line and column of every key and value out.

The tree is built from the parser's events, not with `yaml.compose`: so depth and size are checked before they are
built, and an alias knows its own place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import yaml

from trainer_cli.config.scalars import Scalar, resolve_scalar
from trainer_cli.errors import ConfigError, Place, Problem
from trainer_cli.parts.families import plain_key

ConfigPath: TypeAlias = tuple[str | int, ...]

MAX_BYTES = 10 * 2**20
MAX_NODES = 100_000  # after aliases are expanded: nine lines of aliases to aliases make a billion
MAX_DEPTH = 100

_CORE_TAG = "tag:yaml.org,2002:"
_LINE_BREAKS = str.maketrans("\r\x85\u2028\u2029", "\n\n\n\n")  # what the parser counts as one, besides `\r\n`
# Patterns are texts, which `re` compiles when they are first used; most configs need none of them.
_FORBIDDEN = "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
_UNUSABLE = "[\0\ud800-\udfff]"

# What the parser says → what it means here, and how to mend it.
_TOO_DEEP = f"the config is nested more than {MAX_DEPTH} levels deep"

_SYNTAX: tuple[tuple[str, str, str | None], ...] = (
    ("exceeded maximum nesting depth", _TOO_DEEP, None),  # libyaml has a limit of its own
    ("tab character", "a tab cannot indent", "use spaces"),
    ("mapping values are not allowed", "a `:` cannot stand here", "check the indentation; quote texts with `: `"),
    ("sequence entries are not allowed", "a list entry `- ` cannot stand here", "begin the list on a line of its own"),
    ("',' or '}'", "expected `,` or `}`", "a text with `{`, `}`, `[`, `]` or `,` needs quotes inside `{ }`"),
    ("',' or ']'", "expected `,` or `]`", "a text with `{`, `}`, `[`, `]` or `,` needs quotes inside `[ ]`"),
    ("expected '-' indicator", "expected `- `: this line is part of a list", "check the indentation"),
    ("expected key", "expected a key", "check the indentation"),
    ("unexpected end of stream", "a quoted text is not closed", None),
    ("unknown escape character", "unknown escape after `\\`", "in single quotes a `\\` stands for itself"),
    ("invalid Unicode character escape", "this escape is no character", None),
    ("could not find expected ':'", "expected `:` after the key", "check the indentation"),
    ("undefined tag handle", "tags such as `!name` are not supported", "write the value without a tag"),
    ("expected node content", "expected a value", None),
    ("expected <document start>", "the config goes on after its end", None),
)


class Node:
    """A value of the config and where it stands; `key` is the place of the key that holds it, if one does."""

    __slots__ = ("key", "place", "value")

    def __init__(self, value: Scalar | list[Node] | dict[str, Node], place: Place, key: Place | None = None) -> None:
        self.value = value
        self.place = place
        self.key = key

    def children(self) -> Iterator[tuple[str | int, Node]]:
        if isinstance(self.value, dict):
            yield from self.value.items()
        elif isinstance(self.value, list):
            yield from enumerate(self.value)

    def plain(self) -> Any:
        """The value without places: dictionaries, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value


class Budget:
    """Counts the nodes that a config expands to and stops at the limit."""

    def __init__(self) -> None:
        self.nodes = 0

    def spend(self, place: Place, depth: int) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise ConfigError([Problem(f"the config expands to more than {MAX_NODES:,} values", place=place)])
        if depth > MAX_DEPTH:
            raise ConfigError([Problem(_TOO_DEEP, place=place)])

    def copy(self, node: Node, depth: int) -> Node:
        """A copy of a node and all below it, `depth` levels down."""
        self.spend(node.place, depth)
        value = node.value
        if isinstance(value, dict):
            value = {key: self.copy(child, depth + 1) for key, child in value.items()}
        elif isinstance(value, list):
            value = [self.copy(child, depth + 1) for child in value]
        return Node(value, node.place, node.key)


class SourceTree(NamedTuple):
    """A config's values with their places."""

    root: Node
    file: str

    def values(self) -> Any:
        return self.root.plain()

    def find(self, path: Sequence[str | int]) -> tuple[ConfigPath, Node, ConfigPath]:
        """The deepest node on a path: its own path as the file spells it, the node, and the steps not found.

        Keys may be spelled in either case; steps that the file does not have (`layers` above a plain list) are
        passed over if a later step can be taken.
        """
        node, found, missing = self.root, [], []
        for step in path:
            taken = child(node, step)
            if taken is None:
                missing.append(step)
                continue
            found.append(taken[0])
            node, missing = taken[1], []
        return tuple(found), node, tuple(missing)

    def place(self, path: Sequence[str | int]) -> Place | None:
        """Where the value at a path stands; for a value that the file does not give, where its owner stands."""
        found, node, missing = self.find(path)
        if missing and node.key is not None:
            return node.key
        return node.place if found or not path else None


def child(node: Node, step: str | int) -> tuple[str | int, Node] | None:
    """The entry of a mapping or list that a step leads to, with its key as the file spells it."""
    value = node.value
    if isinstance(value, dict) and isinstance(step, int):  # `architecture[0]` of `architecture: {layers: [...]}`
        value = value["layers"].value if "layers" in value else None
    if isinstance(value, list):
        return (step, value[step]) if isinstance(step, int) and 0 <= step < len(value) else None
    if not isinstance(value, dict) or isinstance(step, int):
        return None
    if step in value:
        return step, value[step]
    for key, item in value.items():
        if plain_key(key) == plain_key(step):
            return key, item
    return None


def read_file(path: Path) -> str:
    """The text of a config file; every way in which it cannot be read is a ConfigError that names the path."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a folder, not a config file") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"{path}: cannot be read: {reason}") from None
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path}: is larger than {MAX_BYTES // 2**20} MiB; that is no config")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", errors="replace")
        lines = _split_lines(before)
        place = Place(str(path), len(lines), len(lines[-1]) + 1)
        hint = "save the file as UTF-8"
        raise ConfigError([Problem("the file is not UTF-8 text", hint=hint, place=place)]) from None


def parse(text: str, file: str, *, fixed: Place | None = None, depth: int = 0) -> Node:
    """The tree of a YAML text; `fixed` is the place of every node where the text stands in no file.

    `depth` is the number of levels above it, which count towards the limit.
    """
    return _Builder(text, file, fixed).document(depth)


def _split_lines(text: str) -> list[str]:
    """The lines as the parser counts them."""
    return text.replace("\r\n", "\n").translate(_LINE_BREAKS).split("\n")


class _Builder:
    """Turns the parser's events into nodes; problems that leave the structure whole are collected."""

    def __init__(self, text: str, file: str, fixed: Place | None) -> None:
        self.file = file
        self.fixed = fixed
        self.lines = _split_lines(text)
        self.problems: list[Problem] = []
        self.anchors: dict[str, Node] = {}
        self.budget = Budget()
        # Whatever is printable is allowed, which is known without the pattern.
        if not all(line.isprintable() for line in self.lines) and (forbidden := re.search(_FORBIDDEN, text)):
            self.refuse_character(text, forbidden.start())
        loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self.events: Iterator[Any] = yaml.parse(text, Loader=loader)

    def refuse_character(self, text: str, position: int) -> None:
        before = _split_lines(text[:position])
        place = self.place_at(len(before) - 1, len(before[-1]))
        code = ord(text[position])
        name = {0: "a NUL byte", 0xFEFF: "a byte order mark"}.get(code, f"the control character U+{code:04X}")
        raise ConfigError([Problem(f"{name} cannot stand in a config", place=place)])

    def place_at(self, line: int, column: int) -> Place:
        if self.fixed:
            return self.fixed
        return Place(self.file, line + 1, column + 1, self.lines[line] if line < len(self.lines) else "")

    def place(self, event: Any) -> Place:
        return self.place_at(event.start_mark.line, event.start_mark.column)

    def document(self, depth: int) -> Node:
        try:
            root = self.read_document(depth)
        except yaml.MarkedYAMLError as error:
            self.problems.append(self.syntax_problem(error))
            raise ConfigError(self.problems) from None
        if self.problems:
            raise ConfigError(self.problems)
        return root

    def read_document(self, depth: int) -> Node:
        root: Node | None = None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent) and root is not None:
                self.refuse(event, "a second document begins here; a config is one document")
                break
            if isinstance(event, yaml.NodeEvent):
                root = self.node(event, depth)
        return root or Node(None, self.place_at(0, 0))

    def refuse(self, event: Any, message: str, hint: str | None = None) -> None:
        self.problems.append(Problem(message, hint=hint, place=self.place(event)))

    def syntax_problem(self, error: yaml.MarkedYAMLError) -> Problem:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        place = self.place_at(line, column)
        source_line = self.lines[line] if line < len(self.lines) else ""
        character = source_line[column : column + 1]
        said = error.problem or error.context or "cannot be read"
        message, hint = next(
            ((message, hint) for part, message, hint in _SYNTAX if part in said), (f"not valid YAML: {said}", None)
        )
        if "cannot start any token" in said:
            message = "a tab cannot indent" if character == "\t" else f"a text cannot begin with `{character}`"
            hint = "use spaces" if character == "\t" else "put the text in quotes"
        elif "${" in source_line and "expected `,`" in message:
            hint = 'inside `{ }` and `[ ]` write a reference in quotes: "${...}"'
        elif error.context_mark and ("expected `,`" in message or "not closed" in message):
            opened = error.context_mark
            if opened.line != line:
                hint = f"what opened on line {opened.line + 1}, column {opened.column + 1} is not closed"
        return Problem(message, hint=hint, place=place)

    def node(self, event: Any, depth: int) -> Node:
        place = self.place(event)
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, place, depth)
        self.budget.spend(place, depth)
        if isinstance(event, yaml.ScalarEvent):
            node = Node(self.scalar(event), place)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = Node(self.sequence(event, depth), place)
        else:
            node = Node(self.mapping(event, depth), place)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def alias(self, event: Any, place: Place, depth: int) -> Node:
        target = self.anchors.get(event.anchor)
        if target is None:
            self.refuse(event, f"no anchor `&{event.anchor}` stands before this alias")
            return Node(None, place)
        copied = self.budget.copy(target, depth)
        copied.key = None
        return copied

    def scalar(self, event: Any) -> Scalar:
        text: str = event.value
        # By an escape such as `"\\0"`; neither can be part of a path or be written again.
        if not text.isprintable() and re.search(_UNUSABLE, text):
            self.refuse(event, "a NUL character or a lone surrogate cannot stand in a config")
        tag = event.tag
        if (tag is None and not event.implicit[0]) or tag == "!" or tag == f"{_CORE_TAG}str":
            return text
        try:
            value = resolve_scalar(text)
        except ValueError as error:
            self.refuse(event, str(error), "a text of digits needs quotes")
            return text
        if tag is None:
            return value
        kinds: dict[str, tuple[type, ...]] = {
            "int": (int,), "float": (float, int), "bool": (bool,), "null": (type(None),)
        }  # fmt: skip
        name = tag.removeprefix(_CORE_TAG)
        if name not in kinds:
            self.refuse_tag(event)
        elif not isinstance(value, kinds[name]) or (isinstance(value, bool) and name != "bool"):
            self.refuse(event, f"`{text}` does not fit its tag `!!{name}`")
        return float(value) if name == "float" and isinstance(value, int) else value

    def refuse_tag(self, event: Any) -> None:
        shown = event.tag.replace(_CORE_TAG, "!!")
        self.refuse(event, f"the tag `{shown}` is not supported", "write the value without a tag")

    def sequence(self, event: Any, depth: int) -> list[Node]:
        if event.tag not in (None, "!", f"{_CORE_TAG}seq"):
            self.refuse_tag(event)
        items = []
        while not isinstance(entry := next(self.events), yaml.SequenceEndEvent):
            items.append(self.node(entry, depth + 1))
        return items

    def mapping(self, event: Any, depth: int) -> dict[str, Node]:
        if event.tag not in (None, "!", f"{_CORE_TAG}map"):
            self.refuse_tag(event)
        given: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        merge_key: Any = None
        while not isinstance(entry := next(self.events), yaml.MappingEndEvent):
            is_merge = isinstance(entry, yaml.ScalarEvent) and entry.value == "<<" and entry.implicit[0]
            name = None if is_merge else self.key(entry, depth)
            value = self.node(next(self.events), depth + 1)
            if is_merge and merge_key is not None:
                self.refuse(entry, "the merge key `<<` is given twice", "write `<<: [*first, *second]`")
            elif is_merge:
                merge_key, merged = entry, self.merge(entry, value)
            elif name is not None and name in given:
                before = given[name].key
                where = f" (first on line {before.line})" if before and before.line else ""
                self.refuse(entry, f"the key `{name}` is given twice{where}")
            elif name is not None:
                value.key = self.place(entry)
                given[name] = value
        return {**merged, **given}

    def key(self, event: Any, depth: int) -> str | None:
        """The name that a key's event gives, or None after noting what is wrong with it."""
        if not isinstance(event, yaml.ScalarEvent):
            self.node(event, depth + 1)  # consumes the events of a collection
            self.refuse(event, "a key must be a text")
            return None
        value = self.scalar(event)
        if isinstance(value, str):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)  # the number of a class
        hint = f'write it in quotes: "{event.value}"' if event.value else None
        self.refuse(event, f"the key `{event.value}` must be a text" if event.value else "a key is empty", hint)
        return None

    def merge(self, event: Any, value: Node) -> dict[str, Node]:
        """What `<<: *anchor` or `<<: [*first, *second]` brings in; of equal keys the first wins."""
        sources = value.value if isinstance(value.value, list) else [value]
        merged: dict[str, Node] = {}
        for source in sources:
            if not isinstance(source.value, dict):
                self.refuse(event, "`<<` merges a mapping, or a list of mappings")
                return {}
            for name, item in source.value.items():
                merged.setdefault(name, item)
        return merged
