"""A position in a config in; the model that holds it, and the keys that this and the other sections know, out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from trainer_cli.config.source import ConfigPath, Node, SourceTree, child
from trainer_cli.parts.families import Family, PartField, SectionField

Model: TypeAlias = type[BaseModel]
Owner: TypeAlias = tuple[Model | None, str | None]


def owner_of(location: ConfigPath, tree: SourceTree, model: Model) -> Owner:
    """The model of the mapping at a location, and what it is called if it is a part (layer `dense`)."""
    owner: Owner = (model, None)
    node = tree.root
    kinds: list[Model | Family] = []
    for step in location:
        fields = owner[0].model_fields if owner[0] else {}
        taken = child(node, step)
        if isinstance(step, str) and step in fields:
            kinds = list(_kinds(fields[step]))
        elif taken is None:
            continue
        node = taken[1] if taken else node
        owner = _choose(kinds, node)
    return owner


def _mentioned(annotation: Any) -> Iterator[Model | Family]:
    """Every model and family in an annotation; lists, mappings, unions and metadata are looked through."""
    if isinstance(annotation, FieldInfo):
        yield from _mentioned([annotation.annotation, *annotation.metadata])
    elif isinstance(annotation, PartField):
        yield annotation.family
    elif isinstance(annotation, SectionField):
        yield annotation.model
    elif isinstance(annotation, (list, tuple)) or get_args(annotation):
        for each in annotation if isinstance(annotation, (list, tuple)) else get_args(annotation):
            yield from _mentioned(each)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation


def _kinds(field: FieldInfo) -> Iterator[Model | Family]:
    """What a field may hold: families where it holds parts (their base classes are abstract), otherwise models."""
    found = dict.fromkeys(_mentioned(field))
    families = any(isinstance(kind, Family) for kind in found)
    yield from (kind for kind in found if not families or isinstance(kind, Family))


def _choose(kinds: list[Model | Family], node: Node) -> Owner:
    """Which of the kinds a node is an instance of, as far as it is a mapping or a bare name."""
    for kind in kinds:
        if isinstance(kind, Family):
            name = node.value
            if isinstance(name, dict):
                name = name["type"].value if "type" in name else None
            canonical = kind.canonical(name) if isinstance(name, str) else None
            if canonical is not None:
                return kind.find(canonical), kind.describe(canonical)
        elif isinstance(node.value, dict) or (isinstance(node.value, list) and "layers" in kind.model_fields):
            return kind, None
    return None, None


def declared_keys(owner: Model, noun: str | None) -> Iterator[str]:
    """The keys that a mapping may have: the model's fields, and `type` for a part."""
    if noun is not None:
        yield "type"
    yield from owner.model_fields


def elsewhere(key: str, tree: SourceTree, model: Model) -> list[str]:
    """The sections of this config in which a key would be right: `""` is the top level."""
    found = [""] if key in model.model_fields else []
    for name, field in model.model_fields.items():
        section = _section(field, owner_of((name,), tree, model)[0])
        if section is None or name in ("architecture", "metrics", "phases"):  # lists are no sections
            continue
        if key in section.model_fields:
            found.append(name)
        for below, inner in section.model_fields.items():
            # A mapping by names of the user's own is no section in which a key could have been meant.
            nested = None if get_origin(inner.annotation) is dict else _section(inner, None)
            if nested and key in nested.model_fields and not any(isinstance(kind, Family) for kind in _kinds(inner)):
                found.append(f"{name}.{below}")
    return found


def _section(field: FieldInfo, given: Model | None) -> Model | None:
    """The model of a section: the one that the config chose, or the one that is common to all choices."""
    return given or next((kind for kind in _mentioned(field) if not isinstance(kind, Family)), None)
