"""The syntax tree of a linked function in, one out that Numba turns into better code for the same meaning.

Both sides of every choice are computed, so that no branch keeps LLVM from making vectors. Whole numbers are divided as
numbers that are not negative. A product to which something is added becomes one fused step, the left one of two; a
product that has a name of its own does so if it is read once. The end of a loop that can be vectors carries its length.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from trainer_cli.targets.cpu import hints

OPERATIONS = (
    "advise",
    "both",
    "choose",
    "either",
    "minus_product",
    "product_minus",
    "product_plus",
    "quotient",
    "remainder",
)
"""Names that a rewritten function calls, with `PREFIX` before them."""

PREFIX = "machine_"

_DIVISIONS: Mapping[type, str] = {ast.FloorDiv: "quotient", ast.Mod: "remainder"}
_JUNCTIONS: Mapping[type, str] = {ast.And: "both", ast.Or: "either"}


def rewrite(tree: ast.FunctionDef, known: Callable[[str], Any]) -> ast.FunctionDef:
    """The tree rewritten. `known` gives what a name stands for that the function does not assign, or None."""
    return ast.fix_missing_locations(_Rewriter(tree, known).visit(tree))


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(PREFIX + name, ast.Load()), list(arguments), [])


class _Rewriter(ast.NodeTransformer):
    def __init__(self, tree: ast.FunctionDef, known: Callable[[str], Any]) -> None:
        names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        self.reads = Counter(node.id for node in names if isinstance(node.ctx, ast.Load))
        self.writes = Counter(node.id for node in names if isinstance(node.ctx, ast.Store))
        for node in ast.walk(tree):
            if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                self.writes[node.target.id] += 1
        self.parameters = {argument.arg for argument in tree.args.args}
        self.known = known
        # Of names in the list of statements at hand that hold a product and are read once, its factors.
        self.products: dict[str, tuple[ast.expr, ast.expr]] = {}

    # Statements

    def block(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        outer, self.products = self.products, {}
        result = []
        for statement in statements:
            self._remember(statement)
            result.append(self.visit(statement))
        self.products = outer
        return result

    def _remember(self, statement: ast.stmt) -> None:
        if not (isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)):
            return
        name, value = statement.targets[0].id, statement.value
        once = self.reads[name] == 1 and self.writes[name] == 1
        if not (once and isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult)):
            return
        if self._stays(value.left) and self._stays(value.right):
            self.products[name] = (value.left, value.right)

    def _stays(self, node: ast.expr) -> bool:
        """Whether a factor is the same number wherever it is read again."""
        if isinstance(node, ast.Call):
            return all(isinstance(argument, ast.Constant) for argument in node.args)
        if isinstance(node, ast.Name):
            return self.writes[node.id] + (node.id in self.parameters) <= 1
        return isinstance(node, ast.Constant)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.body = self.block(node.body)
        node.decorator_list = []
        node.returns = None
        for argument in node.args.args:
            argument.annotation = None
        return node

    def visit_For(self, node: ast.For) -> ast.For:
        turns = self._turns(node.iter)
        advised = turns is not None and hints.stands_alone(node.body) and hints.is_worth(turns)
        node.iter = self.visit(node.iter)
        node.body = self.block(node.body)
        if advised:
            node.body.append(ast.Expr(_call("advise", ast.Constant(turns))))
        return node

    def _turns(self, call: ast.expr) -> int | None:
        """The number of turns of a loop over a range from one constant to another."""
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.func.id != "range":
            return None
        given = [number for argument in call.args if (number := self._constant(argument)) is not None]
        if len(given) < len(call.args) or len(given) > 2:
            return None
        first, stop = (0, given[0]) if len(given) == 1 else given
        return stop - first

    def _constant(self, node: ast.expr) -> int | None:
        if isinstance(node, ast.Constant) and type(node.value) is int:
            return node.value
        if isinstance(node, ast.Name) and not self.writes[node.id] and node.id not in self.parameters:
            value = self.known(node.id)
            return value if type(value) is int else None
        return None

    def visit_While(self, node: ast.While) -> ast.While:
        node.test = self.visit(node.test)
        node.body = self.block(node.body)
        return node

    def visit_If(self, node: ast.If) -> ast.If:
        node.test = self.visit(node.test)
        node.body, node.orelse = self.block(node.body), self.block(node.orelse)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        if not isinstance(node.op, (ast.Add, ast.Sub)) or self._factors(node.value) is None:
            return self.generic_visit(node)  # type: ignore[return-value]
        # What is added to stands twice; LLVM computes a place once.
        source = ast.parse(ast.unparse(node.target), mode="eval").body
        return self.visit(ast.Assign([node.target], ast.BinOp(source, node.op, node.value), lineno=node.lineno))

    # Expressions

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        if type(node.op) in _DIVISIONS:
            return _call(_DIVISIONS[type(node.op)], self.visit(node.left), self.visit(node.right))
        if isinstance(node.op, (ast.Add, ast.Sub)):
            left, right = self._factors(node.left), self._factors(node.right)
            subtracts = isinstance(node.op, ast.Sub)
            if left is not None:
                name = "product_minus" if subtracts else "product_plus"
                return _call(name, *map(self.visit, left), self.visit(node.right))
            if right is not None:
                name = "minus_product" if subtracts else "product_plus"
                return _call(name, *map(self.visit, right), self.visit(node.left))
        return self.generic_visit(node)  # type: ignore[return-value]

    def _factors(self, node: ast.expr) -> tuple[ast.expr, ast.expr] | None:
        """The factors of a product, unless one is a whole constant: places in memory need no fusing."""
        if isinstance(node, ast.Name):
            return self.products.get(node.id)
        if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)):
            return None
        whole = any(self._constant(side) is not None for side in (node.left, node.right))
        return None if whole else (node.left, node.right)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        result = self.visit(node.values[0])
        for value in node.values[1:]:
            result = _call(_JUNCTIONS[type(node.op)], result, self.visit(value))
        return result

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        return _call("choose", *map(self.visit, (node.test, node.body, node.orelse)))
