"""Plan records: what a plan needs to know of its schedule and source in, the bytes of a file out, and the other way.

A record is data alone: numbers, names and arrays. It names the units of a plan by the digests of their files, so that
a plan can be loaded without the passes and the writers of kernels that once made it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from trainer_cli.lazy import NDArray

Exports = Mapping[str, tuple[str, ...]]
"""Of units, by their digests, the names of the functions that are called from outside."""


class InputPlace(NamedTuple):
    """Where the table has the address of an input's rows, the shape of a row and the type in which it is read."""

    place: int
    shape: tuple[int, ...]
    dtype: str


class TotalPlace(NamedTuple):
    """Where a total stands among all numbers of the totals, and its shape."""

    start: int
    size: int
    shape: tuple[int, ...]


class PlanRecord(NamedTuple):
    """All that a plan needs besides machine code; see `plan_source.Table` and `PlanSource` for the places.

    `functions` are the places of addresses in `words`, by unit and name; `labels` say what instructions do. `runtime`
    is the unit of the entry point. `constants` follow each other in the table from `first_constant`.
    """

    batch_size: int
    arena: int
    local_size: int
    table_size: int
    slots: int
    scalars: int
    frame: int
    runtime: str
    units: Exports
    functions: tuple[tuple[int, str, str], ...]
    labels: Mapping[int, str]
    inputs: Mapping[str, InputPlace]
    leaves: Mapping[str, int]
    outputs: Mapping[str, int]
    hyperparameters: Mapping[str, int]
    totals: Mapping[str, TotalPlace]
    first_constant: int
    words: NDArray[np.int64]
    constants: tuple[NDArray[Any], ...]

    def to_bytes(self) -> bytes:
        """A line of JSON, then the bytes of the arrays that it describes."""
        fields = self._asdict()
        arrays = [fields.pop("words"), *fields.pop("constants")]
        fields["arrays"] = [(array.dtype.str, array.shape) for array in arrays]
        return b"".join([json.dumps(fields).encode(), b"\n", *(array.tobytes() for array in arrays)])

    @classmethod
    def from_bytes(cls, content: bytes) -> PlanRecord:
        """The record of a file. Raises ValueError, TypeError, KeyError or AttributeError for other bytes."""
        end = content.index(b"\n")
        fields = json.loads(content[:end])
        arrays, start = [], end + 1
        for dtype, shape in fields.pop("arrays"):
            kind = np.dtype(dtype)
            count = int(np.prod(shape, dtype=int))
            arrays.append(np.frombuffer(content, kind, count, start).reshape(shape).copy())
            start += count * kind.itemsize
        return cls(
            **fields
            | {
                "units": {digest: tuple(names) for digest, names in fields["units"].items()},
                "functions": tuple((place, unit, name) for place, unit, name in fields["functions"]),
                "labels": {int(place): label for place, label in fields["labels"].items()},
                "inputs": {
                    name: InputPlace(place, tuple(shape), dtype)
                    for name, (place, shape, dtype) in fields["inputs"].items()
                },
                "totals": {
                    name: TotalPlace(start, size, tuple(shape))
                    for name, (start, size, shape) in fields["totals"].items()
                },
                "words": arrays[0],
                "constants": tuple(arrays[1:]),
            }
        )
