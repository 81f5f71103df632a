"""A tree of values in; the same tree with `--set` overrides applied and `${...}` references replaced out.

Both happen before validation, overrides first: an override reaches every reference to what it changes, and a
reference takes the type of what it names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from trainer_cli.config.scalars import Scalar, resolve_scalar
from trainer_cli.config.source import MAX_DEPTH, Budget, ConfigPath, Node, child, parse
from trainer_cli.errors import ConfigError, Place, Problem

MAX_TEXT = 1_000_000  # characters that references may build up in one text
MAX_CHAIN = 50  # references to references; each takes four Python frames

_STEP = r"\.?([^.\[\]\s=]+)|\[(-?[0-9]{1,9})\]"
_REFERENCE = r"\$\$\{|\$\{([^{}]*)\}|\$\{"
_ESCAPE = "$${"


def show_path(path: Sequence[str | int]) -> str:
    """`("architecture", 0, "units")` → `architecture[0].units`, as `--set` spells it."""
    shown = ""
    for step in path:
        shown += f"[{step}]" if isinstance(step, int) else f".{step}" if shown else step
    return shown


def read_path(text: str) -> ConfigPath:
    """`architecture[0].units` → `("architecture", 0, "units")`; ValueError if it is not spelled so."""
    steps: list[str | int] = []
    position = 0
    pattern = re.compile(_STEP)
    while position < len(text):
        match = pattern.match(text, position)
        first = position == 0
        if match is None or (match.group(1) and match.group().startswith(".") == first) or (first and match.group(2)):
            raise ValueError(f"`{text}` is no path; a path looks like `architecture[0].units`")
        steps.append(match.group(1) or int(match.group(2)))
        position = match.end()
    if len(steps) > MAX_DEPTH:
        raise ValueError(f"a path has at most {MAX_DEPTH} steps")
    if not steps:
        raise ValueError("the path is missing; a path looks like `architecture[0].units`")
    return tuple(steps)


def escape(text: str) -> str:
    """A text that reads as itself: `${` becomes `$${`."""
    return text.replace("${", _ESCAPE)


def apply_overrides(root: Node, overrides: Sequence[str]) -> None:
    """Apply `path.to[0].key=VALUE` texts to the tree, in order; VALUE is YAML. All problems are raised at once."""
    problems: list[Problem] = []
    for override in overrides:
        place = Place(f"--set {' '.join(override.split())}", 0, 0)
        try:
            _apply_override(root, override, place)
        except ConfigError as error:
            problems += error.problems
        except ValueError as error:
            problems.append(Problem(str(error), place=place))
    if problems:
        raise ConfigError(problems)


def _apply_override(root: Node, override: str, place: Place) -> None:
    spelled, equals, text = override.partition("=")
    if not equals:
        raise ValueError("an override is `path=VALUE`, such as `fit.epochs=20`")
    path = read_path(spelled.strip())
    value = parse(text, place.file, fixed=place, depth=len(path))
    node = root
    for position, step in enumerate(path[:-1]):
        node = _enter(node, step, path[:position], place)
    owner = show_path(path[:-1])
    step = path[-1]
    if isinstance(step, int):
        items, index = _entry(node, step, owner)
        items[index] = value
        return
    mapping = _mapping(node, owner, place)
    known = child(node, step)
    name = str(known[0]) if known else step
    value.key = known[1].key if known else place
    mapping[name] = value


def _enter(node: Node, step: str | int, above: ConfigPath, place: Place) -> Node:
    """The node below; a missing key is created as a mapping."""
    owner = show_path(above)
    if isinstance(step, int):
        items, index = _entry(node, step, owner)
        return items[index]
    if above == ("architecture",) and step == "layers" and isinstance(node.value, list):
        return node
    mapping = _mapping(node, owner, place)
    known = child(node, step)
    if known is None:
        mapping[step] = Node({}, place, place)
        return mapping[step]
    return known[1]


def _mapping(node: Node, owner: str, place: Place) -> dict[str, Node]:
    """The node as a mapping; nothing becomes an empty one, and a bare name `adam` becomes `{type: adam}`."""
    if node.value is None:
        node.value = {}
    elif isinstance(node.value, str) and node.value:
        node.value = {"type": Node(node.value, node.place)}
    if isinstance(node.value, list):
        raise ValueError(f"`{owner}` is a list of {len(node.value)}; write `{owner}[0]` for its first entry")
    if not isinstance(node.value, dict):
        raise ValueError(f"`{owner}` is a single value, it has no keys")
    return node.value


def _entry(node: Node, index: int, owner: str) -> tuple[list[Node], int]:
    value = node.value
    if isinstance(value, dict) and "layers" in value and owner == "architecture":
        value = value["layers"].value
    if not isinstance(value, list):
        what = "not a list" if value else "empty"
        raise ValueError(f"`{owner}` is {what}, it has no entry [{index}]")
    if not -len(value) <= index < len(value):
        last = f"; the last is [{len(value) - 1}]" if value else ""
        raise ValueError(f"`{owner}` has {len(value)} entries, [{index}] is not among them{last}")
    return value, index % len(value)


def resolve_references(root: Node, environ: Mapping[str, str]) -> None:
    """Replace `${env:NAME}`, `${env:NAME:-default}` and `${path.to.key}` everywhere in the tree.

    A text that is one reference takes the typed value; a reference inside a text is inserted as text; `$${` stands
    for `${`. All problems are raised at once.
    """
    resolver = _Resolver(root, environ)
    resolver.settle(root, ())
    if resolver.problems:
        raise ConfigError(resolver.problems)


class _Unresolved(Exception):
    """A reference cannot be replaced; the message says why."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class _Resolver:
    """Settles nodes depth first: a node that is referred to is settled before it is copied."""

    def __init__(self, root: Node, environ: Mapping[str, str]) -> None:
        self.root = root
        self.environ = environ
        self.problems: list[Problem] = []
        self.budget = Budget()
        self.settled: set[int] = set()  # identities are stable: the tree holds every node while this runs
        self.failed: set[int] = set()
        self.active: dict[int, ConfigPath] = {}

    def settle(self, node: Node, path: ConfigPath) -> None:
        """Replace every reference in and below a node."""
        if id(node) in self.settled:
            return
        if id(node) in self.active:
            chain = [show_path(step) or "the whole config" for step in self.active.values()]
            begin = list(self.active).index(id(node))
            raise _Unresolved("references go in a circle: " + " → ".join([*chain[begin:], chain[begin]]))
        if len(self.active) > MAX_DEPTH + MAX_CHAIN:
            raise _Unresolved("references lead to references too many times")
        self.active[id(node)] = path
        try:
            if isinstance(node.value, str):
                self.settle_text(node, path)
            else:
                for key, below in node.children():
                    self.settle(below, (*path, key))
            self.settled.add(id(node))
        except _Unresolved as error:
            self.settled.add(id(node))
            self.failed.add(id(node))
            if not isinstance(node.value, str):
                raise
            self.problems.append(Problem(str(error), path, error.hint, node.place))
        finally:
            del self.active[id(node)]

    def settle_text(self, node: Node, path: ConfigPath) -> None:
        text = node.value
        assert isinstance(text, str)
        if "${" not in text:
            return
        whole = re.fullmatch(_REFERENCE, text)
        if whole and whole.group(1) is not None:
            node.value = self.value(whole.group(1), len(path))
            return
        pieces: list[str] = []
        end = length = 0
        for match in re.finditer(_REFERENCE, text):
            pieces += [text[end : match.start()], self.piece(match)]
            length += len(pieces[-1]) + len(pieces[-2])
            if length > MAX_TEXT:
                raise _Unresolved(f"references build a text of more than {MAX_TEXT:,} characters")
            end = match.end()
        node.value = "".join([*pieces, text[end:]])

    def piece(self, match: re.Match[str]) -> str:
        """What stands in a text in place of one reference."""
        if match.group() == _ESCAPE:
            return "${"
        if match.group(1) is None:
            raise _Unresolved("`${` without its `}`", "write `$${` for the two characters themselves")
        inner = match.group(1)
        if inner.startswith("env:"):
            return self.variable(inner)
        value = self.target(inner).value
        if value is None or isinstance(value, (dict, list)):
            kind = "empty" if value is None else "a mapping" if isinstance(value, dict) else "a list"
            raise _Unresolved(f"`{inner}` is {kind} and cannot stand inside a text")
        return str(value).lower() if isinstance(value, bool) else str(value)

    def value(self, inner: str, depth: int) -> Scalar | list[Node] | dict[str, Node]:
        """What a text that is one reference becomes."""
        if inner.startswith("env:"):
            return self.typed(self.variable(inner), inner)
        return self.budget.copy(self.target(inner), depth).value

    def typed(self, text: str, inner: str) -> Scalar:
        """The text of an environment variable as a YAML scalar."""
        text = text.strip()
        try:
            if text[:1] in ("'", '"'):
                quoted = parse(text, "").value
                return quoted if isinstance(quoted, str) else text
            return resolve_scalar(text)
        except ConfigError:
            return text
        except ValueError as error:
            raise _Unresolved(f"`${{{inner}}}`: {error}") from None

    def variable(self, inner: str) -> str:
        name, has_default, default = inner.removeprefix("env:").partition(":-")
        if not name:
            raise _Unresolved(f"`${{{inner}}}` names no environment variable")
        text = self.environ.get(name)
        if has_default and not text:
            return default
        if text is None:
            near = nearest(name, self.environ)
            instead = f"did you mean `{near}`? " if near else ""
            raise _Unresolved(
                f"the environment variable `{name}` is not set",
                f"{instead}`${{env:{name}:-VALUE}}` gives a default",
            )
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise _Unresolved(f"the environment variable `{name}` is not UTF-8 text") from None
        if "\0" in text:
            raise _Unresolved(f"the environment variable `{name}` holds a NUL character")
        return text

    def target(self, inner: str) -> Node:
        """The settled node that a reference names."""
        try:
            path = read_path(inner.strip())
        except ValueError as error:
            raise _Unresolved(f"`${{{inner}}}`: {error}") from None
        node = self.root
        found: list[str | int] = []
        for step in path:
            if isinstance(node.value, str):  # a reference on the way: `${defaults.fit.epochs}`, `defaults: ${other}`
                self.settle(node, tuple(found))
            taken = child(node, step)
            if taken is None:
                raise self.undefined(inner, node, step, found)
            found.append(taken[0])
            node = taken[1]
        self.settle(node, tuple(found))
        if id(node) in self.failed:
            raise _Unresolved(f"`{inner}` cannot be resolved itself")
        return node

    def undefined(self, inner: str, node: Node, step: str | int, found: Sequence[str | int]) -> _Unresolved:
        message = f"`{inner}` is not given in this config"
        if isinstance(step, int) or not isinstance(node.value, dict):
            return _Unresolved(message)
        if not found and inner in self.environ:
            return _Unresolved(message, f"did you mean `${{env:{inner}}}`?")
        near = nearest(step, node.value)
        return _Unresolved(message, f"did you mean `{show_path([*found, near])}`?" if near else None)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name closest to a misspelled one."""
    import difflib  # where nothing is misspelled nothing of it is needed

    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return found[0] if found else None
