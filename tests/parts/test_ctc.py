"""CTC: sums over all spellings by hand, masks, lengths, and what is refused."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.alike import assert_trains_alike
from tests.programs import program
from trainer_cli.errors import ConfigError
from trainer_cli.ir.graph import BATCH, Graph
from trainer_cli.parts.families import LOSSES, read_part
from trainer_cli.parts.loss import Loss, Prediction
from trainer_cli.targets.reference.interpreter import evaluate

LOGITS = np.random.default_rng(3).normal(size=(4, 5, 3))
TARGET = np.array([[1, 2, 0], [1, 1, 0], [0, 0, 0], [2, 1, 2]], dtype=np.int32)


def ctc(target: Any, logits: Any, mask: Any = None) -> NDArray[Any]:
    part = read_part(LOSSES, "ctc")
    assert isinstance(part, Loss)
    graph = Graph()
    given = Prediction(
        graph.input("logits", (BATCH, *np.shape(logits)[1:])),
        mask=None if mask is None else graph.input("mask", (BATCH, np.shape(logits)[1]), "bool"),
    )
    result = part.per_place(graph.input("target", (BATCH, np.shape(target)[1]), "int"), given)
    bound = {"target": np.asarray(target), "logits": np.asarray(logits), "mask": np.asarray(mask, bool)}
    return evaluate([result], bound, len(target))[0]


def spelled(path: tuple[int, ...]) -> list[int]:
    """What a class for every step says: repetitions once, without blanks."""
    return [label for label, _ in itertools.groupby(path) if label != 0]


def test_it_sums_the_probabilities_of_all_ways_to_spell_the_labels() -> None:
    chances = np.exp(LOGITS) / np.exp(LOGITS).sum(-1, keepdims=True)
    for row, labels in enumerate(TARGET):
        total = sum(
            np.prod([chances[row, time, label] for time, label in enumerate(path)])
            for path in itertools.product(range(3), repeat=5)
            if spelled(path) == [label for label in labels if label != 0]
        )
        assert ctc(TARGET, LOGITS)[row] == pytest.approx(-np.log(total), rel=1e-12)


def test_steps_that_a_mask_leaves_out_say_nothing() -> None:
    mask = np.arange(5) < np.array([[5], [4], [3], [5]])
    found = ctc(TARGET, LOGITS, mask)
    for row, steps in enumerate(mask.sum(1)):
        alone = ctc(TARGET[row : row + 1], LOGITS[row : row + 1, :steps])
        np.testing.assert_allclose(found[row], alone[0], rtol=1e-12)


def test_labels_that_have_no_room_cost_as_much_as_in_keras() -> None:
    found = ctc([[1, 2, 1], [1, 1, 0]], LOGITS[:2, :2])
    assert (found > 9e4).all()
    assert np.isfinite(found).all()


SPEECH = [
    {"type": "lstm", "units": 3, "return_sequences": True},
    {"type": "dense", "units": 4, "activation": "softmax"},
]


@pytest.mark.parametrize("loss", ["ctc", {"type": "ctc", "label_length": 3}])
def test_it_trains_natively_as_on_the_reference(loss: Any) -> None:
    assert_trains_alike(SPEECH, loss, inputs=(6, 2))


def test_targets_have_as_many_places_as_there_are_labels() -> None:
    (target,) = program(SPEECH, {"type": "ctc", "label_length": 3}, inputs=(6, 2)).targets.values()
    assert target.shape == (3, 4)


@pytest.mark.parametrize(
    ("architecture", "keys", "message"),
    [
        (["flatten", {"type": "dense", "units": 4}], {"loss": "ctc"}, r"shape \(time, classes\)"),
        (SPEECH, {"loss": {"type": "ctc", "label_length": 7}}, "7 labels in 6 steps"),
        ([*SPEECH[:1], {"type": "dense", "units": 4, "activation": "sigmoid"}], {"loss": "ctc"}, "expects logits"),
        ([*SPEECH[:1], {"type": "dense", "units": 1}], {"loss": "ctc"}, "at least one other"),
        (SPEECH, {"loss": "ctc", "metrics": ["accuracy"]}, "place by place"),
    ],
)
def test_what_does_not_fit_is_refused(architecture: list[Any], keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        program(architecture, **keys, inputs=(6, 2))
