"""What `list`, `explain` and the reference pages tell of parts is what their files say."""

from __future__ import annotations

import pytest

from trainer_cli.errors import ConfigError
from trainer_cli.parts.families import FAMILIES, LAYERS, LOSSES, OPTIMIZERS, SOURCES
from trainer_cli.reports import explanation, vocabulary

PARTS = [pytest.param(family, name, id=f"{family.noun}-{name}") for family in FAMILIES for name in family.names()]


@pytest.mark.parametrize(("family", "name"), PARTS)
def test_every_part_can_be_explained(family, name):
    entry = vocabulary.entry(family, name)
    assert len(entry.summary) > 10
    assert not entry.summary.endswith(".")
    assert [argument for argument in entry.arguments if argument.name in family.find(name).model_fields] or not list(
        family.find(name).model_fields
    )
    for argument in entry.arguments:
        assert argument.kind != "any value", argument
        assert argument.description, argument
    text = "\n".join(explanation.entry_text(entry))
    assert max(map(len, text.splitlines())) <= 120 or "`" in text
    assert entry.name in explanation.in_config(entry)


@pytest.mark.parametrize(
    ("family", "name", "argument", "kind", "default"),
    [
        (LAYERS, "dense", "units", "integer > 0", None),
        (LAYERS, "dense", "activation", "activation", "linear"),
        (LAYERS, "dense", "kernel_regularizer", "regularizer or null", "null"),
        (LAYERS, "lstm", "dropout", "number ≥ 0, < 1", "0"),
        (LAYERS, "max_pooling2d", "padding", "valid | same", "valid"),
        (LAYERS, "max_pooling2d", "pool_size", "integer or list of integers", "2"),
        (LAYERS, "dot", "axes", "integer or list of 2 integers", None),
        (LAYERS, "bidirectional", "layer", "layer", None),
        (OPTIMIZERS, "adam", "epsilon", "number > 0", "1e-07"),
        (SOURCES, "csv", "delimiter", '"," | ";" | "\\t" | "|" | " " or null', "null"),
        (SOURCES, "csv", "split.stratify", "boolean", "false"),
    ],
)
def test_kinds_and_defaults_in_words(family, name, argument, kind, default):
    (found,) = [each for each in vocabulary.entry(family, name).arguments if each.name == argument]
    assert (found.kind, found.default) == (kind, default)


def test_what_must_be_given_comes_first_and_what_all_layers_have_last():
    names = [argument.name for argument in vocabulary.entry(LAYERS, "dense").arguments]
    assert names[0] == "units"
    assert names[-5:] == ["name", "inputs", "trainable", "learning_rate_multiplier", "activity_regularizer"]


def test_a_name_in_two_families_has_two_entries_and_aliases_lead_there():
    assert [entry.family for entry in vocabulary.entries("meanSquaredError")][:1] == [LOSSES]
    assert len(vocabulary.entries("mse")) == 2
    assert [entry.name for entry in vocabulary.entries("mse", [LOSSES])] == ["mean_squared_error"]


@pytest.mark.parametrize("name", vocabulary.SECTIONS)
def test_sections_of_a_config_are_explained_too(name):
    (entry,) = vocabulary.entries(name)
    text = "\n".join(explanation.entry_text(entry))
    assert text.startswith(f"section {name}\n")
    assert all(argument.description for argument in entry.arguments)
    assert len(entry.arguments) > 1


def test_the_keys_of_a_section_reach_into_those_below():
    (entry,) = vocabulary.entries("fit")
    found = {argument.name: argument for argument in entry.arguments}
    assert found["epochs"].default == "1"
    assert found["checkpoint.keep"].kind == "integer > 0 or null"
    assert found["early_stopping"].kind == "mapping or null"


def test_names_that_do_not_exist_are_refused_with_the_nearest():
    with pytest.raises(ConfigError) as refused:
        vocabulary.entries("sofmax")
    assert "softmax" in (refused.value.problems[0].hint or "")
    with pytest.raises(ConfigError) as refused:
        vocabulary.family_called("optimisers")
    assert refused.value.problems[0].hint == "did you mean `optimizers`?"
    with pytest.raises(ConfigError) as refused:
        vocabulary.entries("zzzzzz")
    assert "trainer list" in (refused.value.problems[0].hint or "")


@pytest.mark.parametrize("name", ["layers", "layer", "sources", "source", "data_source", "data source"])
def test_families_have_a_singular_and_a_plural(name):
    assert vocabulary.family_called(name.replace(" ", "_")).noun in ("layer", "data source")


def test_columns_wrap_in_place():
    lines = explanation.columns([("a", "one two three four five six"), ("bbb", "x")], 25)
    assert lines == ["a    one two three four", "     five six", "bbb  x"]
    assert explanation.columns([("a_long_kind | of_choice | more", "x")], 36) == [
        "a_long_kind   x",
        "| of_choice",
        "| more",
    ]


def test_a_page_escapes_what_would_end_a_cell():
    text = explanation.page(LAYERS)
    assert "valid \\| same" in text
    assert "| `units` | integer > 0 | required | number of outputs |" in text
