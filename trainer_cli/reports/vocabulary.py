"""The families of parts in; what `list`, `explain` and the reference pages tell of each part out.

Everything comes from the parts' own files: the summary from the module's docstring, the description from that of the
class, the arguments from its fields. So there is nothing to keep up to date by hand.
"""

from __future__ import annotations

import difflib
import inspect
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

from trainer_cli.errors import ConfigError, Problem
from trainer_cli.parts.families import FAMILIES, PART_OF, SOURCES, Family, plain_key, snake_case

_DOCSTRING = r'\A"""(.*?)"""'
_SENTENCE = r"\A(.+?[.!?])(?:\s|\Z)"
_LAST = ("weighted", "name", "inputs", "trainable", "learning_rate_multiplier", "activity_regularizer")
"""What all layers or metrics have is told after what is the part's own."""
_WORDS = {"integer": "integer", "number": "number", "boolean": "boolean", "string": "text", "null": "null"}
_BOUNDS = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}


SECTION = Family("section", "config")
SECTIONS = {
    "config": "Config",
    "architecture": "Architecture",
    "fit": "Fit",
    "early_stopping": "EarlyStopping",
    "reduce_learning_rate_on_plateau": "ReduceLearningRateOnPlateau",
    "checkpoint": "Checkpoint",
    "phases": "Phase",
}
"""The sections of a config, and the models that say what they may hold."""
_MODULES = {"reduce_learning_rate_on_plateau": "plateau", "phases": "phase"}
"""Where models are that `config.schema` imports when a config needs them."""


class Argument(NamedTuple):
    """An argument of a part; `default` is its YAML, None where one must be given."""

    name: str
    kind: str
    default: str | None
    description: str


class Entry(NamedTuple):
    """A part as a reader needs it. `description` is Markdown: the formula and where it comes from."""

    family: Family
    name: str
    aliases: tuple[str, ...]
    summary: str
    description: str
    arguments: tuple[Argument, ...]


def plural(family: Family) -> str:
    """What a family is called on the command line: `layers`, `losses`, `sources`."""
    return family.folder.name


def family_called(name: str) -> Family:
    """The family of a name, plural or singular. Raises ConfigError."""
    known = {plural(family): family for family in FAMILIES}
    known |= {snake_case(family.noun.replace(" ", "_")): family for family in FAMILIES}
    known["source"] = SOURCES
    wanted = snake_case(name.strip())
    if wanted in known:
        return known[wanted]
    names = [plural(family) for family in FAMILIES]
    near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.5)
    hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(names)}"
    raise ConfigError([Problem(f"there is no family of parts called `{name}`", hint=hint)])


def summary(family: Family, name: str) -> str:
    """One line on a part, from the text of its file: nothing is imported."""
    found = re.match(_DOCSTRING, (family.folder / f"{name}.py").read_text(encoding="utf-8"), re.DOTALL)
    text = " ".join(found.group(1).split()) if found else ""
    sentence = re.match(_SENTENCE, text)
    line = (sentence.group(1) if sentence else text).rstrip(".")
    title, colon, rest = line.partition(": ")
    # `Adam: a weight and its gradient in, …`: the name stands beside the line already.
    return rest if colon and len(title) < 40 else line


def aliases(family: Family, name: str) -> tuple[str, ...]:
    """The other names of a part."""
    return tuple(alias for alias, canonical in family.aliases().items() if canonical == name)


def entries(name: str, among: Sequence[Family] = FAMILIES) -> list[Entry]:
    """The parts behind a name or alias, one per family that has it; else the section of a config of that name.

    Raises ConfigError with the nearest name.
    """
    found = [entry(family, canonical) for family in among if (canonical := family.canonical(name.strip()))]
    if found:
        return found
    if among is FAMILIES and plain_key(name.strip()) in SECTIONS:
        return [section(plain_key(name.strip()))]
    near = [(family, close) for family in among if (close := family.nearest(name))]
    near.sort(key=lambda pair: difflib.SequenceMatcher(None, snake_case(name), pair[1]).ratio(), reverse=True)
    what = among[0].noun if len(among) == 1 else "part"
    hint = f"did you mean {near[0][0].describe(near[0][1])}?" if near else "`trainer list` shows the families of parts"
    raise ConfigError([Problem(f"there is no {what} called `{name}`", hint=hint)])


