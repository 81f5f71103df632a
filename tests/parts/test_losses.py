"""Losses: values and gradients as in Keras, stability of the logit forms, and findings about outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests.alike import assert_trains_alike
from tests.numeric import batch, check_gradients, compute, compute_gradients
from tests.programs import program, rows_for
from trainer_cli.compiler.program import InputSpec
from trainer_cli.data.source import Origin, TargetArray
from trainer_cli.data.targets import TargetEncoding, fit_target
from trainer_cli.errors import ConfigError, DataError
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph, Value
from trainer_cli.parts.activation import Activation
from trainer_cli.parts.families import ACTIVATIONS, LOSSES, read_part
from trainer_cli.parts.loss import Finding, Loss, Prediction
from trainer_cli.targets import open_target

NAMES = LOSSES.names()


def loss(**arguments: Any) -> Loss:
    part = read_part(LOSSES, arguments)
    assert isinstance(part, Loss)
    return part


def activation(given: Any) -> Activation | None:
    if given is None:
        return None
    part = read_part(ACTIVATIONS, given)
    assert isinstance(part, Activation)
    return part


def target_of(part: Loss, values: Any) -> Any:
    return np.asarray(values, dtype=np.int32 if part.target == "labels" else np.float64)


def test_keras_computes_the_same_values_and_gradients(keras: dict[str, Any]) -> None:
    assert {case["part"]["type"] for case in keras["losses"]} == set(NAMES)
    for case in keras["losses"]:
        part = loss(**case["part"])
        target, prediction = batch(target_of(part, case["target"])), batch(case["prediction"])

        def mean(target: Value, prediction: Value, part: Loss = part) -> Value:
            places = part.per_place(target, Prediction(prediction, most_rows=9))
            assert places.batched
            assert part.relates_places or places.shape == prediction.shape[:-1]
            counted = part.counted(target)
            if counted is not None:
                return ir.reduce_sum(places * counted) / ir.reduce_sum(counted)
            return ir.reduce_mean(places)

        found = compute(mean, target, prediction)
        tolerance = 1e-9 if case["precision"] == "float64" else 1e-6
        np.testing.assert_allclose(found, case["value"], rtol=tolerance, err_msg=str(case["part"]))
        if (
            "crossentropy" not in case["part"]["type"]
            or ((prediction.array > 1e-6) & (prediction.array < 1 - 1e-6)).all()
        ):
            # Near 1, float32 has other digits of 1 − p.
            single = compute(mean, target, prediction, precision=np.float32)
            np.testing.assert_allclose(single, case["value"], rtol=1e-5, atol=1e-6, err_msg=str(case["part"]))
        gradient = compute_gradients(mean, target, prediction)[-1]
        # Where a probability is exactly at the edge of a clip, libraries choose either side's gradient.
        inside = (prediction.array > 1e-7) & (prediction.array < 1 - 1e-7) | case["part"].get("from_logits", True)
        expected = np.where(inside, case["gradient"], gradient)
        np.testing.assert_allclose(gradient, expected, rtol=tolerance, atol=1e-11, err_msg=str(case["part"]))


LOGITS = np.array([[2.0, -1.0, 0.5], [0.3, 0.1, -0.7]])
VALUES = np.array([[0.2, 0.7, 0.1], [0.5, 0.25, 0.25]])
TARGETS = {
    "values": np.array([[0.5, -1.0, 2.0], [0.0, 0.25, 1.0]]),
    "binary": np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]]),
    "one_hot": np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]),
    "labels": np.array([2, 1], dtype=np.int32),
}


SPELLED = np.array([[2, 2, 0], [1, 2, 1]], dtype=np.int32)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("from_logits", [False, True])
def test_gradient_is_what_finite_differences_say(name: str, from_logits: bool) -> None:
    part = loss(type=name, **({"from_logits": from_logits} if "from_logits" in LOSSES.find(name).model_fields else {}))
    # Away from corners; Poisson's rates are positive, and percentages of 0 too large for differences.
    given = LOGITS * 1.1 if from_logits else VALUES
    target = TARGETS[part.target] + (3.0 if name == "mean_absolute_percentage_error" else 0)
    if name == "ctc":
        given, target = np.sin(np.arange(24.0)).reshape(2, 4, 3), SPELLED
    if name == "circle":
        given, target = np.sin(np.arange(15.0)).reshape(5, 3) / 2, np.array([0, 1, 0, 1, 1], np.int32)
    check_gradients(
        lambda prediction: part.per_place(labels_like(prediction, target), Prediction(prediction, most_rows=5)),
        batch(np.abs(given) if name == "poisson" else given),
    )


def labels_like(prediction: Value, target: Any) -> Value:
    """The target as a constant, spread to the rows of these tests."""
    rows = ir.iota(ir.reduce_sum(prediction, range(1, prediction.rank)), 0)
    return ir.gather(ir.constant(prediction.graph, target, "int" if target.dtype.kind == "i" else "float"), rows)


WITH_LOGITS = [
    ("binary_crossentropy", "sigmoid"),
    ("categorical_crossentropy", "softmax"),
    ("sparse_categorical_crossentropy", "softmax"),
]
FOCAL = [("binary_focal_crossentropy", "sigmoid"), ("categorical_focal_crossentropy", "softmax")]


@pytest.mark.parametrize(
    ("name", "function", "smoothing"),
    [(*pair, 0.0) for pair in WITH_LOGITS + FOCAL]
    + [(*pair, 0.1) for pair in WITH_LOGITS + FOCAL if not pair[0].startswith("sparse")],
)
def test_known_logits_given_logits_and_probabilities_agree(name: str, function: str, smoothing: float) -> None:
    arguments = {"type": name} | ({"label_smoothing": smoothing} if smoothing else {})
    given, plain = loss(from_logits=True, **arguments), loss(**arguments)
    made = activation(function)
    assert made is not None
    target, logits = batch(TARGETS[plain.target]), batch(LOGITS)
    by_name = [
        compute(lambda t, z: given.per_place(t, Prediction(z)), target, logits),
        compute(lambda t, z: plain.per_place(t, Prediction(made.apply(z), made, z)), target, logits),
        compute(lambda t, z: plain.per_place(t, Prediction(made.apply(z))), target, logits),
    ]
    np.testing.assert_allclose(by_name[0], by_name[1], rtol=1e-12)
    np.testing.assert_allclose(by_name[0], by_name[2], rtol=1e-9)


@pytest.mark.parametrize(("name", "function"), WITH_LOGITS)
def test_sure_and_wrong_costs_its_logit_and_has_a_gradient(name: str, function: str) -> None:
    part, made = loss(type=name), activation(function)
    assert made is not None
    # The first class is certain and wrong: log p is −2000, where p itself has been 0 for long.
    logits = np.array([[1000.0, -1000.0]])
    target = {"binary": np.array([[0.0, 1.0]]), "one_hot": np.array([[0.0, 1.0]]), "labels": np.array([1], np.int32)}

    def cost(t: Value, z: Value) -> Value:
        return part.per_place(t, Prediction(made.apply(z), made, z))

    operands = batch(target[part.target]), batch(logits)
    value = compute(cost, *operands, precision=np.float32)
    assert value == pytest.approx(1000.0 if name == "binary_crossentropy" else 2000.0)
    gradient = compute_gradients(cost, *operands, precision=np.float32)[-1]
    scale = 0.5 if name == "binary_crossentropy" else 1.0
    np.testing.assert_allclose(gradient, [[scale, -scale]])


def test_gradient_of_known_logits_is_probability_less_target() -> None:
    for name, function in WITH_LOGITS:
        part, made = loss(type=name), activation(function)
        assert made is not None
        logits = np.array([[0.0, 0.0, 0.0], [2.0, -1.0, 0.0]])
        (*_, gradient) = compute_gradients(
            lambda t, z, part=part, made=made: part.per_place(t, Prediction(made.apply(z), made, z)),
            batch(TARGETS[part.target]),
            batch(logits),
        )
        indicators = TARGETS["binary"] if function == "sigmoid" else TARGETS["one_hot"]
        wanted = compute(made.apply, batch(logits)) - indicators
        np.testing.assert_allclose(gradient, wanted / (3 if function == "sigmoid" else 1), rtol=1e-12, atol=1e-15)


def test_a_certain_wrong_probability_costs_the_clipped_logarithm() -> None:
    part = loss(type="binary_crossentropy")
    value = compute(lambda t, p: part.per_place(t, Prediction(p)), batch([[1.0], [0.0]]), batch([[0.0], [1.0]]))
    np.testing.assert_allclose(value, -np.log(1e-7), rtol=1e-6)


def test_softmax_over_another_axis_has_no_logits_for_the_classes() -> None:
    part, made = loss(type="categorical_crossentropy"), activation({"type": "softmax", "axis": 1})
    assert made is not None
    graph = Graph()
    z = graph.input("z", (BATCH, 3, 4))
    prediction = Prediction(made.apply(z), made, z)
    assert prediction.activation_name is None
    assert prediction.logits_behind("softmax") is None
    assert part.findings(prediction) == []
    assert Prediction(z, activation({"type": "softmax", "axis": 2}), z).logits_behind("softmax") is z


def findings(part: Loss, function: Any, units: int = 3) -> list[Finding]:
    x = Graph().input("x", (BATCH, units))
    return list(part.findings(Prediction(x, activation(function), x)))


PAIRS = [
    # loss, arguments, activation, units, severity
    ("binary_crossentropy", {}, "sigmoid", 3, None),
    ("binary_crossentropy", {}, "hard_sigmoid", 3, None),
    ("binary_crossentropy", {}, None, 3, None),
    ("binary_crossentropy", {}, "softmax", 3, "impossible"),
    ("binary_crossentropy", {}, "softmax", 1, "impossible"),
    ("binary_crossentropy", {}, "linear", 3, "impossible"),
    ("binary_crossentropy", {}, "tanh", 1, "impossible"),
    ("binary_crossentropy", {}, "relu", 1, "impossible"),
    ("binary_crossentropy", {"from_logits": True}, "linear", 1, None),
    ("binary_crossentropy", {"from_logits": True}, "sigmoid", 1, "impossible"),
    ("binary_crossentropy", {"from_logits": True}, "softmax", 3, "impossible"),
    ("binary_crossentropy", {"from_logits": True}, "relu", 1, "doubtful"),
    ("categorical_crossentropy", {}, "softmax", 3, None),
    ("categorical_crossentropy", {}, None, 3, None),
    ("categorical_crossentropy", {}, "softmax", 1, "impossible"),
    ("categorical_crossentropy", {}, "sigmoid", 3, "impossible"),
    ("categorical_crossentropy", {}, "linear", 3, "impossible"),
    ("categorical_crossentropy", {}, "relu", 3, "impossible"),
    ("categorical_crossentropy", {}, None, 1, "impossible"),
    ("categorical_crossentropy", {"from_logits": True}, "linear", 3, None),
    ("categorical_crossentropy", {"from_logits": True}, "log_softmax", 3, None),
    ("categorical_crossentropy", {"from_logits": True}, "softmax", 3, "impossible"),
    ("categorical_crossentropy", {"from_logits": True}, "linear", 1, "impossible"),
    ("categorical_crossentropy", {"from_logits": True}, "tanh", 3, "doubtful"),
    ("sparse_categorical_crossentropy", {}, "softmax", 3, None),
    ("sparse_categorical_crossentropy", {}, "linear", 3, "impossible"),
    ("sparse_categorical_crossentropy", {}, "sigmoid", 1, "impossible"),
    ("sparse_categorical_crossentropy", {"from_logits": True}, "softmax", 3, "impossible"),
    ("sparse_categorical_crossentropy", {"from_logits": True}, "linear", 3, None),
    ("mean_squared_error", {}, "linear", 3, None),
    ("mean_squared_error", {}, None, 1, None),
    ("mean_squared_error", {}, {"type": "leaky_relu"}, 1, None),
    ("mean_squared_error", {}, "softmax", 3, "doubtful"),
    ("mean_squared_error", {}, "softmax", 1, "impossible"),
    ("mean_squared_error", {}, "sigmoid", 1, "doubtful"),
    ("mean_squared_error", {}, "relu", 1, "doubtful"),
    ("mean_absolute_error", {}, "linear", 1, None),
    ("mean_absolute_error", {}, "tanh", 1, "doubtful"),
    ("mean_absolute_percentage_error", {}, "linear", 1, None),
    ("mean_absolute_percentage_error", {}, "sigmoid", 1, "doubtful"),
    ("mean_squared_logarithmic_error", {}, "softplus", 1, None),
    ("mean_squared_logarithmic_error", {}, "relu", 1, None),
    ("mean_squared_logarithmic_error", {}, "linear", 1, "doubtful"),
    ("mean_squared_logarithmic_error", {}, "sigmoid", 1, "doubtful"),
    ("log_cosh", {}, "linear", 1, None),
    ("log_cosh", {}, "tanh", 1, "doubtful"),
    ("huber", {}, "linear", 1, None),
    ("huber", {}, "softmax", 1, "impossible"),
    ("poisson", {}, "exponential", 1, None),
    ("poisson", {}, None, 1, None),
    ("poisson", {}, "linear", 1, "impossible"),
    ("poisson", {}, "sigmoid", 1, "doubtful"),
    ("kl_divergence", {}, "softmax", 3, None),
    ("kl_divergence", {}, "sigmoid", 3, "impossible"),
    ("kl_divergence", {}, "linear", 3, "impossible"),
    ("kl_divergence", {}, None, 1, "impossible"),
    ("cosine_similarity", {}, "linear", 3, None),
    ("cosine_similarity", {}, "tanh", 3, None),
    ("cosine_similarity", {}, "linear", 1, "impossible"),
    ("hinge", {}, "linear", 1, None),
    ("hinge", {}, "tanh", 1, None),
    ("hinge", {}, "sigmoid", 1, "doubtful"),
    ("squared_hinge", {}, "relu", 1, "doubtful"),
    ("categorical_hinge", {}, "linear", 3, None),
    ("categorical_hinge", {}, "linear", 1, "impossible"),
    ("binary_focal_crossentropy", {}, "sigmoid", 1, None),
    ("binary_focal_crossentropy", {}, "softmax", 3, "impossible"),
    ("binary_focal_crossentropy", {}, "linear", 1, "impossible"),
    ("binary_focal_crossentropy", {"from_logits": True}, "linear", 1, None),
    ("binary_focal_crossentropy", {"from_logits": True}, "log_softmax", 3, "doubtful"),
    ("categorical_focal_crossentropy", {}, "softmax", 3, None),
    ("categorical_focal_crossentropy", {}, "sigmoid", 3, "impossible"),
    ("categorical_focal_crossentropy", {"from_logits": True}, "linear", 3, None),
    ("categorical_focal_crossentropy", {"alpha": [0.5, 0.5]}, "softmax", 3, "impossible"),
    ("categorical_focal_crossentropy", {"alpha": [0.5, 0.5, 1.0]}, "softmax", 3, None),
    ("dice", {}, "sigmoid", 1, None),
    ("dice", {}, "softmax", 3, None),
    ("dice", {}, "linear", 1, "impossible"),
    ("dice", {"axis": 1}, "sigmoid", 1, None),
    ("dice", {"axis": [1, 2]}, "sigmoid", 1, "impossible"),
    ("dice", {"axis": [1, -1]}, "sigmoid", 1, "impossible"),
    ("tversky", {}, "tanh", 1, "impossible"),
    ("tversky", {}, "hard_sigmoid", 1, None),
]


@pytest.mark.parametrize(("name", "arguments", "function", "units", "severity"), PAIRS)
def test_findings(name: str, arguments: dict[str, Any], function: Any, units: int, severity: str | None) -> None:
    found = findings(loss(type=name, **arguments), function, units)
    assert [finding.severity for finding in found] == ([severity] if severity else [])
    for finding in found:
        assert finding.message
        assert finding.hint, "a finding says what to change"


def test_the_hint_of_softmax_with_binary_crossentropy_names_both_ways_out() -> None:
    (finding,) = findings(loss(type="binary_crossentropy"), "softmax")
    assert (
        finding.message
        == "`binary_crossentropy` takes every unit for itself, but `softmax` makes them share a sum of 1"
    )
    assert "`sigmoid`" in str(finding.hint)
    assert "`categorical_crossentropy`" in str(finding.hint)


def test_what_a_hint_proposes_is_without_findings() -> None:
    for name in ("binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"):
        assert not findings(loss(type=name), "sigmoid" if name.startswith("binary") else "softmax")
        assert not findings(loss(type=name, from_logits=True), "linear")


def test_label_out_of_range_costs_nothing_rather_than_nan() -> None:
    # Data with such a label is refused before; the IR must still not read outside an array.
    part = loss(type="sparse_categorical_crossentropy", from_logits=True)
    value = compute(lambda t, z: part.per_place(t, Prediction(z)), batch(np.array([7, -1])), batch(LOGITS))
    assert np.isfinite(value).all()


PLACEWISE = [name for name in NAMES if not loss(type=name).relates_places]


@pytest.mark.parametrize("name", PLACEWISE)
def test_every_place_has_a_loss_of_its_own(name: str) -> None:
    part = loss(type=name)
    prediction = np.stack([VALUES, VALUES[::-1]], axis=1)
    target = np.stack([TARGETS[part.target]] * 2, axis=1)
    whole = compute(lambda t, p: part.per_place(t, Prediction(p)), batch(target), batch(prediction))
    halves = [
        compute(lambda t, p: part.per_place(t, Prediction(p)), batch(target[:, i]), batch(prediction[:, i]))
        for i in range(2)
    ]
    np.testing.assert_allclose(whole, np.stack(halves, axis=1), rtol=1e-12)


SETTINGS = {"hinge": "linear", "squared_hinge": "linear", "poisson": "softplus", "kl_divergence": "softmax"}
SETTINGS |= {"dice": "sigmoid", "tversky": "sigmoid", "mean_squared_logarithmic_error": "softplus"}
SETTINGS |= {name: "sigmoid" for name in NAMES if name.startswith("binary")}
SETTINGS |= {name: "softmax" for name in NAMES if "categorical" in name and name.endswith("entropy")}


@pytest.mark.parametrize("name", NAMES)
def test_every_loss_trains_natively_as_on_the_reference(name: str) -> None:
    layers = [{"type": "dense", "units": 4, "activation": "tanh"}]
    assert_trains_alike(
        [*layers, {"type": "dense", "units": 3, "activation": SETTINGS.get(name, "linear")}],
        name,
        inputs=(6, 5) if name == "ctc" else (5,),
    )


@pytest.mark.parametrize("name", ["hinge", "squared_hinge"])
def test_answers_no_may_be_0_or_minus_1(name: str) -> None:
    part = loss(type=name)
    zeros, signs = (
        compute(lambda t, p: part.per_place(t, Prediction(p)), batch(targets), batch(LOGITS))
        for targets in (TARGETS["binary"], TARGETS["binary"] * 2 - 1)
    )
    np.testing.assert_array_equal(zeros, signs)


@pytest.mark.parametrize(("name", "function"), FOCAL)
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 3.5])
def test_focal_losses_are_finite_where_an_answer_is_certain(name: str, function: str, gamma: float) -> None:
    part, made = loss(type=name, gamma=gamma), activation(function)
    assert made is not None
    target, logits = batch([[0.0, 1.0], [0.0, 1.0]]), batch([[300.0, -300.0], [-300.0, 300.0]])
    value = compute(lambda t, z: part.per_place(t, Prediction(made.apply(z), made, z)), target, logits)
    gradient = compute_gradients(lambda t, z: part.per_place(t, Prediction(made.apply(z), made, z)), target, logits)[-1]
    assert np.isfinite(value).all()
    assert np.isfinite(gradient).all()
    assert value[0] > 50.0, "certain and wrong"
    assert value[1] < 1e-3, "certain and right"


def test_focal_loss_without_focus_is_cross_entropy() -> None:
    plain, focal = loss(type="binary_crossentropy"), loss(type="binary_focal_crossentropy", gamma=0.0)
    found = [
        compute(lambda t, p, part=part: part.per_place(t, Prediction(p)), batch(TARGETS["binary"]), batch(VALUES))
        for part in (plain, focal)
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)


def test_tversky_with_halves_is_dice() -> None:
    found = [
        compute(
            lambda t, p, name=name: loss(type=name, axis=[1]).per_place(t, Prediction(p)),
            batch(TARGETS["binary"]),
            batch(VALUES),
        )
        for name in ("dice", "tversky")
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)


@pytest.mark.parametrize("name", ["dice", "tversky"])
@pytest.mark.parametrize("axis", [None, [0, 1], [1, 2], -1])
def test_overlaps_leave_out_what_a_mask_names(name: str, axis: Any) -> None:
    part = loss(type=name, axis=axis)
    chances, answers = np.stack([VALUES, VALUES[::-1]], axis=1), np.stack([TARGETS["binary"]] * 2, axis=1)
    counted = np.array([[True, False], [True, False]])
    dirty = np.where(counted[..., np.newaxis], chances, np.nan)
    masked = compute(
        lambda t, p, m: part.per_place(t, Prediction(p, mask=m)), batch(answers), batch(dirty), batch(counted)
    )
    short = compute(lambda t, p: part.per_place(t, Prediction(p)), batch(answers[:, :1]), batch(chances[:, :1]))
    np.testing.assert_allclose(masked[:, 0] if axis == -1 else masked, short[:, 0] if axis == -1 else short, rtol=1e-12)


@pytest.mark.parametrize("name", ["dice", "tversky", "binary_focal_crossentropy"])
def test_a_model_with_padding_trains_natively_as_on_the_reference(name: str) -> None:
    tokens = {"type": "embedding", "input_dim": 5, "output_dim": 3, "mask_zero": True}
    assert_trains_alike(
        [tokens, {"type": "dense", "units": 2, "activation": "sigmoid"}], name, inputs=InputSpec((4,), "int32")
    )


def test_places_of_the_ignored_class_count_in_no_mean() -> None:
    """Neither in the loss nor in its metric; and a batch that has no others has the loss 0."""
    layers = [{"type": "dense", "units": 3}]
    measured = {"type": "sparse_categorical_crossentropy", "from_logits": True}
    losses = {}
    for ignored in (None, 1):
        arguments = measured if ignored is None else {**measured, "ignore_class": ignored}
        compiled = program(layers, arguments, inputs=(4, 2), metrics=[{**arguments, "name": "same"}])
        executable = open_target("reference").compile(compiled, batch_size=8)
        executable.load(compiled.initial_state(0))
        split = rows_for(compiled, 8)
        labels = next(iter(split.targets.values()))
        places = labels != -1 if ignored is None else labels != ignored
        found = compiled.results(executable.evaluate(split, np.arange(8, dtype=np.int32)).totals, 8)
        logits = executable.predict(split, 0, 8)["prediction"]
        each = np.log(np.exp(logits).sum(-1)) - np.take_along_axis(logits, labels[..., None], -1)[..., 0]
        assert found["loss"] == pytest.approx(each[places].mean(), rel=1e-6)
        assert found["same"] == pytest.approx(found["loss"], rel=1e-6)
        losses[ignored] = found["loss"]
    assert losses[None] != pytest.approx(losses[1], rel=1e-3)


@pytest.mark.parametrize("ignored", [-1, 255])
def test_an_ignored_class_may_be_a_number_that_no_unit_has(ignored: int) -> None:
    """Data with it is read, and the loss, on both targets, is that of the other places."""
    arguments = {"type": "sparse_categorical_crossentropy", "from_logits": True, "ignore_class": ignored}
    compiled = program([{"type": "dense", "units": 3}], arguments, inputs=(4, 2))
    split = rows_for(compiled, 8)
    spec = compiled.targets["target"]
    labels = split.targets["target"].astype(np.int64)
    labels[::2, 1:3] = ignored
    given = TargetArray(labels, Origin("labels.npz"))
    encoding = fit_target(given, spec)
    assert TargetEncoding.from_json(encoding.to_json()) == encoding
    split = split._replace(targets={"target": encoding.apply(given)})
    np.testing.assert_array_equal(split.targets["target"], labels)
    with pytest.raises(DataError, match="label out of range"):
        fit_target(given, spec._replace(ignored=None)).apply(given)
    for target in ("reference", "cpu"):
        executable = open_target(target).compile(compiled, batch_size=8)
        executable.load(compiled.initial_state(0))
        logits = executable.predict(split, 0, 8)["prediction"].astype(np.float64)
        places = labels != ignored
        each = (
            np.log(np.exp(logits).sum(-1))
            - np.take_along_axis(logits, np.maximum(labels, 0)[..., None] % 3, -1)[..., 0]
        )
        found = compiled.results(executable.evaluate(split, np.arange(8, dtype=np.int32)).totals, 8)
        assert found["loss"] == pytest.approx(each[places].mean(), rel=1e-5)


def test_a_reduction_is_of_numbers_that_rows_have() -> None:
    """Keras's runs with reductions are in `tests/training/test_keras_weights.py`."""
    for reduction in ("none", None):
        with pytest.raises(ValidationError, match="one number"):
            loss(type="hinge", reduction=reduction)
    dense = [{"type": "dense", "units": 2, "activation": "sigmoid"}]
    for part in ({"type": "dice"}, {"type": "tversky", "axis": [0, 1]}):
        for reduction in ("sum", "mean_with_sample_weight"):
            with pytest.raises(ConfigError, match="for all rows of a batch") as caught:
                program(dense, {**part, "reduction": reduction})
            assert caught.value.problems[0].path == ("loss", "reduction")
    program(dense, {"type": "dice", "axis": 1, "reduction": "sum"})


@pytest.mark.parametrize("name", [name for name in NAMES if "axis" in LOSSES.find(name).model_fields])
def test_the_axis_of_classes_is_the_last_one(name: str) -> None:
    if name in ("dice", "tversky"):
        return  # whose axes are those of sums
    layers = [{"type": "dense", "units": 3, "activation": SETTINGS.get(name, "linear")}]
    for axis in (-1, 2):
        program(layers, {"type": name, "axis": axis}, inputs=(4, 2))
    with pytest.raises(ConfigError, match="over the last axis") as caught:
        program(layers, {"type": name, "axis": 1}, inputs=(4, 2))
    assert "permute" in (caught.value.problems[0].hint or "")
