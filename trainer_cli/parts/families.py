"""The families of parts: turns a name that a config uses into the class of the one file that defines it.

A part is imported when a config names it and not before: creating a pydantic model costs about a millisecond. Its
name is its file's stem; other names that libraries use for it stand in the file as `ALIASES = ("mse", ...)`, a literal
that is read as text, so that looking an alias up imports nothing either.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import GetCoreSchemaHandler, ValidationError
from pydantic_core import PydanticCustomError, core_schema

from trainer_cli.parts.part import Part

_ALIASES = re.compile(r"^ALIASES\s*=\s*(\([^)]*\))", re.MULTILINE)
_PACKAGE_ROOT = Path(__file__).parent.parent


def snake_case(name: str) -> str:
    """`leakyReLU` → `leaky_relu`, `kernelInitializer` → `kernel_initializer`, `HeNormal` → `he_normal`."""
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return name.lower()


@dataclass(frozen=True)
class Family:
    """All parts of one kind: the words for messages, and the package (below `trainer_cli`) that holds their files."""

    noun: str
    package: str

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

    def nearest(self, name: str) -> str | None:
        """The valid name closest to a misspelled one."""
        known = [*self.names(), *_aliases(self)]
        found = difflib.get_close_matches(snake_case(name), known, n=1, cutoff=0.6)
        return found[0] if found else None

    def find(self, name: str) -> type[Part]:
        """The class behind a canonical name."""
        return _part_class(self, name)


@cache
def _names(family: Family) -> list[str]:
    return sorted(path.stem for path in family.folder.glob("*.py") if not path.stem.startswith("_"))


@cache
def _aliases(family: Family) -> dict[str, str]:
    aliases: dict[str, str] = {}
    for name in family.names():
        match = _ALIASES.search((family.folder / f"{name}.py").read_text(encoding="utf-8"))
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
    if isinstance(value, str):
        name, arguments = value, {}
    elif isinstance(value, Mapping):
        arguments = {key: item for key, item in value.items() if key != "type"}
        name = value.get("type")
        if name is None:
            raise PydanticCustomError("part_type_missing", f"a {family.noun} needs a `type`", {"family": family.noun})
        if not isinstance(name, str):
            raise _located(("type",), "part_type_unknown", f"the type of a {family.noun} is a name", name)
    else:
        raise PydanticCustomError(
            "part_expected", f"expected the name of a {family.noun}, or a mapping with `type`", {"family": family.noun}
        )
    canonical = family.canonical(name)
    if canonical is None:
        nearest = family.nearest(name)
        known = ", ".join(family.names())
        hint = f"did you mean `{nearest}`?" if nearest else f"known: {known}"
        where = () if isinstance(value, str) else ("type",)
        raise _located(where, "part_type_unknown", f"unknown {family.noun} `{name}`", name, hint)
    part_class = family.find(canonical)
    fields = part_class.model_fields
    plain = {}
    for key, item in arguments.items():
        renamed = snake_case(key) if isinstance(key, str) and key not in fields else key
        plain[renamed if renamed in fields and renamed not in arguments else key] = item
    return part_class.model_validate(plain)


def _located(
    where: tuple[str, ...], kind: str, message: str, value: Any, hint: str | None = None
) -> ValidationError | PydanticCustomError:
    error = PydanticCustomError(kind, "{message}", {"message": message, "hint": hint})  # type: ignore[arg-type]
    if not where:
        return error
    return ValidationError.from_exception_data(kind, [{"type": error, "loc": where, "input": value}])


@dataclass(frozen=True)
class PartField:
    """Annotation that makes a pydantic field hold a part of one family: `Annotated[Loss, PartField(LOSSES)]`."""

    family: Family

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda value: read_part(self.family, value),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda part: part.model_dump(mode="json")),
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {"$ref": f"#/$defs/{self.family.noun}"}


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

AnyPart: TypeAlias = Part
__all__ = ["Annotated", "Family", "PartField"]
