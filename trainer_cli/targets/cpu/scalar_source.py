"""Scalars: values that depend on hyper-parameters and counters alone in, a function that computes them out."""

from __future__ import annotations

from collections.abc import Mapping

from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import IRError
from trainer_cli.targets.cpu.expressions import BINARY, Lines, number_text
from trainer_cli.targets.cpu.words import Word

_SCALARS = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "power": "{0} ** {1}",
    "negate": "-{0}",
    "maximum": BINARY["maximum"],
    "minimum": BINARY["minimum"],
    "absolute": "abs({0})",
    "less": "{0} < {1}",
    "less_equal": "{0} <= {1}",
    "equal": "{0} == {1}",
    "not_equal": "{0} != {1}",
    "logical_and": "{0} and {1}",
    "logical_or": "{0} or {1}",
    "logical_not": "not {0}",
    "select": "{1} if {0} else {2}",
    "broadcast": "{0}",
    "reshape": "{0}",
    "stop_gradient": "{0}",
    "floor": "math.floor({0})",
}
_STORED = {"float": "double_bits(float64({0}))", "int": "int({0})", "bool": "int({0})"}
_FUNCTIONS = ("exp", "log", "log1p", "expm1", "sqrt", "tanh", "sin", "cos", "erf")


def write_scalars(wanted: list[Value], hyperparameters: Mapping[str, int]) -> tuple[str, dict[Value, int]]:
    """The function `entry(step in the slice, address of the scalars, rows, thread's words)`, and what stands where."""
    lines, names = Lines(1), dict[Value, str]()
    lines.add(f"step, seed = words[{int(Word.FIRST_STEP)}] + begin, words[{int(Word.SEED)}]")
    lines.add(f"hyperparameters = double_pointer(words[{int(Word.HYPERPARAMETERS)}])")
    lines.add("scalars = word_pointer(place)")

    def name(value: Value) -> str:
        if value not in names:
            operands = [name(operand) for operand in value.operands]
            expression = scalar_expression(value, operands, hyperparameters)
            names[value] = f"c{len(names)}"
            lines.add(f"{names[value]} = {expression}")
        return names[value]

    for place, value in enumerate(wanted):
        lines.add(f"scalars[{place}] = {_STORED[value.dtype].format(name(value))}")
    text = "\n".join(["@linked", "def entry(begin, place, rows, words):", *lines.lines, ""])
    return text, {value: place for place, value in enumerate(wanted)}


def scalar_expression(value: Value, operands: list[str], hyperparameters: Mapping[str, int]) -> str:
    """The expression, given names for the operands and the places of the hyper-parameters. Raises IRError."""
    if value.op == "constant":
        return number_text(value.attributes["value"])
    if value.op == "hyperparameter":
        return f"hyperparameters[{hyperparameters[value.name]}]"
    if value.op == "step":
        return "step"
    if value.op == "seed":
        return "seed"
    if value.op == "batch_size":
        return "float64(rows)"
    if value.op == "cast":
        return {"float": "float64({0})", "int": "int({0})", "bool": "({0} != 0)"}[value.dtype].format(*operands)
    if value.op == "logistic":
        return f"1.0 / (1.0 + math.exp(-{operands[0]}))"
    if value.op == "sign":
        return "({0} > 0) - ({0} < 0) if {0} == {0} else {0}".format(*operands)
    if value.op == "random_uniform":
        return f"float64(random_uniform({operands[0]}, {value.attributes['stream']}, {operands[1]}, 0))"
    if value.op in _FUNCTIONS:
        return f"math.{value.op}({operands[0]})"
    form = _SCALARS.get(value.op)
    if form is None:
        raise IRError(f"the cpu target cannot emit the scalar {value!r}")
    return form.format(*operands)
