"""All names of Keras in; a part or a field for each, or an entry that says why there is none, out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.golden_layers import stored
from trainer_cli.config.load import load_text
from trainer_cli.errors import ConfigError
from trainer_cli.parts.families import FAMILIES, plain_key, snake_case
from trainer_cli.parts.left_out import ARGUMENTS, PARTS, argument

NAMES = stored("keras_names.json")["names"]
BY_NOUN = {family.noun: family for family in FAMILIES}
OURS = {
    "name": "parts but layers and metrics have no name of their own",
    "trainable": "that of a layer",
}
"""Arguments that every class of Keras has, and not every part here."""


@pytest.mark.parametrize("noun", NAMES)
def test_every_name_of_keras_is_a_part_or_left_out_with_a_reason(noun: str) -> None:
    family = BY_NOUN[noun]
    missing = [name for name in NAMES[noun] if family.canonical(name) is None]
    assert [name for name in missing if (noun, snake_case(name)) not in PARTS] == []


@pytest.mark.parametrize("noun", NAMES)
def test_every_argument_of_keras_is_a_field_or_left_out_with_a_reason(noun: str) -> None:
    family, unknown = BY_NOUN[noun], []
    for name, arguments in NAMES[noun].items():
        canonical = family.canonical(name)
        if canonical is not None:
            fields = family.find(canonical).model_fields
            unknown += [
                f"{canonical}.{key}"
                for key in map(plain_key, arguments)
                if key not in fields and argument(canonical, key) is None and key not in OURS
            ]
    assert unknown == []


def test_nothing_is_left_out_that_is_there() -> None:
    assert [name for noun, name in PARTS if BY_NOUN[noun].canonical(name) is not None] == []
    dotted = [name.split(".") for name in ARGUMENTS if "." in name]
    for part, key in dotted:
        (owner,) = [family.find(part) for family in FAMILIES if part in family.names()]
        assert key not in owner.model_fields, f"{part}.{key}"


@pytest.mark.parametrize(
    ("layer", "words", "hint"),
    [
        ({"type": "lambda"}, "a config holds no code, so there is no layer `lambda`", "combine layers"),
        ({"type": "MixUp"}, "there is no layer `mix_up`", "random_flip"),
        (
            {"type": "lstm", "units": 2, "returnState": True},
            "unknown key `returnState` of layer `lstm`: a layer",
            "stateful",
        ),
        ({"type": "dense", "units": 2, "lora_rank": 2}, "no low-rank adapters", "freeze"),
    ],
    ids=str,
)
def test_a_config_that_names_it_is_told_why(layer: dict[str, Any], words: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(yaml.safe_dump({"architecture": [layer]}), Path("model.yaml"))
    (problem,) = caught.value.problems
    assert words in problem.message
    assert hint in (problem.hint or "")
