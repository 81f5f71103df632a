"""The JSON Schema: is one, accepts every example and refuses what the loader refuses."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from trainer_cli.config.json_schema import json_schema
from trainer_cli.config.load import load_text
from trainer_cli.config.source import parse
from trainer_cli.errors import ConfigError
from trainer_cli.parts.families import FAMILIES

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
HEAD = "architecture: [{type: dense, units: 2, activation: relu}, flatten]\n"


@pytest.fixture(scope="module")
def schema():
    return json_schema()


@pytest.fixture(scope="module")
def accepts(schema):
    validator = jsonschema.Draft202012Validator(schema)
    return lambda text: validator.is_valid(parse(text, "c.yaml").plain())


def test_it_is_a_schema_of_its_draft(schema):
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)


def test_every_part_is_a_definition(schema):
    for family in FAMILIES:
        for name in family.names():
            assert f"{family.noun.replace(' ', '_')}.{name}" in schema["$defs"]


def test_every_reference_has_its_definition(schema):
    def references(value):
        if isinstance(value, dict):
            if "$ref" in value:
                yield value["$ref"]
            for each in value.values():
                yield from references(each)
        elif isinstance(value, list):
            for each in value:
                yield from references(each)

    assert {reference.removeprefix("#/$defs/") for reference in references(schema)} <= set(schema["$defs"])


def test_every_key_of_a_section_is_described(schema):
    for name in ("Fit", "EarlyStopping", "Checkpoint", "Phase"):
        for key, each in schema["$defs"][name]["properties"].items():
            assert each.get("description"), f"{name}.{key}"
    assert all(each.get("description") for each in schema["properties"].values())


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_it_accepts_every_example(path, schema):
    jsonschema.Draft202012Validator(schema).validate(parse(path.read_text(encoding="utf-8"), path.name).plain())


@pytest.mark.parametrize(
    "text",
    [
        HEAD,
        "architecture: {layers: [flatten]}",
        HEAD + "loss: mse",
        HEAD + "loss: {type: mse}",
        HEAD + "loss: {out: mse}",
        HEAD + "metrics: {out: [acc]}",
        HEAD + "optimizer: {type: adam, learning_rate: 1}",
        HEAD + "fit: {epochs: '${env:EPOCHS}', early_stopping: {patience: 2}}",
        HEAD + "phases: [{optimizer: sgd, fit: {epochs: 2}}]",
    ],
)
def test_what_it_accepts(text, accepts):
    assert accepts(text)
    load_text(text, Path("c.yaml"), (), {"EPOCHS": "3"})


@pytest.mark.parametrize(
    "text",
    [
        "name: x",
        "architecture: []",
        "architecture: [dense]",
        "architecture: [{type: dense}]",
        "architecture: [{units: 3}]",
        "architecture: [{type: dens, units: 2}]",
        "architecture: [{type: dense, units: 2, unit: 3}]",
        "architecture: [{type: dense, units: 0}]",
        "architecture: [{type: dense, units: 2, activation: rel}]",
        HEAD + "fit: {epochs: x}",
        HEAD + "fit: {epoch: 3}",
        HEAD + "optimiser: adam",
        HEAD + "metrics: accuracy",
        HEAD + "loss: 3",
        HEAD + "seed: 4294967296",
    ],
)
def test_what_it_refuses(text, accepts):
    assert not accepts(text)
    with pytest.raises(ConfigError):
        load_text(text, Path("c.yaml"), (), {})
