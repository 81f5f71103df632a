"""What users read when a config is wrong: exact text, place, caret and hint."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from trainer_cli.config.load import load_text, read_config
from trainer_cli.config.messages import render
from trainer_cli.errors import ConfigError, Place, Problem

HEAD = "architecture: [{type: dense, units: 2}]\n"


def rendered(text, *overrides, head=HEAD, **environ):
    with pytest.raises(ConfigError) as caught:
        load_text(head + text, Path("c.yaml"), overrides, environ)
    return render(caught.value.problems)


def golden(text):
    return textwrap.dedent(text).strip("\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("optimiser: adam", "2:1: unknown key `optimiser`\n hint: did you mean `optimizer`?"),
        ("epochs: 3", "2:1: unknown key `epochs`\n hint: it belongs under `fit:`"),
        ("num_epochs: 3", "2:1: unknown key `num_epochs`\n hint: it belongs under `fit:` as `epochs`"),
        ("learning_rate: 3", "2:1: unknown key `learning_rate`\n hint: it belongs under `optimizer:`"),
        ("optimizer: sgd\nmomentum: .9", "3:1: unknown key `momentum`\n hint: it belongs under `optimizer:`"),
        (
            "fit: {patience: 3}",
            "2:7: fit: unknown key `patience`\n"
            " hint: it belongs under `fit.early_stopping:` or under `fit.reduce_learning_rate_on_plateau:`",
        ),
        (
            "fit: {monitor: loss}",
            "2:7: fit: unknown key `monitor`\n"
            " hint: it belongs under `fit.early_stopping:` or under `fit.reduce_learning_rate_on_plateau:` "
            "or under `fit.checkpoint:`",
        ),
        ("fit: {loss: mse}", "2:7: fit: unknown key `loss`\n hint: it belongs at the top level"),
        (
            "fit: {validation: .1}\ndata: {type: csv, path: a}",
            "2:7: fit: unknown key `validation`\n hint: it belongs under `data.split:`",
        ),
        (
            "optimizer: {type: adam, lr: 0.1}",
            "2:25: optimizer: unknown key `lr` of optimizer `adam`\n hint: it is called `learning_rate` here",
        ),
        (
            "optimizer: {type: sgd, zzz: 1}",
            "2:24: optimizer: unknown key `zzz` of optimizer `sgd`\n"
            " hint: known keys: learning_rate, weight_decay, exclude_from_weight_decay, clipnorm, clipvalue, "
            "global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency, gradient_accumulation_steps, "
            "momentum, nesterov, rate_in_velocity",
        ),
        (
            "optimizer: {type: adam, learning_rate: {type: cosine_decay, initial_learning_rate: 0.1}}",
            "2:25: optimizer.learning_rate: schedule `cosine_decay` needs the key `decay_steps`\n"
            " hint: `decay_steps`: number T of updates in which the rate falls",
        ),
        (
            "optimizer: {type: adam, learning_rate: cosine}",
            "2:40: optimizer.learning_rate: unknown schedule `cosine`\n hint: did you mean `cosine_decay`?",
        ),
        (
            'optimizer: {type: adam, learning_rate: "0.1"}',
            "2:40: optimizer.learning_rate: expected a number, got the text `0.1`\n hint: remove the quotes",
        ),
        (
            "optimizer: {type: adam, learning_rate: -1}",
            "2:40: optimizer.learning_rate: expected a number greater than 0, got the number -1",
        ),
        (
            "optimizer: {type: adam, clipnorm: 1, clipvalue: 1}",
            "2:49: optimizer.clipvalue: `clipnorm` and `clipvalue` exclude each other\n hint: give one of them",
        ),
        (
            "fit: {batch_size: 3, batchSize: 4}",
            "2:22: fit: the key `batch_size` is given twice, as `batchSize` too\n hint: keep `batch_size`",
        ),
        ("fit: {epochs: '2'}", "2:15: fit.epochs: expected an integer, got the text `2`\n hint: remove the quotes"),
        ("fit: {epochs: 1e1}", "2:15: fit.epochs: expected an integer, got the number 10.0\n hint: write 10"),
        ("fit: {epochs: 1.5}", "2:15: fit.epochs: expected an integer, got the number 1.5"),
        ("fit: {epochs: true}", "2:15: fit.epochs: expected an integer, got `true`"),
        ("fit: {epochs: [3]}", "2:15: fit.epochs: expected an integer, got a list of 1"),
        ("fit: {epochs: 0}", "2:15: fit.epochs: expected a number greater than 0, got the number 0"),
        ("seed: -1", "2:7: seed: expected a number of at least 0, got the number -1"),
        ("seed: 0x100000000", "2:7: seed: expected a number less than 4294967296, got the number 4294967296"),
        ("fit: {shuffle: yes}", "2:16: fit.shuffle: expected true or false, got the text `yes`\n hint: write true"),
        ("fit: {shuffle: 0}", "2:16: fit.shuffle: expected true or false, got the number 0\n hint: write false"),
        ("name: 1.0", '2:7: name: expected a text, got the number 1.0\n hint: write it in quotes: "1.0"'),
        ("name: ''", "2:7: name: expected a text that is not empty, got an empty text"),
        ("name: a/b", "2:7: name: `a/b` cannot name the run's folder\n hint: leave out `/` and `\\`"),
        ("fit:", "2:5: fit: expected a mapping, got nothing\n hint: give a value, or leave the key out"),
        ("fit: 3", "2:6: fit: expected a mapping, got the number 3"),
        ("metrics: acc", "2:10: metrics: expected a list, got the text `acc`\n hint: write [acc]"),
        (
            "metrics: {type: acc}",
            "2:10: metrics: expected a list, got a mapping\n hint: begin the entry with `- `, or put it in [ ]",
        ),
        (
            "fit: {checkpoint: {mode: Mim}}",
            "2:26: fit.checkpoint.mode: expected one of `auto`, `min`, `max`, got the text `Mim`\n"
            " hint: did you mean `min`?",
        ),
        (
            "fit: {early_stopping: {min_delta: .inf}}",
            "2:35: fit.early_stopping.min_delta: expected a finite number, got the number .inf",
        ),
        ("optimizer: adm", "2:12: optimizer: unknown optimizer `adm`\n hint: did you mean `adam`?"),
        (
            "optimizer: {type: adm}",
            "2:19: optimizer.type: unknown optimizer `adm`\n hint: did you mean `adam`?",
        ),
        ("optimizer: {learning_rate: 1}", "2:12: optimizer: an optimizer needs a `type`"),
        ("optimizer: {type: 3}", "2:19: optimizer.type: expected the name of an optimizer, got the number 3"),
        (
            "optimizer: 3",
            "2:12: optimizer: expected the name of an optimizer, or a mapping with `type`, got the number 3",
        ),
        ("optimizer: {adam: {}}",
         "2:12: optimizer: an optimizer needs a `type`\n hint: write `type: adam` and its arguments beside it"),
        ("optimizer: {class_name: SGD}", "2:12: optimizer: an optimizer needs a `type`\n hint: write `type: SGD`"),
        ("loss: {out: 3}",
         "2:13: loss.out: expected the name of a loss, or a mapping with `type`, got the number 3"),
        ("freeze: [dense_2]", "2:10: freeze[0]: no layer is called `dense_2`\n hint: did you mean `dense_1`?"),
        ("freeze: [x]", "2:10: freeze[0]: no layer is called `x`\n hint: layers: dense_1"),
        ("phases: [{fit: {epoch: 1}}]", "2:17: phases[0].fit: unknown key `epoch`\n hint: did you mean `epochs`?"),
        (
            "phases: [{optimizer: {type: sgd, momentun: 1}}]",
            "2:34: phases[0].optimizer: unknown key `momentun` of optimizer `sgd`\n hint: did you mean `momentum`?",
        ),
        ("data: {type: csv}",
         "2:1: data: data source `csv` needs the key `path`\n"
         " hint: `path`: the file, or several, or patterns such as `days/*`; `.gz` is unpacked"),
        (
            "data: {type: csv, path: a, target: 3}",
            "2:36: data.target: expected a text or a list or a mapping, got the number 3",
        ),
        ("data: {type: csv, path: a, target: [a, 3]}",
         '2:40: data.target[1]: expected a text, got the number 3\n hint: write it in quotes: "3"'),
    ],
)  # fmt: skip
def test_one_mistake(text, expected):
    first, *hint = expected.split("\n")
    found = rendered(text).split("\n")
    assert found[0] == f"c.yaml:{first}"
    assert [line.strip() for line in found[1:] if line.startswith("  hint")] == [line.strip() for line in hint]


def test_many_mistakes_are_told_at_once_in_the_order_of_the_file():
    text = """\
        name: digits
        seed: "7"
        data: {type: csv, path: digits.csv, tagret: label}
        architecture:
          - {type: dense, units: 64, activation: rleu}
          - dense: {units: 10}
          - {type: dens, units: 10}
        optimizer:
          type: adam
          learning_rte: 2e-3
        fit: {epochs: 1e1, patience: 3}
        """
    assert rendered(textwrap.dedent(text), "fit.shuffle=maybe", head="") == golden("""
        c.yaml:2:7: seed: expected an integer, got the text `7`
          2 | seed: "7"
            |       ^
          hint: remove the quotes
        c.yaml:3:37: data: unknown key `tagret` of data source `csv`
          3 | data: {type: csv, path: digits.csv, tagret: label}
            |                                     ^
          hint: did you mean `target`?
        c.yaml:5:42: architecture[0].activation: unknown activation `rleu`
          5 |   - {type: dense, units: 64, activation: rleu}
            |                                          ^
          hint: did you mean `relu`?
        c.yaml:6:5: architecture[1]: a layer needs a `type`
          6 |   - dense: {units: 10}
            |     ^
          hint: write `type: dense` and its arguments beside it
        c.yaml:7:12: architecture[2].type: unknown layer `dens`
          7 |   - {type: dens, units: 10}
            |            ^
          hint: did you mean `dense`?
        c.yaml:10:3: optimizer: unknown key `learning_rte` of optimizer `adam`
          10 |   learning_rte: 2e-3
             |   ^
          hint: did you mean `learning_rate`?
        c.yaml:11:15: fit.epochs: expected an integer, got the number 10.0
          11 | fit: {epochs: 1e1, patience: 3}
             |               ^
          hint: write 10
        c.yaml:11:20: fit: unknown key `patience`
          11 | fit: {epochs: 1e1, patience: 3}
             |                    ^
          hint: it belongs under `fit.early_stopping:` or under `fit.reduce_learning_rate_on_plateau:`
        --set fit.shuffle=maybe: fit.shuffle: expected true or false, got the text `maybe`
        """)


def test_a_config_without_layers():
    assert rendered("name: x\n", head="") == golden("""
        c.yaml:1:1: the key `architecture` is missing
          1 | name: x
            | ^
          hint: `architecture`: the layers, as a list or as {inputs, layers, outputs}
        """)


def test_a_missing_key_of_a_part_stands_at_the_part():
    assert rendered("architecture:\n- flatten\n- type: dense\n", head="") == golden("""
        c.yaml:3:3: architecture[1]: layer `dense` needs the key `units`
          3 | - type: dense
            |   ^
          hint: `units`: number of outputs
        """)


def test_syntax_that_is_no_yaml():
    assert rendered("fit:\n\tepochs: 3\n") == golden("""
        c.yaml:3:1: a tab cannot indent
          3 | \tepochs: 3
            | ^
          hint: use spaces
        """)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "c.yaml: the config is empty\n  hint: `trainer init` writes one to begin with"),
        ("# nothing\n", "c.yaml: the config is empty\n  hint: `trainer init` writes one to begin with"),
        (
            "- dense\n",
            "c.yaml:1:1: a config is a mapping such as `architecture: [...]`, this is a list of 1\n"
            "  1 | - dense\n    | ^",
        ),
    ],
)
def test_what_is_no_mapping(text, expected):
    assert rendered(text, head="") == expected


def test_a_reference_is_blamed_for_its_value():
    assert rendered("fit: {epochs: '${env:EPOCHS}'}", EPOCHS="many") == golden("""
        c.yaml:2:15: fit.epochs: expected an integer, got the text `many`
          2 | fit: {epochs: '${env:EPOCHS}'}
            |               ^
        """)


def test_a_check_across_keys_of_a_part_stands_at_their_section():
    text = "data: {type: csv, path: a, split: {test: 0.6, validation: 0.6}}"
    assert rendered(text).startswith("c.yaml:2:35: data.split: validation (0.6) and test (0.6)")


def test_values_of_a_checkpoint_are_named_by_their_origin():
    with pytest.raises(ConfigError) as caught:
        read_config({"architecture": ["flatten"], "fit": {"epoch": 3}}, "last.safetensors")
    assert render(caught.value.problems) == golden("""
        last.safetensors: fit: unknown key `epoch`
          hint: did you mean `epochs`?
        """)


def test_a_caret_stands_below_wide_characters_and_behind_tabs():
    place = Place("c.yaml", 1, 6, "日本\té: x")
    assert render([Problem("m", place=place)]).split("\n")[1:] == ["  1 | 日本\té: x", "    |     \t  ^"]


def test_a_long_line_is_quoted_around_the_column():
    line = "a" * 500 + "X" + "b" * 500
    _, quoted, caret = render([Problem("m", place=Place("c.yaml", 1, 501, line))]).split("\n")
    assert len(quoted) < 120
    assert quoted[caret.index("^")] == "X"
    assert quoted.startswith("  1 | …a")
    assert quoted.endswith("b…")


def test_control_characters_never_reach_the_terminal():
    place = Place("c.yaml", 1, 1, "a: \x85b")
    assert "\x85" not in render([Problem("m", place=place)])
    assert "\x1b" not in rendered('name: "\\e[31m/"')


def test_hints_of_several_lines_are_indented():
    problem = Problem("m", hint="add to the config:\nloss: mse")
    assert render([problem]) == "m\n  hint: add to the config:\n        loss: mse"


@pytest.mark.parametrize("key", ["(", "(x", "(single)", "(by output)"])
def test_a_key_may_look_like_anything(key):
    assert f"c.yaml:2:1: unknown key `{key}`" in rendered(f'"{key}": 1')
