"""Lowering: a linked function and the types of its arguments in, its LLVM code in a module out.

The language is the part of Python that kernels need: numbers, pointers with `p[i]`, tuples, `range` loops, `while`,
`if`, calls of linked functions and of intrinsics. What is known to Python (names of a module or closure, arithmetic on
constants) is computed here and costs nothing later. Both sides of `and`, `or` and `a if c else b` are computed.
"""

from __future__ import annotations

import ast
import itertools
import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from llvmlite import ir

from trainer_cli.targets.cpu import hints
from trainer_cli.targets.cpu.arithmetic import (
    NUMBERS,
    Builder,
    binary,
    chosen,
    compare,
    converted,
    extreme,
    is_weak,
    magnitude,
    mathematics,
    negation,
    negative,
    typed,
)
from trainer_cli.targets.cpu.linking import Linked
from trainer_cli.targets.cpu.machine_types import (
    BOOL,
    VOID,
    WORD,
    Intrinsic,
    PointerType,
    Type,
    Typed,
)
from trainer_cli.targets.cpu.tuples import kind_of, leaves_of, put_together, taken_apart, type_of

_BYTES = ir.IntType(8).as_pointer()


class NativeError(Exception):
    """A function that has no native form: which one, at which line, and why."""


class ModuleWriter:
    """An LLVM module under construction. Each function stands in it once for every combination of types."""

    def __init__(self, triple: str, layout: str) -> None:
        self.module = ir.Module()
        self.module.triple, self.module.data_layout = triple, layout
        self._known: dict[tuple[Linked, tuple[Type | int, ...]], tuple[Any, Type]] = {}

    @property
    def text(self) -> str:
        """The module as LLVM text."""
        return hints.distinct(str(self.module))

    def function(self, linked: Linked, types: tuple[Type | int, ...], name: str | None = None) -> tuple[Any, Type]:
        """The LLVM function, of the given name if others may see it, and the type of its result.

        An argument that is a constant of the compilation is none of the LLVM function's: its value stands among the
        types. A result is written to the place that a last argument points to.
        """
        known = self._known.get((linked, types))
        if known is None:
            known = self._known[linked, types] = _FunctionWriter(self, linked, types, name).write()
        return known


