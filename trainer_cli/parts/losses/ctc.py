"""CTC: sequences of labels and longer ones of scores in, how unlikely it is that the scores spell the labels out."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts import agreement, formulas
from trainer_cli.parts.loss import Finding, Loss, Prediction

BLANK = 0
"""The class of a step that says nothing, and what targets are padded with."""

NEVER = -1e5
"""The logarithm of the probability of what cannot be, as in Keras: finite, so that gradients are."""


class Ctc(Loss):
    """`−log P(labels)`, the sum of the probabilities of all ways to spell the labels over the steps (Graves, Fernández,
    Gomez and Schmidhuber, "Connectionist temporal classification", 2006): a label stands for one or more steps, blanks
    stand anywhere between, and must between two equal labels.

    Target `(batch, label_length)`, padded with 0 behind the labels; prediction `(batch, time, classes)`, of which class
    0 is the blank: logits, or the probabilities of a softmax. Steps that a mask leaves out say nothing; there must be
    as many others as there are labels, and one more for each label that repeats the one before, or the loss is 1e5.
    """

    target = "labels"
    relates_places = True
    aligned = False

    label_length: int | None = Field(
        default=None,
        gt=0,
        description="how many labels a row of targets has room for; as many as there are steps if null",
    )

    def target_row(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (self.label_length, *shape[1:]) if self.label_length is not None and len(shape) == 2 else shape

    def per_place(self, target: Value, prediction: Prediction) -> Value:
        logits = prediction.logits_behind("softmax")
        chances = formulas.log_softmax(prediction.value if logits is None else logits)
        batch, room = target.shape
        count = int(room)
        # A blank before and behind every label: (batch, 2 · count + 1).
        labels = _with_blanks(target, ir.zeros_like(target))
        said = ir.contract("btk,bsk->bts", chances, ir.one_hot(labels, int(chances.shape[-1])))
        sequences = [said]
        if prediction.mask is not None:
            sequences.append(ir.reshape(ir.cast(prediction.mask, "float"), (*prediction.mask.shape, 1)))
        # A label may follow the label before it at once if the two differ.
        differs = ir.zeros(target.graph, (batch, 1))
        if count > 1:
            other = ir.not_equal(_columns(target, 1, count), _columns(target, 0, count - 1))
            differs = ir.concatenate([differs, ir.cast(other, "float")], 1)
        barred = (1.0 - _with_blanks(differs, ir.zeros_like(differs))) * NEVER

        def step(carried: list[Value], slices: list[Value], given: list[Value]) -> tuple[list[Value], list[Value]]:
            (before,) = carried
            reached = _either(_either(before, _moved(before, 1)), _moved(before, 2) + given[0]) + slices[0]
            if prediction.mask is not None:
                reached = ir.select(ir.greater(ir.broadcast_to(slices[1], reached.shape), 0.5), reached, before)
            return [reached], []

        places = ir.iota(barred, 1)
        start = ir.select(ir.equal(places, 0), 0.0, NEVER)
        (last,), _ = ir.loop(step, [start], sequences, [barred], length=int(said.shape[1]))
        length = ir.cast(ir.reduce_sum(ir.cast(ir.not_equal(target, BLANK), "float"), 1), "int")
        blank, label = formulas.at_label(last, length * 2), formulas.at_label(last, ir.maximum(length * 2 - 1, 0))
        return -ir.select(ir.greater(length, 0), _either(blank, label), blank)

    def findings(self, prediction: Prediction) -> Sequence[Finding]:
        value = prediction.value
        if value.rank != 3:
            message = f"`ctc` needs an output of shape (time, classes), not {value.shape[1:]}"
            return [
                Finding("impossible", message, "the last layer is a `dense` with one unit per class, on a sequence")
            ]
        if int(value.shape[2]) < 2:
            return [Finding("impossible", "`ctc` needs a class for the blank, 0, and at least one other")]
        if self.label_length is not None and self.label_length > int(value.shape[1]):
            message = f"`ctc` cannot spell {self.label_length} labels in {value.shape[1]} steps"
            return [Finding("impossible", message, "make `label_length` smaller, or the output longer")]
        return [] if prediction.activation_name == "softmax" else agreement.with_logits(self.type, prediction)


def _columns(x: Value, start: int, stop: int) -> Value:
    return ir.slice_(x, (0, start), (x.shape[0], stop))


def _with_blanks(x: Value, blanks: Value) -> Value:
    """`(batch, count)` → `(batch, 2 · count + 1)`, each number between two blanks."""
    batch, count = x.shape
    pairs = ir.concatenate([ir.reshape(each, (batch, count, 1)) for each in (blanks, x)], 2)
    return ir.concatenate([ir.reshape(pairs, (batch, 2 * int(count))), _columns(blanks, 0, 1)], 1)


def _moved(x: Value, places: int) -> Value:
    """Logarithms of probabilities, moved to places further on."""
    moved = ir.pad(_columns(x, 0, int(x.shape[1]) - places), (0, places), (0, 0))
    return ir.select(ir.less(ir.iota(moved, 1), places), NEVER, moved)


def _either(x: Value, y: Value) -> Value:
    """`log(exp(x) + exp(y))`, with the digits of the larger one, and with gradients where both are equal."""
    larger = ir.stop_gradient(ir.maximum(x, y))
    return larger + ir.log(ir.exp(x - larger) + ir.exp(y - larger))
