"""The form of a primitive: name, shape rule, gradient rule and NumPy meaning; and the table of all primitives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from trainer_cli.lazy import DTypeLike, NDArray, np

if TYPE_CHECKING:
    from trainer_cli.ir.graph import Value


class BatchAxis:
    """The extent of the batch axis, known only when a step runs; there is one instance, `BATCH`."""

    _instance: BatchAxis | None = None

    def __new__(cls) -> BatchAxis:
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    def __repr__(self) -> str:
        return "batch"

    def __deepcopy__(self, memo: object) -> BatchAxis:
        return self

    def __index__(self) -> int:
        """Where a number is needed, `int(extent)` says that the extent is static; this one is not."""
        raise IRError("the batch axis has no static extent")


BATCH: Final = BatchAxis()
Dimension: TypeAlias = int | BatchAxis
Shape: TypeAlias = tuple[Dimension, ...]
DType: TypeAlias = Literal["float", "int", "bool", "tuple"]
Array: TypeAlias = "NDArray[Any]"


class IRError(Exception):
    """An operation was given operands that its shape rule refuses; a bug in a part or a pass, never a user's."""


class Context(NamedTuple):
    """What the NumPy meaning of a primitive may know: the rows of this batch and the width of a float."""

    rows: int
    precision: DTypeLike = "float64"

    def shape(self, shape: Shape) -> tuple[int, ...]:
        return tuple(self.rows if dimension is BATCH else int(dimension) for dimension in shape)

    def dtype(self, dtype: DType) -> np.dtype[Any]:
        return np.dtype({"float": self.precision, "int": np.int32, "bool": np.bool_}[dtype])


ShapeRule: TypeAlias = "Callable[[Sequence[Value], Mapping[str, Any]], tuple[Shape, DType]]"
GradientRule: TypeAlias = "Callable[[Value, Value], Sequence[Value | None]]"
Meaning: TypeAlias = "Callable[..., Any]"


class Primitive(NamedTuple):
    """One row of the table.

    `shape(operands, attributes)` gives the result's shape and type and raises IRError on operands that do not fit.
    `gradient(node, adjoint)` writes, as IR, the adjoint of each operand (None where there is none); a primitive
    without a rule stops the gradient. `meaning(node, context, *arrays)` computes the result with NumPy.
    """

    name: str
    family: str
    shape: ShapeRule
    meaning: Meaning | None
    gradient: GradientRule | None = None


TABLE: dict[str, Primitive] = {}


def define(
    name: str,
    family: str,
    shape: ShapeRule,
    meaning: Meaning | None,
    gradient: GradientRule | None = None,
) -> None:
    """Add a row to the table."""
    if name in TABLE:
        raise IRError(f"primitive {name} is defined twice")
    TABLE[name] = Primitive(name, family, shape, meaning, gradient)


def require(condition: bool, message: str) -> None:
    """Raise IRError unless a shape rule's condition holds."""
    if not condition:
        raise IRError(message)
