"""Nothing in, the JSON Schema of a whole config out: for editors, which complete and check while a config is written.

It is made from the same models that validate a config, with every part of every family as a definition. It knows the
snake_case spelling alone; the loader accepts more.
"""

from __future__ import annotations

from typing import Any

from trainer_cli.config.schema import Config
from trainer_cli.parts.families import FAMILIES, PART_OF, Family

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DEFINITIONS = "#/$defs/"
_REFERENCE = {"type": "string", "pattern": r"^\$\{[^{}]+\}$", "description": "a reference such as ${env:NAME}"}
_ANNOTATIONS = ("description", "default")


def json_schema() -> dict[str, Any]:
    """The schema (draft 2020-12). Imports every part."""
    schema = Config.model_json_schema()
    definitions: dict[str, Any] = schema.pop("$defs")
    for family in FAMILIES:
        definitions |= _family_definitions(family)
    layers = definitions["Architecture"]["properties"]["layers"]
    definitions["Architecture"] = {"anyOf": [layers, definitions["Architecture"]]}
    phases = schema["properties"]["phases"]
    definitions["Phase"], phases["items"] = phases["items"], {"$ref": _DEFINITIONS + "Phase"}
    definitions["reference"] = _REFERENCE
    whole = {**schema, "title": "trainer config", "$defs": dict(sorted(definitions.items()))}
    return {"$schema": DIALECT, **_rewritten(whole)}


def _family_definitions(family: Family) -> dict[str, Any]:
    """One definition for each part, named `layer.dense`, and one for `any layer`, named `layer`."""
    definitions: dict[str, Any] = {}
    bare: list[str] = []
    for name in family.names():
        part = family.find(name).model_json_schema()
        definitions |= part.pop("$defs", {})
        names = [name, *(alias for alias, canonical in family.aliases().items() if canonical == name)]
        kind = {"const": name} if len(names) == 1 else {"enum": names}
        part["properties"] = {"type": kind, **part.get("properties", {})}
        if not part.get("required"):
            bare += names
        part["required"] = ["type", *part.get("required", [])]
        part["additionalProperties"] = False
        part["title"] = f"{name} ({family.noun})"
        definitions[_key(family.noun, name)] = part
    choices = [{"$ref": _DEFINITIONS + _key(family.noun, name)} for name in family.names()]
    alone = [{"enum": bare, "description": f"the name of {family.noun_with_article}"}] if bare else []
    definitions[_key(family.noun)] = {"anyOf": [*alone, *choices]} if alone or choices else {"not": {}}
    return definitions


def _key(noun: str, *name: str) -> str:
    return ".".join((noun.replace(" ", "_"), *name))


def _rewritten(schema: Any) -> Any:
    """Refers to families where fields hold parts, and lets a reference stand for every scalar that is no text."""
    if isinstance(schema, list):
        return [_rewritten(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if PART_OF in schema:
        rest = {key: value for key, value in schema.items() if key != PART_OF}
        return {"$ref": _DEFINITIONS + _key(schema[PART_OF]), **rest}
    result = {key: value if key == "default" else _rewritten(value) for key, value in schema.items()}
    if "oneOf" in result:  # `{type: mse}` also looks like losses by output name, one of which is called `type`
        result["anyOf"] = result.pop("oneOf")
    properties = result.get("properties")
    if isinstance(properties, dict):
        result["properties"] = {name: _or_reference(each) for name, each in properties.items()}
    return result


def _or_reference(schema: dict[str, Any]) -> dict[str, Any]:
    schema = {key: value for key, value in schema.items() if key != "title"}
    if not (schema.get("type") in ("integer", "number", "boolean") or "enum" in schema or "anyOf" in schema):
        return schema
    outside = {key: schema[key] for key in _ANNOTATIONS if key in schema}
    inside = {key: value for key, value in schema.items() if key not in _ANNOTATIONS}
    choices = inside["anyOf"] if list(inside) == ["anyOf"] else [inside]
    return {**outside, "anyOf": [*choices, {"$ref": f"{_DEFINITIONS}reference"}]}