class _FunctionWriter:
    def __init__(self, module: ModuleWriter, linked: Linked, types: tuple[Type | int, ...], name: str | None) -> None:
        self.owner, self.linked, self.types = module, linked, types
        self.tree = linked.tree
        returns = any(isinstance(node, ast.Return) and node.value is not None for node in ast.walk(self.tree))
        kinds = [leaf.llvm for kind in types if isinstance(kind, Type) for leaf in leaves_of(kind)] + [_BYTES] * returns
        self.ir = ir.Function(
            module.module,
            ir.FunctionType(ir.VoidType(), kinds),
            name or module.module.get_unique_name(f"{linked.__name__}"),
        )
        if name is None:
            self.ir.linkage = "internal"
        self.ir.attributes.add("nounwind")
        self.result: Type = VOID
        self.entry = self.ir.append_basic_block("entry")
        self.builder = Builder(self.ir.append_basic_block("body"))
        # Of each name, the place on the stack with its type, or what it stands for during compilation.
        self.slots: dict[str, Typed] = {}
        # Of names that hold a product and are read once, the block where it was made, and its factors. What is read
        # twice must be the same number both times: x·x - x·x is 0.
        self.products: dict[str, tuple[Any, tuple[Any, Any]]] = {}
        self.known: dict[str, Any] = {}
        self.ends: list[Any] = []
        loads = (node for node in ast.walk(self.tree) if isinstance(node, ast.Name) and type(node.ctx) is ast.Load)
        self.uses = Counter(node.id for node in loads)

    def write(self) -> tuple[Any, Type]:
        body = self.builder.block
        leaves = list(self.ir.args)
        names = [argument.arg for argument in self.tree.args.args]
        assigned = {
            node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name) and type(node.ctx) is ast.Store
        }
        for name, kind in itertools.zip_longest(names, self.types):
            value = self.linked.default(name) if kind is None else kind
            if isinstance(kind, Type):
                self.bind(name, put_together(kind, leaves))
            elif type(value) is int and name not in assigned:
                self.known[name] = value
            else:
                self.bind(name, value)
        try:
            self.block(self.tree.body)
        except NativeError:
            raise
        except (TypeError, NameError, KeyError, AttributeError, ValueError, AssertionError) as error:
            raise NativeError(f"{self.linked.place}, line {self.line}: {error}") from error
        if not self.builder.block.is_terminated:
            self.builder.ret_void()
        Builder(self.entry).branch(body)
        return self.ir, self.result

    # Statements

    def block(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            self.line = statement.lineno
            if self.builder.block.is_terminated:
                return
            self.statements[type(statement)](self, statement)

    def expression_statement(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.read(node.value)

    def assign(self, node: ast.Assign) -> None:
        value = self.read(node.value)
        for target in node.targets:
            self.put(target, value)

    def assign_augmented(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Subscript):
            # The place is computed once.
            pointer, index = self.read(node.target.value), self.read(node.target.slice)
            place = self.element(pointer, index)
            old = Typed(_element_type(pointer), self.builder.load(place))
            self.store(pointer, place, binary(self.builder, type(node.op), old, self.read(node.value)))
            return
        value = binary(self.builder, type(node.op), self.read(_as_load(node.target)), self.read(node.value))
        self.put(node.target, value)

    def put(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Tuple):
            if not isinstance(value, tuple) or len(value) != len(target.elts):
                raise TypeError("these are not as many values as names")
            for one, item in zip(target.elts, value, strict=True):
                self.put(one, item)
        elif isinstance(target, ast.Subscript):
            pointer = self.read(target.value)
            self.store(pointer, self.element(pointer, self.read(target.slice)), value)
        elif isinstance(target, ast.Name):
            self.bind(target.id, value)
        else:
            raise TypeError(f"{ast.unparse(target)} cannot be assigned to")

    def bind(self, name: str, value: Any) -> None:
        if isinstance(value, tuple) or not (isinstance(value, Typed) or type(value) in NUMBERS):
            self.known[name] = value
            return
        slot = self.slots.get(name)
        if slot is None:
            kind = typed(value).type
            with self.builder.goto_block(self.entry):
                slot = self.slots[name] = Typed(kind, self.builder.alloca(kind.llvm, name=name))
        elif not is_weak(value) and typed(value).type.is_float and not slot.type.is_float:
            raise TypeError(f"`{name}` was a {slot.type.name} and becomes a float")
        value = (
            value if value.__class__ is Typed and value.type == slot.type else converted(self.builder, value, slot.type)
        )
        self.builder.store(value.value, slot.value)
        self.products.pop(name, None)
        if value.factors is not None and self.uses[name] == 1:
            self.products[name] = (self.builder.block, value.factors)

    def element(self, pointer: Any, index: Any) -> Any:
        if not isinstance(pointer, Typed) or not isinstance(pointer.type, PointerType):
            raise TypeError("only pointers have elements")
        return self.builder.gep(pointer.value, [converted(self.builder, index, WORD).value], inbounds=True)

    def store(self, pointer: Any, place: Any, value: Any) -> None:
        self.builder.store(converted(self.builder, value, _element_type(pointer)).value, place)

    def loop_over_range(self, node: ast.For) -> None:
        call = node.iter
        if not (isinstance(call, ast.Call) and self.read(call.func) is range and isinstance(node.target, ast.Name)):
            raise TypeError("loops go over a range")
        given = [self.read(argument) for argument in call.args]
        first, stop, step = (0, given[0], 1) if len(given) == 1 else (*given, 1)[:3]
        if not isinstance(step, int) or step == 0:
            raise TypeError("the step of a range is a constant")
        builder, function = self.builder, self.ir
        with builder.goto_block(self.entry):
            counter = builder.alloca(WORD.llvm)
        builder.store(converted(builder, first, WORD).value, counter)
        limit = converted(builder, stop, WORD).value
        test, body, after_body, after = (function.append_basic_block(name) for name in ("test", "loop", "next", "end"))
        builder.branch(test)
        builder.position_at_end(test)
        now = builder.load(counter)
        builder.cbranch(builder.icmp_signed("<" if step > 0 else ">", now, limit), body, after)
        builder.position_at_end(body)
        self.bind(node.target.id, Typed(WORD, now))
        self.inside(node.body, after)
        if not builder.block.is_terminated:
            builder.branch(after_body)
        builder.position_at_end(after_body)
        builder.store(builder.add(builder.load(counter), ir.Constant(WORD.llvm, step), flags=["nsw"]), counter)
        back = builder.branch(test)
        constant = isinstance(first, int) and isinstance(stop, int) and step == 1
        if constant and hints.stands_alone(node.body):
            hints.innermost(self.owner.module, back, stop - first)
        builder.position_at_end(after)

    def loop_while(self, node: ast.While) -> None:
        test, body, after = (self.ir.append_basic_block(name) for name in ("test", "loop", "end"))
        self.builder.branch(test)
        self.builder.position_at_end(test)
        self.builder.cbranch(converted(self.builder, self.read(node.test), BOOL).value, body, after)
        self.builder.position_at_end(body)
        self.inside(node.body, after)
        if not self.builder.block.is_terminated:
            self.builder.branch(test)
        self.builder.position_at_end(after)

    def inside(self, body: list[ast.stmt], after: Any) -> None:
        self.ends.append(after)
        self.block(body)
        self.ends.pop()

    def leave(self, node: ast.Break) -> None:
        self.builder.branch(self.ends[-1])

    def branch(self, node: ast.If) -> None:
        condition = self.read(node.test)
        if not isinstance(condition, Typed):
            self.block(node.body if condition else node.orelse)
            return
        then, other, after = (self.ir.append_basic_block(name) for name in ("then", "else", "after"))
        self.builder.cbranch(converted(self.builder, condition, BOOL).value, then, other)
        for start, statements in ((then, node.body), (other, node.orelse)):
            self.builder.position_at_end(start)
            self.block(statements)
            if not self.builder.block.is_terminated:
                self.builder.branch(after)
        self.builder.position_at_end(after)

    def give(self, node: ast.Return) -> None:
        if node.value is not None:
            value = self.read(node.value)
            kind = type_of(value)
            if self.result not in (VOID, kind):
                raise TypeError(f"gives a {kind.name} here and a {self.result.name} there")
            self.result = kind
            leaves = taken_apart(value)
            place = self.builder.bitcast(self.ir.args[-1], ir.LiteralStructType([x.type for x in leaves]).as_pointer())
            for number, leaf in enumerate(leaves):
                zero, at = (ir.Constant(ir.IntType(32), index) for index in (0, number))
                self.builder.store(leaf, self.builder.gep(place, [zero, at], inbounds=True))
        self.builder.ret_void()

    # Expressions

    def read(self, node: ast.expr) -> Any:
        return self.expressions[type(node)](self, node)

    def name(self, node: ast.Name) -> Any:
        slot = self.slots.get(node.id)
        if slot is not None:
            block, factors = self.products.get(node.id, (None, None))
            return Typed(
                slot.type, self.builder.load(slot.value), None, factors if block is self.builder.block else None
            )
        return self.known[node.id] if node.id in self.known else self.linked.free(node.id)

    def tuple(self, node: ast.Tuple) -> Any:
        return tuple(self.read(item) for item in node.elts)

    def subscript(self, node: ast.Subscript) -> Any:
        value, index = self.read(node.value), self.read(node.slice)
        if isinstance(value, Typed):
            place = self.element(value, index)
            return Typed(_element_type(value), self.builder.load(place))
        return value[index]

    def unary(self, node: ast.UnaryOp) -> Any:
        write = negative if isinstance(node.op, ast.USub) else negation
        return write(self.builder, self.read(node.operand))

    def comparison(self, node: ast.Compare) -> Any:
        values = [self.read(each) for each in (node.left, *node.comparators)]
        if len(values) != 2:
            raise TypeError("a comparison has two sides")
        return compare(self.builder, type(node.ops[0]), *values)

    def both_or_either(self, node: ast.BoolOp) -> Any:
        result = self.read(node.values[0])
        for each in node.values[1:]:
            value = self.read(each)
            if not isinstance(result, Typed) and not isinstance(value, Typed):
                result = (result and value) if isinstance(node.op, ast.And) else (result or value)
                continue
            write = self.builder.and_ if isinstance(node.op, ast.And) else self.builder.or_
            sides = (converted(self.builder, side, BOOL).value for side in (result, value))
            result = Typed(BOOL, write(*sides))
        return result

    def call(self, node: ast.Call) -> Any:
        function = self.read(node.func)
        given = [self.read(argument) for argument in node.args]
        if isinstance(function, Linked):
            return self.call_linked(function, given)
        if isinstance(function, Intrinsic):
            pairs = zip(given, function.parameters, strict=True)
            brought = [typed(x) if kind is None else self.brought(x, kind) for x, kind in pairs]
            return function.write(self.builder, *brought)
        if function in NUMBERS:
            return converted(self.builder, given[0], NUMBERS[function])
        if function in (min, max):
            return extreme(self.builder, function is max, *given)
        if function is abs:
            return magnitude(self.builder, given[0])
        if function in vars(math).values():
            return mathematics(self.builder, function.__name__, given[0])
        raise TypeError(f"{ast.unparse(node.func)} cannot be called here")

    def brought(self, value: Any, kind: Type) -> Typed:
        known = typed(value)
        return known if known.type == kind else converted(self.builder, value, kind)

    def call_linked(self, function: Linked, given: list[Any]) -> Any:
        target, result = self.owner.function(function, tuple(map(kind_of, given)))
        arguments = [leaf for value in given if type(value) is not int for leaf in taken_apart(value)]
        if result is VOID:
            self.builder.call(target, arguments)
            return None
        kinds = leaves_of(result)
        with self.builder.goto_block(self.entry):
            place = self.builder.alloca(ir.LiteralStructType([kind.llvm for kind in kinds]))
        self.builder.call(target, [*arguments, self.builder.bitcast(place, _BYTES)])
        zero = ir.Constant(ir.IntType(32), 0)
        parts = [[zero, ir.Constant(ir.IntType(32), number)] for number in range(len(kinds))]
        loaded = [self.builder.load(self.builder.gep(place, part, inbounds=True)) for part in parts]
        return put_together(result, loaded)

    statements: Mapping[type, Callable[[_FunctionWriter, Any], None]] = {
        ast.Expr: expression_statement,
        ast.Assign: assign,
        ast.AugAssign: assign_augmented,
        ast.For: loop_over_range,
        ast.While: loop_while,
        ast.Break: leave,
        ast.If: branch,
        ast.Return: give,
        ast.Pass: lambda self, node: None,
    }
    expressions: Mapping[type, Callable[[_FunctionWriter, Any], Any]] = {
        ast.Constant: lambda self, node: node.value,
        ast.Name: name,
        ast.Tuple: tuple,
        ast.Attribute: lambda self, node: getattr(self.read(node.value), node.attr),
        ast.Subscript: subscript,
        ast.BinOp: lambda self, node: binary(self.builder, type(node.op), self.read(node.left), self.read(node.right)),
        ast.UnaryOp: unary,
        ast.Compare: comparison,
        ast.BoolOp: both_or_either,
        ast.IfExp: lambda self, node: chosen(
            self.builder, self.read(node.test), self.read(node.body), self.read(node.orelse)
        ),
        ast.Call: call,
    }


def _element_type(pointer: Any) -> Type:
    element = pointer.type.element
    assert element is not None
    return element  # type: ignore[no-any-return]


def _as_load(target: ast.expr) -> ast.expr:
    return ast.copy_location(ast.Name(target.id, ast.Load()), target) if isinstance(target, ast.Name) else target