def entry(family: Family, name: str) -> Entry:
    """All about one part, by its canonical name. Imports its file."""
    part = family.find(name)
    schema = part.model_json_schema()
    return Entry(
        family=family,
        name=name,
        aliases=aliases(family, name),
        summary=summary(family, name),
        description=inspect.cleandoc(part.__doc__ or ""),
        arguments=tuple(sorted(_arguments(schema, schema.get("$defs", {})), key=partial(_reading_order, part))),
    )


def section(name: str) -> Entry:
    """All about one section of a config."""
    model = getattr(import_module(f"trainer_cli.config.{_MODULES.get(name, 'schema')}"), SECTIONS[name])
    whole = model.model_json_schema()
    description = inspect.cleandoc(model.__doc__ or "")
    arguments = tuple(_arguments(whole, whole.get("$defs", {})))
    return Entry(SECTION, name, (), description.partition(".")[0], description, arguments)


def _reading_order(part: type, argument: Argument) -> tuple[bool, bool, int]:
    """What must be given comes first, then what the part has for itself, then what it shares, the nearest first."""
    name = argument.name.partition(".")[0]
    shared = next((up for up, kind in enumerate(part.__mro__) if name in inspect.get_annotations(kind)), 0)
    return argument.name in _LAST, argument.default is not None, shared


def _arguments(schema: Mapping[str, Any], definitions: Mapping[str, Any], above: str = "") -> Iterator[Argument]:
    """The properties of a schema; those of a section inside it as `section.key`."""
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        inner = definitions.get(field.get("$ref", "").rpartition("/")[2])
        if inner is not None and "properties" in inner:
            yield from _arguments(inner, definitions, f"{above}{name}.")
            continue
        default = None if name in required else yaml_value(field.get("default"))
        yield Argument(f"{above}{name}", kind_words(field, definitions), default, field.get("description", ""))


def kind_words(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """What a value may be: `integer > 0`, `valid | same`, `list of 2 integers`, `initializer or null`."""
    if PART_OF in schema:
        return str(schema[PART_OF])
    if "$ref" in schema:
        return kind_words(definitions.get(schema["$ref"].rpartition("/")[2], {}), definitions)
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(kind_words(choice, definitions) for choice in schema[several]))
    if "enum" in schema or "const" in schema:
        return " | ".join(_choice(value) for value in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type")
    if kind == "array":
        return _list_words(schema, definitions)
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"mapping to {kind_words(values, definitions)}" if isinstance(values, Mapping) else "mapping"
    bounds = [f"{sign} {yaml_value(schema[key])}" for key, sign in _BOUNDS.items() if key in schema]
    return " ".join([_WORDS.get(str(kind), "any value"), *", ".join(bounds).split()])


def _list_words(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    fixed = schema.get("prefixItems")
    if fixed:
        return f"list [{', '.join(kind_words(item, definitions) for item in fixed)}]"
    items = kind_words(schema.get("items", {}), definitions)
    items = {"integer": "integers", "number": "numbers", "text": "texts"}.get(items, items)
    least, most = schema.get("minItems"), schema.get("maxItems")
    return f"list of {least} {items}" if least is not None and least == most else f"list of {items}"


def _choice(value: object) -> str:
    """A text as a reader recognises it; separators and blanks in quotes."""
    return value if isinstance(value, str) and re.fullmatch(r"\w+", value) else json.dumps(value, ensure_ascii=False)


def yaml_value(value: object) -> str:
    """A default as a config would give it."""
    if isinstance(value, str):
        return _choice(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {yaml_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(yaml_value, value))}]"
    return json.dumps(value, ensure_ascii=False)


def example(entry: Entry) -> str:
    """How a config names the part: all that it must give, `…` for what only the user knows."""
    required = [argument for argument in entry.arguments if argument.default is None]
    given = ", ".join(f"{argument.name}: …" for argument in required)
    return f"{{type: {entry.name}, {given}}}" if given else entry.name
