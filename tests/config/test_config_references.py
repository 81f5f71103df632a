"""Overrides and references: what they change, what type they have, and what is refused."""

from __future__ import annotations

import pytest

from trainer_cli.config.references import apply_overrides, escape, read_path, resolve_references, show_path
from trainer_cli.config.source import parse
from trainer_cli.errors import ConfigError

TEXT = """\
name: x
fit: {epochs: 3, batchSize: 8}
optimizer: adam
architecture:
  - {type: dense, units: 4}
  - dropout
data:
"""


def overridden(*overrides, text=TEXT):
    root = parse(text, "c.yaml")
    apply_overrides(root, overrides)
    return root.plain()


def resolved(text, **environ):
    root = parse(text, "c.yaml")
    resolve_references(root, environ)
    return root.plain()


def problems(call, *arguments, **keywords):
    with pytest.raises(ConfigError) as caught:
        call(*arguments, **keywords)
    return [(str(each.place), each.message, each.hint) for each in caught.value.problems]


@pytest.mark.parametrize("path", [("a",), ("a", 0), ("a", "b", 12, 3, "c-d"), ("a", -1, "b")])
def test_paths_read_as_they_are_shown(path):
    assert read_path(show_path(path)) == path


@pytest.mark.parametrize("text", ["", ".a", "a.", "a..b", "[0]", "a[x]", "a[", "a]", "a[0]b", "a b", "a.[0]"])
def test_paths_that_are_none(text):
    with pytest.raises(ValueError, match="a path looks like"):
        read_path(text)


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("name=y", ("name",), "y"),
        ("name=", ("name",), None),
        ("name=a=b", ("name",), "a=b"),
        ("name='1'", ("name",), "1"),
        ("name=50%", ("name",), "50%"),
        (" fit.epochs = 7 ", ("fit", "epochs"), 7),
        ("fit.epochs=1e-3", ("fit", "epochs"), 1e-3),
        ("fit={epochs: 9}", ("fit",), {"epochs": 9}),
        ("fit.batch_size=16", ("fit", "batchSize"), 16),
        ("fit.early_stopping.patience=2", ("fit", "early_stopping", "patience"), 2),
        ("architecture[0].units=5", ("architecture", 0, "units"), 5),
        ("architecture.layers[0].units=5", ("architecture", 0, "units"), 5),
        ("architecture[-1]=flatten", ("architecture", 1), "flatten"),
        ("architecture[1].rate=0.5", ("architecture", 1), {"type": "dropout", "rate": 0.5}),
        ("optimizer.learning_rate=2e-3", ("optimizer",), {"type": "adam", "learning_rate": 2e-3}),
        ("data.path=a.csv", ("data",), {"path": "a.csv"}),
        ("new.deep.key=[1, x]", ("new", "deep", "key"), [1, "x"]),
    ],
)
def test_an_override_changes_one_value(override, path, value):
    found = overridden(override)
    for step in path:
        found = found[step]
    assert found == value
    assert type(found) is type(value)


def test_later_overrides_see_what_earlier_ones_made():
    assert overridden("loss.type=mse", "loss.delta=2", "loss.type=huber")["loss"] == {"type": "huber", "delta": 2}


def test_the_layers_of_an_architecture_in_its_long_form():
    text = "architecture: {layers: [{units: 1}]}"
    assert overridden("architecture[0].units=2", text=text) == {"architecture": {"layers": [{"units": 2}]}}


