"""The words in which parts write IR: broadcasting, lifting of numbers, axes, and gradients at ties."""

from __future__ import annotations

import numpy as np
import pytest

from tests.numeric import batch, compute, compute_gradients, whole
from trainer_cli.compiler.gradient import gradients
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph
from trainer_cli.ir.primitive import IRError


def test_operands_broadcast_as_in_numpy() -> None:
    a, b, c = np.arange(6.0).reshape(2, 3), np.arange(3.0), np.arange(3.0).reshape(3, 1)
    np.testing.assert_array_equal(compute(ir.add, batch(a), whole(b)), a + b)
    np.testing.assert_array_equal(compute(ir.multiply, whole(b), whole(c)), b * c)
    np.testing.assert_array_equal(compute(lambda x: 1.0 - x / 2.0, whole(b)), 1 - b / 2)
    np.testing.assert_array_equal(compute(lambda x: 2.0 / (x + 1.0) ** 2, whole(b)), 2 / (b + 1) ** 2)


def test_shapes_that_do_not_broadcast_are_refused() -> None:
    graph = Graph()
    with pytest.raises(IRError, match="do not broadcast"):
        graph.input("x", (BATCH, 3)) + graph.weight("w", (4,))
    with pytest.raises(IRError):
        graph.input("x", (BATCH, 3)) + graph.weight("column", (5, 3))
    with pytest.raises(IRError):
        # (batch,) beside (batch, 1) would be a table of batch × batch.
        graph.input("row", (BATCH,)) + graph.input("single", (BATCH, 1))


def test_a_fraction_is_not_rounded_to_meet_integers() -> None:
    labels = Graph().input("labels", (BATCH,), "int")
    assert (labels + 1).dtype == "int"
    with pytest.raises(IRError, match=r"0\.5"):
        labels * 0.5


def test_operands_of_different_graphs_are_refused() -> None:
    with pytest.raises(IRError, match="another graph"):
        Graph().weight("a", (3,)) + Graph().weight("b", (3,))


def test_mean_counts_the_rows_that_the_batch_has() -> None:
    x = np.arange(15.0).reshape(5, 3)
    assert compute(lambda x: ir.reduce_mean(x), batch(x)) == pytest.approx(7.0)
    np.testing.assert_allclose(compute(lambda x: ir.reduce_mean(x, 0), batch(x)), x.mean(0))
    np.testing.assert_allclose(compute(lambda x: ir.reduce_mean(x, -1, keepdims=True), batch(x)), x.mean(1)[:, None])


def test_select_takes_numbers_and_broadcasts() -> None:
    x = np.array([[-1.0, 2.0], [3.0, -4.0]])
    np.testing.assert_array_equal(compute(lambda x: ir.select(ir.less(x, 0.0), 0.0, x), batch(x)), np.maximum(x, 0))
    np.testing.assert_array_equal(
        compute(lambda x: ir.select(ir.less(x, 0.0), 1.0, 2.0), batch(x)), np.where(x < 0, 1, 2)
    )


def test_one_hot_of_a_label_out_of_range_is_zero() -> None:
    found = compute(lambda labels: ir.one_hot(labels, 3), batch(np.array([2, 0, 3, -1])))
    np.testing.assert_array_equal(found, np.eye(5)[[2, 0, 3, 4]][:, :3])


def test_words_that_change_nothing_make_no_value() -> None:
    graph = Graph()
    x = graph.weight("x", (2, 3))
    assert ir.reshape(x, (2, 3)) is x
    assert ir.transpose(x, (0, 1)) is x
    assert ir.broadcast_to(x, (2, 3)) is x
    assert ir.slice_(x, (0, 0), (2, 3)) is x
    assert ir.pad(x, (0, 0), (0, 0)) is x
    assert ir.cast(x, "float") is x
    assert graph.values == [x]


def test_ties_give_the_gradient_of_a_maximum_to_its_second_operand() -> None:
    zero = whole(np.zeros(1))
    assert compute_gradients(lambda x: ir.maximum(x, 0.0), zero)[0] == 0
    assert compute_gradients(lambda x: ir.maximum(0.0, x), zero)[0] == 1
    assert compute_gradients(lambda x: ir.minimum(x, 0.0), zero)[0] == 0
    assert compute_gradients(lambda x: ir.minimum(0.0, x), zero)[0] == 1


def test_ties_share_the_gradient_of_a_reduced_maximum() -> None:
    (gradient,) = compute_gradients(lambda x: ir.reduce_max(x), whole([1.0, 3.0, 3.0]))
    np.testing.assert_allclose(gradient, [0.0, 0.5, 0.5])


def test_a_power_has_a_finite_gradient_at_zero() -> None:
    found = compute_gradients(ir.power, whole([0.0, 0.0, 0.0]), whole([0.0, 1.0, 2.0]))
    np.testing.assert_array_equal(found[0], [0.0, 1.0, 0.0])
    np.testing.assert_array_equal(found[1], [0.0, 0.0, 0.0])


def test_gradient_of_what_a_value_does_not_depend_on_is_zero() -> None:
    graph = Graph()
    x, other = graph.weight("x", (2,)), graph.weight("other", (3,))
    _, zero = gradients(ir.reduce_sum(x), [x, other])
    assert zero.shape == (3,)
    with pytest.raises(IRError, match="only a float scalar"):
        gradients(x, [x])


def test_a_value_used_often_sums_its_adjoints() -> None:
    x = np.array([0.5, -1.5])
    (gradient,) = compute_gradients(lambda x: x * x * x + x, whole(x))
    np.testing.assert_allclose(gradient, 3 * x**2 + 1)


def test_second_derivatives_come_from_the_same_rules() -> None:
    graph = Graph()
    x = graph.weight("x", (3,))
    (first,) = gradients(ir.reduce_sum(ir.sin(x) * x), [x])

    from trainer_cli.targets.reference.interpreter import evaluate

    (second,) = gradients(ir.reduce_sum(first), [x])
    at = np.array([0.3, -0.8, 2.0])
    np.testing.assert_allclose(evaluate([second], {"x": at}, 1)[0], 2 * np.cos(at) - at * np.sin(at))


def test_a_gradient_of_a_loops_gradient_is_refused() -> None:
    graph = Graph()
    x = graph.weight("x", (3,))
    total, _ = ir.loop(lambda c, s, k: ([ir.sin(c[0] + s[0])], []), [ir.reduce_sum(x)], [x], length=3)
    (first,) = gradients(total[0], [x])
    with pytest.raises(IRError, match="no gradient of its own"):
        gradients(ir.reduce_sum(first), [x])
