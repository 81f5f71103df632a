"""Contraction: the labels of a `contract` in, the strides of matrix products and the loops around them out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from trainer_cli.compiler.kernels import storage
from trainer_cli.ir.graph import Value
from trainer_cli.ir.ops.products import label_extents, labels, shared_label
from trainer_cli.ir.primitive import BATCH
from trainer_cli.targets.cpu.expressions import Steps, strides


@dataclass
class Axis:
    """One or several neighbouring labels taken together.

    `extent` counts the elements, times the rows of the batch where `batched`. `strides` are in elements of the left
    and right operand and of the result, None where the axis does not stand. `axes` are the result's axes inside.
    """

    label: str
    extent: int
    batched: bool
    left: int | None
    right: int | None
    result: int | None

    def count(self, rows: str) -> str:
        """The extent as source."""
        if not self.batched:
            return str(self.extent)
        return rows if self.extent == 1 else f"{rows} * {self.extent}"


class Triangle(StrEnum):
    """Row i of A has no terms behind the i-th (`ENDS`), none before it (`BEGINS`), or C is not needed to the right of
    column i (`RESULT`), where it is set to zero."""

    ENDS = "ends"
    BEGINS = "begins"
    RESULT = "result"


@dataclass
class MatrixProduct:
    """A contraction as loops around `C[row, column] = Σ_depth A[row, depth] · B[depth, column]`.

    `left` and `right` are positions of the operands. `rows` is None for a single row, `depth` None for one term.
    """

    left: int
    right: int
    rows: Axis | None
    columns: Axis
    depth: Axis | None
    loops: list[Axis]


def _axes(node: Value, apart: Steps) -> list[Axis]:
    a, b, result = labels(node.attributes["specification"])
    extents = label_extents(node)
    left, right = (
        dict(zip(names, strides(operand.shape, apart.get(storage(operand), ())), strict=True))
        for names, operand in zip((a, b), node.operands, strict=True)
    )
    out = dict(zip(result, strides(node.shape), strict=True))
    axes = []
    for label in dict.fromkeys(result + a + b):
        extent = extents[label]
        size = 1 if extent is BATCH else int(extent)  # type: ignore[call-overload]
        axes.append(Axis(label, size, extent is BATCH, left.get(label), right.get(label), out.get(label)))
    return axes


def _mergeable(first: Axis, second: Axis) -> bool:
    """Whether `first` steps over whole runs of `second` wherever they stand."""
    if second.batched:
        return False
    for outer, inner in ((first.left, second.left), (first.right, second.right), (first.result, second.result)):
        if (outer is None) != (inner is None):
            return False
        if outer is not None and inner is not None and outer != inner * second.extent:
            return False
    return True


def merged_axes(node: Value, apart: Steps) -> list[Axis]:
    """The axes of a contraction, neighbours that every operand holds together taken as one."""
    axes = [axis for axis in _axes(node, apart) if axis.batched or axis.extent != 1]
    # An axis that threads share though it is not the first one stays a loop.
    alone = shared_label(node) if "shared" in node.attributes else None
    changed = True
    while changed:
        changed = False
        for first in axes:
            rest = (other for other in axes if other is not first and alone not in (first.label, other.label))
            second = next((other for other in rest if _mergeable(first, other)), None)
            if second is not None:
                position = axes.index(first)
                axes[position] = Axis(
                    first.label + second.label,
                    first.extent * second.extent,
                    first.batched,
                    second.left,
                    second.right,
                    second.result,
                )
                axes.remove(second)
                changed = True
                break
    return axes


def matrix_product(node: Value, apart: Steps) -> MatrixProduct | None:
    """The contraction as matrix products, or None if it has none (a sum over two axes that lie apart).

    `apart` has the steps along the first axes of values whose rows do not follow each other.
    """
    axes = merged_axes(node, apart)
    depth = [axis for axis in axes if axis.result is None]
    if len(depth) > 1:
        return None
    first = next((axis for axis in axes if axis.result is not None and is_shared(node, axis)), None)
    for missing in (False, True):
        for left, right in ((0, 1), (1, 0)):
            only_left = _standing_in(axes, left, right)
            columns = next((a for a in _standing_in(axes, right, left) if a.result == 1 and not a.batched), None)
            if missing:
                # No axis to vectorise along, e.g. a layer with one unit: a single column.
                columns = Axis("", 1, False, 1, 1, 1)
            if columns is None or columns is first:
                continue
            rows = first if first in only_left else max(only_left, key=lambda axis: axis.extent, default=None)
            inner = (rows, columns, *depth)
            # The axis that threads share is the outermost loop.
            loops = sorted((axis for axis in axes if axis not in inner), key=lambda axis: axis is not first)
            return MatrixProduct(left, right, rows, columns, depth[0] if depth else None, loops)
    return None


def _standing_in(axes: list[Axis], operand: int, other: int) -> list[Axis]:
    """The axes of the result that stand in one operand and not in the other."""
    return [axis for axis in axes if axis.result is not None and _stands(axis, operand) and not _stands(axis, other)]


def _stands(axis: Axis, operand: int) -> bool:
    return (axis.left if operand == 0 else axis.right) is not None


def is_shared(node: Value, axis: Axis) -> bool:
    """Whether an axis holds the label that threads share."""
    return axis.label[:1] == shared_label(node) != ""