def test_an_overridden_value_stands_on_the_command_line():
    root = parse(TEXT, "c.yaml")
    apply_overrides(root, ["fit.epochs=\n x"])
    epochs = root.value["fit"].value["epochs"]
    assert str(epochs.place) == "--set fit.epochs= x"
    assert str(epochs.key) == "c.yaml:2:7"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("fit.epochs", "an override is `path=VALUE`, such as `fit.epochs=20`"),
        ("=3", "the path is missing; a path looks like `architecture[0].units`"),
        ("a..b=3", "`a..b` is no path; a path looks like `architecture[0].units`"),
        ("architecture[2].units=3", "`architecture` has 2 entries, [2] is not among them; the last is [1]"),
        ("architecture.units=3", "`architecture` is a list of 2; write `architecture[0]` for its first entry"),
        ("architecture[-3]=3", "`architecture` has 2 entries, [-3] is not among them; the last is [1]"),
        ("fit[0]=3", "`fit` is not a list, it has no entry [0]"),
        ("nothing[0]=3", "`nothing` is empty, it has no entry [0]"),
        ("data[0]=3", "`data` is empty, it has no entry [0]"),
        ("fit.epochs.x=3", "`fit.epochs` is a single value, it has no keys"),
        ("fit=[1", "expected `,` or `]`"),
        ("fit=!x 1", "the tag `!x` is not supported"),
        ("fit={a: 1, a: 2}", "the key `a` is given twice"),
        (".".join("a" * 101) + "=1", "a path has at most 100 steps"),
        (".".join("a" * 99) + "=[[[1]]]", "the config is nested more than 100 levels deep"),
    ],
)
def test_overrides_that_are_refused_are_quoted(override, message):
    ((place, said, _),) = problems(overridden, override)
    assert (place, said) == (f"--set {override}", message)


def test_all_wrong_overrides_are_told():
    assert len(problems(overridden, "a", "fit.epochs=1", "b")) == 2


@pytest.mark.parametrize(
    ("text", "environ", "expected"),
    [
        ("a: ${env:X}", {"X": "3"}, 3),
        ("a: ${env:X}", {"X": "1e-3"}, 1e-3),
        ("a: '${env:X}'", {"X": "true"}, True),
        ("a: ${env:X}", {"X": "no"}, "no"),
        ("a: ${env:X}", {"X": "'010'"}, "010"),
        ("a: ${env:X}", {"X": "'it is"}, "'it is"),
        ("a: ${env:X}", {"X": ""}, None),
        ("a: ${env:X}", {"X": "[1, 2]"}, "[1, 2]"),
        ("a: ${env:X}", {"X": "a: b"}, "a: b"),
        ("a: ${env:X}", {"X": "${env:Y}"}, "${env:Y}"),
        ("a: ${env:X:-7}", {}, 7),
        ("a: ${env:X:-7}", {"X": ""}, 7),
        ("a: ${env:X:-7}", {"X": "8"}, 8),
        ("a: ${env:X:-}", {}, None),
        ("a: ${env:X:-a:-b}", {}, "a:-b"),
        ("a: /data/${env:X}/${env:Y:-y}.csv", {"X": "010"}, "/data/010/y.csv"),
        ("a: $${env:X}", {}, "${env:X}"),
        ("a: $$${env:X}", {}, "$${env:X}"),
        ("a: cost $5 {b}", {}, "cost $5 {b}"),
    ],
)
def test_environment_variables(text, environ, expected):
    value = resolved(text, **environ)["a"]
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: ${b}\nb: 3", 3),
        ("a: ${b}\nb: {c: [1, '${d}']}\nd: x", {"c": [1, "x"]}),
        ("a: ${b.c[1]}\nb: {c: [1, 2]}", 2),
        ("a: ${b}\nb: ${c}\nc: ${d}\nd: 2.5", 2.5),
        ("a: ${b.c}\nb: ${d}\nd: {c: 1}", 1),
        ("a: ${b.batch_size}\nb: {batchSize: 1}", 1),
        ("a: n${b}-${c}-${d}\nb: 3\nc: true\nd: 1e-5", "n3-true-1e-05"),
        ("a: ${b.d}\nb: {c: '${a}', d: 1}", 1),
        ("a: $${b}", "${b}"),
        ("a: ${b}\nb: $${c}", "${c}"),
    ],
)
def test_references_to_the_config(text, expected):
    assert resolved(text)["a"] == expected


def test_a_reference_to_a_mapping_is_a_copy():
    root = parse("a: ${b}\nb: {c: 1}", "c.yaml")
    resolve_references(root, {})
    root.value["a"].value["c"].value = 2
    assert root.plain()["b"] == {"c": 1}


