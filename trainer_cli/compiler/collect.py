"""The collect pass: a simplified graph in, one where sums of two products take a common factor out once out.

`g·a + g·b` is `g·(a + b)`. In a backward pass g is the adjoint and `a + b` the derivative of an activation, as of GELU,
whose forward pass has all that it is made of: what is known before g is computed there, and of a, b and their factors
one number for each element waits in memory for the adjoint, instead of one for each.
"""

from __future__ import annotations

import functools
import operator

from trainer_cli.compiler.simplify import scalar_constant, simplify
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Graph, Value, reachable, rewritten

LEAST_FACTORS = 2
"""Values, besides repeated numbers, that wait for the common factor: less would save no memory."""


def collect(graph: Graph) -> Graph:
    """A new graph computing the same outputs and updates; the same one if no two products share a factor."""
    order = reachable(graph.roots())
    terms = _Terms(order, set(graph.roots()))
    collected = {value: found for value in order if (found := terms.common(value)) is not None}
    if not collected:
        return graph
    copies: dict[Value, Value] = {}

    def rewrite(value: Value, operands: tuple[Value, ...]) -> Value | None:
        copies.update(zip(value.operands, operands, strict=True))
        if value not in collected:
            return None
        common, left, right = collected[value]
        first, second = (_product([copies[factor] for factor in factors]) for factors in (left, right))
        return (first + second if value.op == "add" else first - second) * copies[common]

    return simplify(rewritten(graph, rewrite))


def _product(factors: list[Value]) -> Value:
    """The product of values, their constants first and as one."""
    numbers = [number for factor in factors if (number := scalar_constant(factor)) is not None]
    others = [factor for factor in factors if scalar_constant(factor) is None]
    scale = functools.reduce(operator.mul, numbers, 1.0)
    if not others:
        return ir.broadcast_to(ir.constant(factors[0].graph, scale), factors[0].shape)
    product: Value = functools.reduce(operator.mul, others)
    return product if scale == 1.0 else product * scale


class _Terms:
    """The products of a graph, taken apart as far as nobody else reads what stands between."""

    def __init__(self, order: list[Value], results: set[Value]) -> None:
        self.place = {value: place for place, value in enumerate(order)}
        self.uses = dict.fromkeys(order, 0)
        for value in order:
            for operand in value.operands:
                self.uses[operand] += 1
        for result in results:
            self.uses[result] += 1

    def common(self, value: Value) -> tuple[Value, list[Value], list[Value]] | None:
        """The factor that both terms of a sum have, and the others of each, all of which are known before it."""
        if value.op not in ("add", "subtract") or value.dtype != "float" or not value.batched:
            return None
        left, right = map(self._factors, value.operands)
        shared = [factor for factor in left if factor in right and factor.op != "broadcast"]
        if not shared:
            return None
        factor = max(shared, key=self.place.__getitem__)
        left.remove(factor)
        right.remove(factor)
        waiting = {other for other in (*left, *right) if other.op != "broadcast"}
        if not left or not right or len(waiting) < LEAST_FACTORS:
            return None
        return None if any(self._depends(other, factor) for other in waiting) else (factor, left, right)

    def _factors(self, value: Value) -> list[Value]:
        factors: list[Value] = []
        for operand in value.operands if value.op == "multiply" else (value,):
            alone = operand.op == "multiply" and self.uses[operand] == 1
            factors += self._factors(operand) if alone else [operand]
        return factors

    def _depends(self, value: Value, on: Value) -> bool:
        """Whether a value is made of another one."""
        seen, waiting = {value}, [value]
        while waiting:
            current = waiting.pop()
            if current is on:
                return True
            for operand in current.operands:
                if operand not in seen and self.place[operand] >= self.place[on]:
                    seen.add(operand)
                    waiting.append(operand)
        return False
