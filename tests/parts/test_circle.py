"""Circle loss: a plain computation of its formula, short batches, rows without a partner, and what fits it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.numeric import batch, compute
from tests.programs import program
from trainer_cli.data.source import Split
from trainer_cli.errors import ConfigError
from trainer_cli.parts.loss import Prediction
from trainer_cli.parts.losses.circle import Circle
from trainer_cli.targets import open_target

random = np.random.default_rng(31)
VECTORS = random.normal(size=(7, 4))
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)
KINDS = np.array([3, 0, 3, 1, 0, 3, 9], np.int32)
NORMALIZED = [{"type": "dense", "units": 4}, "unit_normalization"]


def circle(kinds: Any, vectors: Any, most_rows: int, **arguments: Any) -> Any:
    part = Circle(**arguments)
    return compute(
        lambda t, p: part.per_place(t, Prediction(p, most_rows=most_rows)),
        batch(np.asarray(kinds, np.int32)),
        batch(np.asarray(vectors)),
    )


def plainly(kinds: Any, vectors: Any, gamma: float, margin: float) -> Any:
    """Row by row and pair by pair; rows that lack a partner of either kind have none."""
    found = []
    for i, x in enumerate(vectors):
        distances = [max(1.0 - float(x @ y), 0.0) for y in vectors]
        near = [d for j, d in enumerate(distances) if j != i and kinds[j] == kinds[i]]
        far = [d for j, d in enumerate(distances) if kinds[j] != kinds[i]]
        if near and far:
            drawn = sum(np.exp(-gamma * (margin + d) * (margin - d)) for d in near)
            pushed = sum(np.exp(gamma * max(1 + margin - d, 0) * (1 - margin - d)) for d in far)
            found.append(np.log1p(drawn * pushed))
        else:
            found.append(np.nan)
    return np.array(found)


@pytest.mark.parametrize("most_rows", [7, 32])
@pytest.mark.parametrize(("gamma", "margin"), [(80.0, 0.4), (4.0, 0.1)])
def test_it_is_its_formula_and_the_mean_is_over_rows_with_partners(most_rows: int, gamma: float, margin: float) -> None:
    expected = plainly(KINDS, VECTORS, gamma, margin)
    found = circle(KINDS, VECTORS, most_rows, gamma=gamma, margin=margin)
    lonely = np.isnan(expected)
    assert lonely.sum() == 2
    assert (found[lonely] == 0).all()
    np.testing.assert_allclose(found[~lonely], expected[~lonely] * 7 / 5, rtol=1e-9)
    assert found.mean() == pytest.approx(expected[~lonely].mean(), rel=1e-9)


@pytest.mark.parametrize("kinds", [[2, 2, 2], [0, 1, 2]])
def test_a_batch_without_partners_has_the_loss_0(kinds: list[int]) -> None:
    assert (circle(kinds, VECTORS[:3], 8) == 0).all()


@pytest.mark.parametrize("target", ["reference", "cpu"])
def test_an_epoch_is_that_of_its_batches_the_short_one_among_them(target: str) -> None:
    model = program([*NORMALIZED], "circle", inputs=(5,), fit={"batch_size": 8})
    rows = random.normal(size=(13, 5)).astype(np.float32)
    kinds = random.integers(0, 3, 13).astype(np.int32)
    executable = open_target(target).compile(model, batch_size=8)
    state = model.initial_state(1)
    executable.load(state)
    split = Split({"input": rows}, {"target": kinds}, 13)
    found = executable.evaluate(split, np.arange(13, dtype=np.int32)).totals
    vectors = rows.astype(np.float64) @ state["dense_1/kernel"]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    batches = [plainly(kinds[part], vectors[part], 80.0, 0.4) for part in (slice(0, 8), slice(8, 13))]
    expected = sum(len(each) * np.nanmean(each) for each in batches) / 13
    assert model.results(found, 13)["loss"] == pytest.approx(expected, rel=1e-4)


def test_classes_are_of_any_number_whatever_the_units_are() -> None:
    (spec,) = program(NORMALIZED, "circle", inputs=(5,)).targets.values()
    assert (spec.form, spec.shape, spec.ignored) == ("labels", (), None)


@pytest.mark.parametrize(
    ("layers", "keys", "words"),
    [
        ([{"type": "repeat_vector", "n": 3}], {"loss": "circle"}, "one vector per row"),
        (NORMALIZED, {"loss": "circle", "metrics": ["accuracy"]}, "place by place"),
        (NORMALIZED, {"loss": "circle", "class_weight": "balanced"}, "several classes at once"),
    ],
)
def test_what_does_not_fit_is_refused(layers: list[Any], keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        program(layers, **keys, inputs=(5,))