def test_references_see_overrides():
    root = parse("a: ${b}\nb: 1", "c.yaml")
    apply_overrides(root, ["b=2", "c=${a}"])
    resolve_references(root, {})
    assert root.plain() == {"a": 2, "b": 2, "c": 2}


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("a: ${b}\nc: 1", "c.yaml:1:4", "`b` is not given in this config", None),
        ("a: ${fit.epoch}\nfit: {epochs: 1}", "c.yaml:1:4", "`fit.epoch` is not given in this config",
         "did you mean `fit.epochs`?"),
        ("x: 1\na: ${HOMEDIR}", "c.yaml:2:4", "`HOMEDIR` is not given in this config",
         "did you mean `${env:HOMEDIR}`?"),
        ("a: ${env:HOMEDIT}", "c.yaml:1:4", "the environment variable `HOMEDIT` is not set",
         "did you mean `HOMEDIR`? `${env:HOMEDIT:-VALUE}` gives a default"),
        ("a: ${env:}", "c.yaml:1:4", "`${env:}` names no environment variable", None),
        ("a: ${env:LONG}", "c.yaml:1:4", "`${env:LONG}`: a number of 5000 digits is too long", None),
        ("a: ${b[}\nb: 1", "c.yaml:1:4", "`${b[}`: `b[` is no path; a path looks like `architecture[0].units`", None),
        ("a: ${}", "c.yaml:1:4", "`${}`: the path is missing; a path looks like `architecture[0].units`", None),
        ("a: x${b", "c.yaml:1:4", "`${` without its `}`", "write `$${` for the two characters themselves"),
        ("a: x${b}\nb: {c: 1}", "c.yaml:1:4", "`b` is a mapping and cannot stand inside a text", None),
        ("a: x${b}\nb: []", "c.yaml:1:4", "`b` is a list and cannot stand inside a text", None),
        ("a: x${b}\nb:", "c.yaml:1:4", "`b` is empty and cannot stand inside a text", None),
        ("a: ${b[3]}\nb: [1]", "c.yaml:1:4", "`b[3]` is not given in this config", None),
        ("a: ${a}", "c.yaml:1:4", "references go in a circle: a → a", None),
        ("a: ${a.b}", "c.yaml:1:4", "references go in a circle: a → a", None),
        ("a: {b: '${a}'}", "c.yaml:1:8", "references go in a circle: a → a.b → a", None),
    ],
)  # fmt: skip
def test_references_that_are_refused(text, place, message, hint):
    assert problems(resolved, text, HOMEDIR="/", LONG="1" * 5000) == [(place, message, hint)]


def test_a_circle_is_told_with_its_members():
    found = problems(resolved, "a: ${b}\nb: ${c}\nc: ${a}")
    assert ("c.yaml:3:4", "references go in a circle: a → b → c → a", None) in found


def test_a_chain_of_many_references_is_no_crash():
    chain = "\n".join(f"a{n}: ${{a{n + 1}}}" for n in range(5000)) + "\na5000: 1"
    assert "too many times" in problems(resolved, chain)[0][1]


def test_a_chain_of_some_references_is_followed():
    chain = "\n".join(f"a{n}: ${{a{n + 1}}}" for n in range(40)) + "\na40: 1"
    assert resolved(chain)["a0"] == 1


def test_texts_that_double_are_stopped():
    text = "\n".join(f"a{n}: '${{a{n - 1}}}${{a{n - 1}}}'" for n in range(1, 60)) + "\na0: xx"
    assert "more than 1,000,000 characters" in problems(resolved, text)[0][1]


def test_copies_that_double_are_stopped():
    text = "\n".join(f"a{n}: ['${{a{n - 1}}}', '${{a{n - 1}}}']" for n in range(1, 60)) + "\na0: xx"
    assert "expands to more than 100,000 values" in problems(resolved, text)[0][1]


def test_secrets_that_are_not_text_are_refused():
    assert "not UTF-8" in problems(resolved, "a: ${env:X}", X="\udcff")[0][1]
    assert "NUL" in problems(resolved, "a: ${env:X}", X="\0")[0][1]


@pytest.mark.parametrize("text", ["${a}", "$${a}", "$$${", "a ${", "$", "{}"])
def test_an_escaped_text_reads_as_itself(text):
    root = parse("a: 1", "c.yaml")
    root.value["a"].value = escape(text)
    resolve_references(root, {})
    assert root.plain() == {"a": text}
