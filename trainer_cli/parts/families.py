"""The families of parts: turns a name that a config uses into the class of the one file that defines it.

A part is imported when a config names it and not before: creating a pydantic model costs about a millisecond. Its
name is its file's stem; other names that libraries use for it stand in the file as `ALIASES = ("mse", ...)`, a literal
that is read as text, so that looking an alias up imports nothing either.
"""

from __future__ import annotations

import ast
import importlib
import os
import re
from collections.abc import Container, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, GetCoreSchemaHandler, ValidationError
from pydantic_core import PydanticCustomError, core_schema

from trainer_cli.parts.numerics import defaults
from trainer_cli.parts.part import Part

_ALIASES = r"(?m)^ALIASES\s*=\s*(\([^)]*\))"
PART_OF = "x-part-of"
"""The key that stands in the JSON Schema of a field for "a part of this family"."""
_PACKAGE_ROOT = Path(__file__).parent.parent


def snake_case(name: str) -> str:
    """`leakyReLU` → `leaky_relu`, `kernelInitializer` → `kernel_initializer`, `MaxPooling2D` → `max_pooling2d`."""
    name = re.sub(r"(?<=[a-z])([1-3])D(?![a-z])", r"\1d", name)
    if name.islower():
        return name
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return name.lower()


_KEY_ALIASES = {
    "beta1": "beta_1",
    "beta2": "beta_2",
    "min_lr": "min_learning_rate",
    "reduce_lr_on_plateau": "reduce_learning_rate_on_plateau",
}
"""Other names of keys, which are accepted wherever there is a key of the second name."""


def plain_key(name: str) -> str:
    """A key as it is called here: snake_case, and whole words for abbreviations that libraries use."""
    plain = snake_case(name)
    return _KEY_ALIASES.get(plain, plain)


class Family(NamedTuple):
    """All parts of one kind: the words for messages, and the package (below `trainer_cli`) that holds their files."""

    noun: str
    package: str

    @property
    def noun_with_article(self) -> str:
        return f"{'an' if self.noun[0] in 'aeiou' else 'a'} {self.noun}"

    def describe(self, name: str) -> str:
        """How messages call a part: layer `dense`."""
        return f"{self.noun} `{name}`"

    @property
    def folder(self) -> Path:
        return _PACKAGE_ROOT.joinpath(*self.package.split("."))

    def names(self) -> list[str]:
        """Canonical names of all parts, sorted."""
        return _names(self)

    def canonical(self, name: str) -> str | None:
        """The canonical name behind a name or an alias, or None."""
        names = self.names()
        if name in names:
            return name
        plain = snake_case(name)
        if plain in names:
            return plain
        aliases = _aliases(self)
        return aliases.get(name) or aliases.get(plain)

    def aliases(self) -> dict[str, str]:
        """Other names of parts and the canonical ones behind them."""
        return _aliases(self)

    def nearest(self, name: str) -> str | None:
        """The valid name closest to a misspelled one."""
        return _nearest(self, name)

    def find(self, name: str) -> type[Part]:
        """The class behind a canonical name."""
        return _part_class(self, name)


def _left_out(family: Family, name: str) -> tuple[str, str] | None:
    """The message and the hint for a part of a library that is not here for a reason, None for any other name."""
    from trainer_cli.parts.left_out import PARTS

    found = PARTS.get((family.noun, snake_case(name)))
    if found is None:
        return None
    return f"{found.reason}, so there is no {family.describe(snake_case(name))}", found.hint


@cache
def _nearest(family: Family, name: str) -> str | None:
    if len(name) > 100:
        return None  # the search takes the product of the lengths
    known = [*family.names(), *_aliases(family)]
    import difflib

    found = difflib.get_close_matches(snake_case(name), known, n=1, cutoff=0.6)
    return found[0] if found else None


@cache
def _names(family: Family) -> list[str]:
    files = (name.removesuffix(".py") for name in os.listdir(family.folder) if name.endswith(".py"))
    return sorted(name for name in files if not name.startswith("_"))


@cache
def _aliases(family: Family) -> dict[str, str]:
    aliases: dict[str, str] = {}
    for name in family.names():
        match = re.search(_ALIASES, (family.folder / f"{name}.py").read_text(encoding="utf-8"))
        for alias in ast.literal_eval(match.group(1)) if match else ():
            aliases[alias] = name
    return aliases


@cache
def _part_class(family: Family, name: str) -> type[Part]:
    module = importlib.import_module(f"trainer_cli.{family.package}.{name}")
    classes = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Part)
        and value.__module__ == module.__name__
        and not value.__name__.startswith("_")
    ]
    if len(classes) != 1:
        raise TypeError(f"{module.__name__} must define exactly one public part, it defines {len(classes)}")
    return classes[0]


