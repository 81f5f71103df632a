"""A loaded config in; for every value of its full form, where that value came from, out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from trainer_cli.config.load import LoadedConfig
from trainer_cli.config.references import apply_overrides
from trainer_cli.config.source import ConfigPath, Node, child, parse, read_file
from trainer_cli.errors import Place

Kind: TypeAlias = Literal["file", "override", "reference", "default"]


class Origin(NamedTuple):
    """Where a value came from: a place in the file, `--set`, a `${…}` reference at a place, or a default."""

    kind: Kind
    place: Place | None = None
    reference: str | None = None

    def __str__(self) -> str:
        if self.place is None:
            return "default"
        where = f"{self.place.file}:{self.place.line}" if self.place.line else self.place.file
        return f"{self.reference} ({where})" if self.reference is not None else where


DEFAULT = Origin("default")


class Value(NamedTuple):
    """A scalar, or an empty list or mapping, of the full config."""

    path: ConfigPath
    value: Any
    origin: Origin


def origins(loaded: LoadedConfig, overrides: Sequence[str]) -> Iterator[Value]:
    """Every value of `loaded.dump()` with its origin, in the order of the dump.

    `overrides` are those that the config was loaded with: references are looked for in the text before they are
    replaced, which is read again.
    """
    raw = parse(read_file(loaded.path), str(loaded.path))
    apply_overrides(raw, overrides)
    yield from _walk(loaded.dump(), (), _Found(loaded.source.root, raw, None))


class _Found(NamedTuple):
    """What the file has for a value: the node after references were replaced, the one before, the reference above."""

    node: Node | None
    raw: Node | None
    reference: str | None

    def below(self, step: str | int) -> _Found:
        """The same for a key or entry; a plain list of layers stands for a mapping with `layers`."""
        node = None if self.node is None else _step(self.node, step)
        raw, reference = self.raw, self.reference
        if raw is not None:
            reference = _reference_in(raw) or reference
            raw = _step(raw, step)
        return _Found(node, raw, reference)

    @property
    def origin(self) -> Origin:
        if self.node is None:
            return DEFAULT
        reference = (_reference_in(self.raw) if self.raw is not None else None) or self.reference
        if reference is not None:
            # Values copied by a reference carry the place of the original; this is the place that refers to it.
            place = self.raw.place if self.raw is not None and _reference_in(self.raw) else self.node.place
            return Origin("reference", place, reference)
        return Origin("file" if self.node.place.line else "override", self.node.place)


def _step(node: Node, step: str | int) -> Node | None:
    if step == "layers" and isinstance(node.value, list):
        return node
    taken = child(node, step)
    return None if taken is None else taken[1]


def _reference_in(node: Node) -> str | None:
    """The text of a node that refers to something else."""
    value = node.value
    return value if isinstance(value, str) and "${" in value.replace("$${", "") else None


def _walk(value: Any, path: ConfigPath, found: _Found) -> Iterator[Value]:
    node = found.node
    if isinstance(value, Mapping) and value:
        scalar = node is not None and not isinstance(node.value, dict | list)
        for key, item in value.items():
            if scalar:  # a bare name such as `adam` gives the type; all arguments are defaults
                yield from _walk(item, (*path, key), found if key == "type" else _Found(None, None, None))
            else:
                yield from _walk(item, (*path, key), found.below(key))
    elif isinstance(value, list) and value:
        listed = node is not None and len(value) == _length(node)
        for index, item in enumerate(value):
            # Where the dump has another list than the file, every entry came from what stands there.
            yield from _walk(item, (*path, index), found.below(index) if listed else found)
    else:
        yield Value(path, value, found.origin)


def _length(node: Node) -> int | None:
    value = node.value
    if isinstance(value, dict) and "layers" in value:
        value = value["layers"].value
    return len(value) if isinstance(value, list) else None
