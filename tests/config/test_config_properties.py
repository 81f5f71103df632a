"""What holds for every text: values and places survive the reader, and no config causes anything but a ConfigError."""

from __future__ import annotations

import math
import string
from pathlib import Path

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from trainer_cli.config.load import load_text, to_yaml
from trainer_cli.config.messages import render
from trainer_cli.config.source import SourceTree, parse
from trainer_cli.errors import ConfigError

SLOW = settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
# What can stand in a file. The parser takes U+0085, U+2028 and U+2029 for line breaks and folds them.
characters = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters="\ufeff")
WORDS = [
    *(
        "no",
        "1e-3",
        "010",
        "0o7",
        "0x",
        "12:30",
        "null",
        "~",
        "${a}",
        "$${",
        "#",
        "<<",
        "=",
        "!x",
        "&a",
        "*a",
        "'",
        '"',
    ),
    *("1_0", "a: b", "- x", " x "),
]
texts = st.text(characters, max_size=20) | st.sampled_from(WORDS)
scalars = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False) | texts
plain = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=25
)


def same(left, right):
    """Equal, of the same types, with keys in the same order and zeros of the same sign."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right and (not isinstance(left, float) or math.copysign(1, left) == math.copysign(1, right))


def unescaped(value):
    """`to_yaml` escapes `${` in values, which references, not the reader, undo."""
    if isinstance(value, dict):
        return {key: unescaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unescaped(item) for item in value]
    return value.replace("$${", "${") if isinstance(value, str) else value


@SLOW
@given(st.dictionaries(texts, plain, max_size=5))
def test_what_is_written_is_read_again(value):
    assert same(unescaped(parse(to_yaml(value), "c.yaml").plain()), value)


@SLOW
@given(st.dictionaries(texts, plain, max_size=5))
def test_every_place_is_where_the_value_stands(value):
    text = to_yaml(value)
    tree = SourceTree(parse(text, "c.yaml"), "c.yaml")
    lines = text.split("\n")
    for node, key in walk(tree.root):
        assert lines[node.place.line - 1] == node.place.text
        rest = lines[node.place.line - 1][node.place.column - 1 :]
        if isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
            shown = rest.split(",")[0].split("}")[0].split("]")[0].split(" ")[0]
            assert parse(shown, "").value == node.value
        elif isinstance(node.value, list) and not node.value:
            assert rest.startswith("[]")
        if key is not None and key.isalnum() and key.isascii():
            name = node.key.text[node.key.column - 1 :].lstrip("'\"? ")
            assert name.startswith(key)


def walk(node, key=None):
    yield node, key
    for name, below in node.children():
        yield from walk(below, name if isinstance(name, str) else None)


VALID = """\
name: digits
seed: 7
data: {type: csv, path: x.csv, target: label, split: {validation: 0.1, stratify: true}}
architecture:
  - {type: dense, units: 64, activation: relu, kernelInitializer: {type: he_normal}}
  - &drop {type: dropout, rate: 0.1}
  - *drop
  - {type: dense, units: 10, activation: softmax, name: out}
optimizer: {type: adam, learning_rate: 2e-3}
loss: sparse_categorical_crossentropy
metrics: [accuracy, {type: accuracy, name: again}]
loss_weights: {out: 1.5}
freeze: [out]
fit: {epochs: '${env:EPOCHS:-3}', batch_size: 32, early_stopping: {monitor: val_loss, patience: 2}}
phases: [{name: first}, {optimizer: sgd, fit: {epochs: '${fit.epochs}'}}]
"""
ODD = st.sampled_from(
    [
        *("", " ", "\n", "\t", ":", ": ", "- ", "[", "]", "{", "}", ",", "'", '"', "#", "|", ">", "%", "@", "? "),
        *("&a ", "*a", "*drop", "!", "!!int ", "<<: ", "---\n", "${", "${a}", "${fit}", "${env:X}", "null", "type"),
        *("0", "-1", "1e999", "9" * 50, ".nan", ".inf", "1e400", "\x00", "\u2028", "é", "\ufeff"),
    ]
)


def outcome(text, overrides=()):
    try:
        return load_text(text, Path("c.yaml"), overrides, {"X": "1"})
    except ConfigError as error:
        return error


def never_anything_else(text, overrides=()):
    """The text loads, and so does its dump; or problems are told, each with its place, in words of this program."""
    found = outcome(text, overrides)
    if not isinstance(found, ConfigError):
        assert load_text(found.dump_yaml(), Path("c.yaml"), (), {}).dump() == found.dump()
        return
    assert found.problems
    assert all(problem.place or problem.message.startswith("c.yaml: ") for problem in found.problems)
    shown = render(found.problems)
    assert "pydantic" not in shown
    assert "Input should" not in shown


def test_the_config_that_is_mutated_is_valid():
    assert load_text(VALID, Path("c.yaml"), (), {}).config.fit.epochs == 3


@SLOW
@given(st.lists(st.tuples(st.integers(0, len(VALID)), st.integers(0, 12), ODD), min_size=1, max_size=4))
def test_a_text_with_random_edits_is_loaded_or_refused(edits):
    text = VALID
    for position, removed, inserted in edits:
        text = text[:position] + inserted + text[position + removed :]
    never_anything_else(text)


PATHS = [
    *("name", "seed", "data", "data.path", "data.split", "data.split.validation", "data.type"),
    *("architecture", "architecture[0]", "architecture[0].units", "architecture[0].activation"),
    *("architecture[0].type", "architecture[1].rate", "architecture[3].name"),
    *("architecture[0].kernelInitializer", "architecture[0].input", "architecture[9]", "optimizer"),
    *("optimizer.type", "optimizer.learning_rate", "loss", "loss.type", "metrics", "metrics[0]"),
    *("metrics[1].name", "loss_weights", "loss_weights.out", "freeze", "freeze[0]", "fit", "fit[0]"),
    *("fit.epochs", "fit.batchSize", "fit.early_stopping", "fit.early_stopping.mode", "fit.checkpoint"),
    *("phases", "phases[0]", "phases[1].fit", "phases[0].loss", "phases[0].metrics"),
    *("phases[1].fit.early_stopping.patience", "x.y"),
]


@SLOW
@given(st.lists(st.tuples(st.sampled_from(PATHS), plain), min_size=1, max_size=3))
@example([("fit.early_stopping", {"min_delta": 10**400})])
@example([("optimizer.learning_rate", 10**400)])
@example([("loss", {"": {}})])
@example([("architecture", {"layers": "dense"})])
@example([("metrics", {"a": {"b": []}})])
def test_random_values_anywhere_are_accepted_or_refused(changes):
    never_anything_else(VALID, [f"{path}={flow(value)}" for path, value in changes])


def flow(value):
    return yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6)


@SLOW
@given(st.text(string.printable, max_size=60))
def test_any_text_is_a_config_or_refused(text):
    never_anything_else(text)


@SLOW
@given(st.lists(st.text(max_size=30), max_size=3))
def test_any_override_is_applied_or_refused(overrides):
    never_anything_else(VALID, overrides)
