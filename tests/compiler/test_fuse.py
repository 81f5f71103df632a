"""The fuse pass: graphs in, few kernels in a valid order, with what they store and write in place, out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.native import assert_agree
from tests.programs import program
from tests.random_graphs import RandomGraph
from trainer_cli.compiler.fuse import Fusion, fuse
from trainer_cli.compiler.kernels import LEAF_TENSORS, Kernel, reads_of, storage
from trainer_cli.compiler.partition import partition
from trainer_cli.compiler.simplify import simplify
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph, Value


def fused(graph: Graph) -> Fusion:
    return fuse(simplify(graph))


def mlp(optimizer: Any = "adam", **output: Any) -> Graph:
    layers = [
        {"type": "dense", "units": 16, "activation": "relu"},
        {"type": "dense", "units": 10, "activation": "softmax", **output},
    ]
    graph = program(layers, "sparse_categorical_crossentropy", optimizer, inputs=(20,)).train
    assert graph is not None
    return graph


def updating(fusion: Fusion, name: str) -> Kernel:
    (kernel,) = [kernel for kernel in fusion.kernels if name in [leaf for _, leaf in kernel.updates]]
    return kernel


def operations(kernel: Kernel) -> list[str]:
    return [value.op for value in kernel.computed]


def before(fusion: Fusion, first: Kernel, second: Kernel) -> bool:
    return fusion.kernels.index(first) < fusion.kernels.index(second)


def test_softmax_and_cross_entropy_are_one_kernel() -> None:
    fusion = fused(mlp())
    kernels = [kernel for kernel in fusion.kernels if any(value.layer == "loss" for value in kernel.computed)]
    along_rows = [kernel for kernel in kernels if kernel.domain[:1] == (BATCH,)]
    (kernel,) = along_rows
    assert kernel.root is None
    assert {"reduce_max", "exp", "reduce_sum", "log"} <= set(operations(kernel))
    # Besides it only the sum over the rows.
    assert [operations(other) for other in kernels if other is not kernel] == [["reduce_sum"]]


@pytest.mark.parametrize("optimizer", ["sgd", "adam", {"type": "rmsprop", "momentum": 0.5}, "adagrad"])
def test_a_weight_gradient_and_its_update_are_one_kernel_and_the_gradient_is_not_stored(optimizer: Any) -> None:
    fusion = fused(mlp(optimizer))
    for layer in ("dense_1", "dense_2"):
        kernel = updating(fusion, f"{layer}/kernel")
        assert kernel.root is not None
        assert kernel.root.op == "contract"
        assert kernel.stores == []
        bias = updating(fusion, f"{layer}/bias")
        assert bias.root is not None
        assert bias.root.op == "reduce_sum"
        assert bias.stores == []
    slots = {name for kernel in fusion.kernels for _, name in kernel.updates}
    assert all(name in slots for name in simplify(mlp(optimizer)).updates)


def test_work_behind_a_product_joins_it() -> None:
    fusion = fused(mlp())
    first = fusion.kernels[0]
    assert operations(first)[:2] == ["contract", "add"]
    assert "maximum" in operations(first)


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_a_plain_network_needs_two_barriers_a_step(layers: int) -> None:
    hidden = [{"type": "dense", "units": 64, "activation": "relu"}, {"type": "dropout", "rate": 0.2}] * layers
    made = program(
        [*hidden, {"type": "dense", "units": 10, "activation": "softmax"}],
        "sparse_categorical_crossentropy",
        "adam",
        inputs=(100,),
        metrics=["accuracy"],
    )
    assert made.train is not None
    assert len(partition(fused(made.train)).regions) == 2


def test_only_the_outermost_rows_are_stored_of_a_network_that_predicts() -> None:
    made = program([{"type": "dense", "units": 16, "activation": "relu"}, {"type": "dense", "units": 10}], inputs=(20,))
    fusion = fused(made.predict)
    assert [operations(kernel) for kernel in fusion.kernels] == [["contract", "add", "maximum"], ["contract", "add"]]
    assert sum(len(kernel.stores) for kernel in fusion.kernels) == 2


# Updates in place, and the readers of the old value


def optimized(optimizer: Any, **kernel: Any) -> Fusion:
    layer = {"type": "dense", "units": 12, **kernel}
    graph = program([layer], "mse", optimizer, inputs=(20,)).train
    assert graph is not None
    return fused(graph)


def test_readers_of_an_old_slot_run_before_it_changes() -> None:
    fusion = optimized({"type": "rmsprop", "centered": True, "momentum": 0.9})
    kernel = updating(fusion, "dense_1/kernel")
    names = {name for _, name in kernel.updates}
    assert names == {f"dense_1/kernel{slot}" for slot in ("", "/first_moment", "/second_moment", "/velocity")}
    assert kernel.stores == []


def test_a_constraint_along_the_first_axis_needs_the_weight_to_be_whole() -> None:
    fusion = optimized("sgd", kernel_constraint={"type": "max_norm", "axis": 0})
    product = next(kernel for kernel in fusion.kernels if kernel.root is not None and kernel.domain == (20, 12))
    assert product.updates == []
    update = updating(fusion, "dense_1/kernel")
    (norms,) = [kernel for kernel in fusion.kernels if "reduce_sum" in operations(kernel) and kernel.domain == (12,)][
        -1:
    ]
    assert product.stores
    assert before(fusion, product, norms)
    assert before(fusion, norms, update)


def test_a_penalty_reads_the_weight_before_its_update() -> None:
    fusion = optimized("sgd", kernel_regularizer="l1_l2")
    update = updating(fusion, "dense_1/kernel")
    readers = [
        kernel
        for kernel in fusion.kernels
        if any(storage(read).op == "weight" and storage(read).name == "dense_1/kernel" for read in kernel.reads)
    ]
    assert len(readers) >= 3
    assert all(reader is update or before(fusion, reader, update) for reader in readers)
    assert all(reader is update or reader in _upstream(fusion, update) for reader in readers)


def _upstream(fusion: Fusion, kernel: Kernel) -> set[Kernel]:
    found: set[Kernel] = set()
    stack = [kernel]
    while stack:
        for earlier in fusion.after[stack.pop()]:
            if earlier not in found:
                found.add(earlier)
                stack.append(earlier)
    return found


def test_a_weight_that_its_own_product_reads_is_written_by_a_copy() -> None:
    graph = Graph()
    w = graph.weight("w", (10, 10))
    graph.updates["w"] = ir.tanh(ir.contract("ij,jk->ik", w, w))
    product, copy = fused(graph).kernels
    assert (product.updates, [name for _, name in copy.updates]) == ([], ["w"])
    assert copy.computed == []


def test_states_that_are_exchanged_go_through_memory() -> None:
    graph = Graph()
    graph.updates |= {"a": graph.state("b", (50,)), "b": graph.state("a", (50,))}
    fusion = fused(graph)
    check(fusion, simplify(graph))
    assert sum(len(kernel.stores) for kernel in fusion.kernels) == 1


def test_an_update_that_another_needs_first_is_copied() -> None:
    graph = Graph()
    a, b = graph.state("a", (50,)), graph.state("b", (50,))
    following = a + 1.0
    # b's new value reads all of a's new one, and a's old one: a may only be written when b's reader is through.
    graph.updates |= {"a": following, "b": b + ir.reverse(following, (0,)) * ir.reverse(a, (0,))}
    check(fused(graph), simplify(graph))


def check(fusion: Fusion, graph: Graph) -> None:
    """Every value comes from one kernel, in an order in which reads find what they need."""
    placed: set[Kernel] = set()
    changed: set[str] = set()
    stored: set[Value] = set()
    home = {value: kernel for kernel in fusion.kernels for value in kernel.computed}
    for kernel in fusion.kernels:
        assert fusion.after[kernel] <= placed
        for read in kernel.reads:
            base = storage(read)
            if base.op in ("weight", "state"):
                assert base.name not in changed, f"{kernel.label} reads {base.name} after its update"
            elif base.op not in LEAF_TENSORS and base.op != "constant" and home.get(base) is not kernel:
                assert base in stored
        stored.update(kernel.stores)
        changed.update(name for _, name in kernel.updates)
        placed.add(kernel)
    written = [name for kernel in fusion.kernels for _, name in kernel.updates]
    assert sorted(written) == sorted(graph.updates)
    summed = [name for kernel in fusion.kernels for _, name in kernel.totals]
    assert sorted(summed) == sorted(name for name, value in graph.outputs.items() if not value.batched)
    computed = [value for kernel in fusion.kernels for value in kernel.computed]
    assert len(computed) == len(set(computed))


def no_cycle(fusion: Fusion) -> None:
    """Kernels read each other in one direction alone."""
    home = {value: kernel for kernel in fusion.kernels for value in kernel.computed}
    reads: dict[Kernel, set[Kernel]] = {kernel: set() for kernel in fusion.kernels}
    for kernel in fusion.kernels:
        for value in kernel.computed:
            for access in reads_of(value, fusion.replicated):
                other = home.get(storage(access.value))
                if other is not None and other is not kernel:
                    reads[kernel].add(other)
    finished: set[Kernel] = set()
    while len(finished) < len(reads):
        ready = [kernel for kernel in reads if kernel not in finished and reads[kernel] <= finished]
        assert ready, "kernels wait for each other"
        finished.update(ready)


@pytest.mark.parametrize("seed", range(60))
def test_any_graph_becomes_kernels_in_a_valid_order(seed: int) -> None:
    graph = simplify(RandomGraph(seed, steps=60).graph)
    fusion = fuse(graph)
    check(fusion, graph)
    no_cycle(fusion)
    partition(fusion)


def test_kernels_that_something_must_run_between_stay_apart() -> None:
    graph = Graph()
    x = graph.input("x", (BATCH, 4))
    doubled = x * 2.0
    middle = ir.contract("bi,ij->bj", doubled, graph.weight("w", (4, 4)))
    graph.outputs["y"] = doubled + middle + ir.exp(doubled)
    fusion = fused(graph)
    check(fusion, simplify(graph))
    no_cycle(fusion)
    (product,) = [kernel for kernel in fusion.kernels if kernel.root is not None]
    assert doubled.op not in operations(product)[:1]


def test_scalars_of_hyperparameters_need_no_kernel() -> None:
    graph = Graph()
    rate = graph.hyperparameter("rate") * (ir.cast(graph.step(), "float") + 1.0)
    graph.updates["w"] = graph.weight("w", (5,)) * rate
    (kernel,) = fused(graph).kernels
    assert operations(kernel) == ["multiply"]


def joined(*parts: str) -> tuple[Fusion, Graph]:
    """A concatenation of these of some values that the rows of x give, and of the weight's product with x."""
    graph = Graph()
    x = graph.input("x", (BATCH, 3))
    half = ir.tanh(x)
    sums = ir.broadcast_to(ir.reshape(ir.reduce_sum(ir.exp(half), 1), (BATCH, 1)), x.shape)
    known = {
        "half": half,
        "square": half * half,
        "product": ir.contract("bi,io->bo", half, graph.weight("w", (3, 3))),
        "shares": half / sums,
        "short": ir.slice_(half, (0, 1), (BATCH, 3)),
    }
    graph.outputs["y"] = ir.concatenate([known[part] for part in parts], 1)
    return fused(graph), graph


def test_a_kernel_puts_together_what_it_computes() -> None:
    fusion, _ = joined("square", "half", "square")
    (kernel,) = fusion.kernels
    assert [value.op for value in kernel.joins] == [value.op for value in kernel.stores] == ["concatenate"]


@pytest.mark.parametrize("parts", [("half", "product"), ("product", "product"), ("half", "shares"), ("half", "short")])
def test_other_parts_are_put_together_by_a_kernel_of_their_own(parts: tuple[str, ...]) -> None:
    fusion, _ = joined(*parts)
    assert not any(kernel.joins for kernel in fusion.kernels)


@pytest.mark.parametrize("parts", [("square", "half", "square"), ("half", "product"), ("half", "shares")])
def test_parts_are_where_they_belong(parts: tuple[str, ...]) -> None:
    rng = np.random.default_rng(0)
    rows = {"x": rng.normal(size=(21, 3)).astype(np.float32), "w": rng.normal(size=(3, 3)).astype(np.float32)}
    assert_agree(joined(*parts)[1], rows, 21, batch_size=24)