def read_part(family: Family, value: Any) -> Part:
    """Validate what a config gives for a part: its bare name, a mapping with `type`, or a part already made.

    Raises PydanticCustomError or ValidationError, whose locations pydantic places under the field.
    """
    if isinstance(value, Part):
        return value
    arguments: dict[str, Any] = {}
    name: Any = value
    if isinstance(value, Mapping):
        arguments = {key: item for key, item in value.items() if key != "type"}
        name = value.get("type")
        if name is None:
            message = f"{family.noun_with_article} needs a `type`"
            raise refusal([Refusal("part_type_missing", message, family=family.noun)])
    if not isinstance(name, str):
        message = f"expected the name of {family.noun_with_article}"
        if isinstance(value, Mapping):
            raise refusal([Refusal("part_expected", message, where=("type",), value=name, family=family.noun)])
        message += ", or a mapping with `type`"
        raise refusal([Refusal("part_expected", message, value=value, family=family.noun)])
    canonical = family.canonical(name)
    if canonical is None:
        nearest = family.nearest(name)
        hint = f"did you mean `{nearest}`?" if nearest else f"known: {', '.join(family.names()) or 'none'}"
        where = ("type",) if isinstance(value, Mapping) else ()
        message, hint = _left_out(family, name) or (f"unknown {family.noun} `{name}`", hint)
        raise refusal([Refusal("part_type_unknown", message, hint, where, name, family.noun)])
    part_class = family.find(canonical)
    given = normal_keys(arguments, part_class.model_fields)
    return part_class.model_validate({**defaults(family.noun, canonical), **given})


def normal_keys(given: Mapping[str, Any], known: Container[str]) -> dict[str, Any]:
    """The mapping with keys in camelCase, or of another name, renamed to the known ones; a key given twice stays so."""
    normal = {}
    for key, item in given.items():
        renamed = plain_key(key) if isinstance(key, str) and key not in known else key
        normal[renamed if renamed in known and not (renamed in given or renamed in normal) else key] = item
    return normal


class Refusal(NamedTuple):
    """Why a value is refused, in the words that the user shall read; `where` is relative to the value."""

    kind: str
    message: str
    hint: str | None = None
    where: tuple[str | int, ...] = ()
    value: Any = None
    family: str | None = None


def refusal(found: Sequence[Refusal]) -> ValidationError:
    """The refusals as an error that pydantic merges with all others, below the field that it was raised for."""
    return ValidationError.from_exception_data(
        "config",
        [
            {
                "type": PydanticCustomError(
                    each.kind, "{message}", {"message": each.message, "hint": each.hint, "family": each.family}
                ),
                "loc": each.where,
                "input": each.value,
            }
            for each in found
        ],
    )


class PartField:
    """Annotation that makes a pydantic field hold a part of one family: `Annotated[Loss, PartField(LOSSES)]`."""

    def __init__(self, family: Family) -> None:
        self.family = family

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda value: read_part(self.family, value),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda part: part.model_dump(mode="json")),
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {PART_OF: self.family.noun}  # not a `$ref`: the family's definition is made elsewhere


class SectionField:
    """Annotation of a field that holds a mapping whose model is imported when a config gives one, and not before."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    @property
    def model(self) -> type[BaseModel]:
        """The model of the mapping."""
        found: type[BaseModel] = getattr(importlib.import_module(f"trainer_cli.{self.module}"), self.name)
        return found

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda value: self.model.model_validate(value),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda each: each.model_dump(mode="json")),
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        model = self.model
        model.model_rebuild()
        return dict(handler(model.__pydantic_core_schema__))


LAYERS = Family("layer", "parts.layers")
ACTIVATIONS = Family("activation", "parts.activations")
INITIALIZERS = Family("initializer", "parts.initializers")
REGULARIZERS = Family("regularizer", "parts.regularizers")
CONSTRAINTS = Family("constraint", "parts.constraints")
OPTIMIZERS = Family("optimizer", "parts.optimizers")
SCHEDULES = Family("schedule", "parts.schedules")
LOSSES = Family("loss", "parts.losses")
METRICS = Family("metric", "parts.metrics")
SOURCES = Family("data source", "data.sources")
FAMILIES = (
    LAYERS,
    ACTIVATIONS,
    INITIALIZERS,
    REGULARIZERS,
    CONSTRAINTS,
    OPTIMIZERS,
    SCHEDULES,
    LOSSES,
    METRICS,
    SOURCES,
)
