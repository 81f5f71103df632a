"""What a change of phase keeps, how learning rates are reported, and what is said to who forgot to compile."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from trainer_cli.config.load import load_text
from trainer_cli.errors import ConfigError
from trainer_cli.ir import language as ir
from trainer_cli.parts.schedule import Schedule
from trainer_cli.training.compiled import check_compiled
from trainer_cli.training.phases import changed_keys, check_weights, learning_rate
from trainer_cli.training.preparation import plan_phases
from trainer_cli.training.state import Binding, Counters, Plateau, RunState


class Halving(Schedule):
    factor: float = 0.5

    def rate(self, scope):
        return ir.power(scope.hyperparameter("factor"), scope.step)


def test_a_schedule_is_asked_for_the_last_update(linear):
    optimizer = SimpleNamespace(learning_rate=Halving())
    assert learning_rate(linear.Program(), optimizer, RunState(counters=Counters(optimizer_step=1))) == 1.0
    assert learning_rate(linear.Program(), optimizer, RunState(counters=Counters(optimizer_step=4))) == 0.125
    assert (
        learning_rate(linear.Program(), optimizer, RunState(counters=Counters(optimizer_step=4, schedule_start=2)))
        == 0.5
    )
    optimizer = SimpleNamespace(learning_rate=3.0)
    assert (
        learning_rate(linear.Program(), optimizer, RunState(counters=Counters())) == 0.05
    )  # what the program really runs with
    reduced = RunState(plateau=Plateau(rate=0.01))
    assert learning_rate(linear.Program(), optimizer, reduced) == 0.01


def test_every_difference_between_bindings_is_told():
    old = Binding("adam", {"amsgrad": False}, ["a", "b"], {"a/m": [2], "b/m": [2]})
    assert old.difference(Binding("adam", {"amsgrad": False}, ["a", "b"], {"a/m": [2], "b/m": [2]})) is None
    assert old.difference(Binding("adam", {"amsgrad": True}, ["a", "b"], {})) == "`amsgrad` of adam changed"
    told = old.difference(Binding("sgd", {}, ["b", "c"], {}))
    assert "from adam to sgd" in told
    assert "no longer trained: a; now trained: c" in told
    told = old.difference(Binding("adam", {"amsgrad": False}, ["a", "b"], {"a/m": [3]}))
    assert told == "the state that adam keeps per weight changed"


@pytest.mark.parametrize(
    ("optimizer", "loss", "missing"),
    [(None, "x", "`optimizer` is missing"), ("x", None, "`loss` is missing"), (None, None, "`loss` are missing")],
)
def test_what_is_missing_for_training_is_named(optimizer, loss, missing):
    layers = [SimpleNamespace(activation=SimpleNamespace(type="sigmoid"))]
    config = SimpleNamespace(architecture=SimpleNamespace(layers=layers))
    with pytest.raises(ConfigError) as caught:
        check_compiled(optimizer, loss, config, ("phases", 0))
    (problem,) = caught.value.problems
    assert missing in problem.message
    assert problem.path == ("phases", 0)
    assert ("loss: binary_crossentropy" in problem.hint) == (loss is None)
    assert ("optimizer: adam" in problem.hint) == (optimizer is None)
    check_compiled("x", "x", config, ())


def test_weights_of_another_architecture_are_listed(linear):
    program = linear.Program(features=4)
    state = RunState(weights={**linear.Program(features=3).initial_state(0), "old/kernel": None})
    state.weights = {name: state.weights[name] for name in ("dense_1/kernel", "old/kernel")}
    with pytest.raises(ConfigError) as caught:
        check_weights(state, program)
    messages = [problem.message for problem in caught.value.problems]
    assert messages[1:] == [
        "weight `dense_1/kernel` changed its shape from (3,) to (4,)",
        "weight `dense_1/bias` () is new",
        "weight `old/kernel` is gone",
    ]


def test_changed_keys_are_found_at_any_depth():
    old = {"a": {"b": [1, {"c": 2}]}, "gone": 1, "list": [1]}
    new = {"a": {"b": [1, {"c": 3}]}, "new": None, "list": [1, 2]}
    assert changed_keys(old, new) == [("a.b[1].c", 2, 3), ("gone", 1, None), ("list", [1], [1, 2])]


def test_problems_of_all_phases_are_found_before_the_data_is_read(tmp_path):
    (tmp_path / "d.csv").write_text("x,y\n1,0\n2,text that would be refused\n")
    text = """
    data: {type: csv, path: d.csv, target: y}
    architecture: [{type: dense, units: 1}]
    optimizer: sgd
    loss: mean_squared_error
    phases:
      - {fit: {checkpoint: {monitor: accurcy}}}
      - {fit: {early_stopping: {monitor: val_loss}}}
    """
    loaded = load_text(text, tmp_path / "c.yaml", [], {})
    with pytest.raises(ConfigError) as caught:
        plan_phases(loaded.config, tmp_path)
    paths = [problem.path for problem in caught.value.problems]
    assert paths == [
        ("phases", 0, "fit", "checkpoint", "monitor"),
        ("phases", 1, "fit", "early_stopping", "monitor"),
    ]


def test_a_problem_of_a_phases_own_key_stands_in_the_phase(tmp_path):
    (tmp_path / "d.csv").write_text("x,y\n1,0\n2,1\n")
    text = """
    data: {type: csv, path: d.csv, target: y}
    architecture: [{type: dense, units: 1}]
    optimizer: {type: adamw, exclude_from_weight_decay: [kernl]}
    loss: mean_squared_error
    phases:
      - {}
      - {optimizer: {type: sgd, exclude_from_weight_decay: [bias, bais]}}
    """
    loaded = load_text(text, tmp_path / "c.yaml", [], {})
    with pytest.raises(ConfigError) as caught:
        plan_phases(loaded.config, tmp_path)
    assert [problem.path for problem in caught.value.problems] == [
        ("optimizer", "exclude_from_weight_decay", 0),
        ("phases", 1, "optimizer", "exclude_from_weight_decay", 1),
    ]
