"""Predictions in, block by block; a Parquet file of their columns out, which needs PyArrow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from trainer_cli.data.arrow_file import check_pyarrow
from trainer_cli.reports.predictions import header, rows_of
from trainer_cli.training.predict import Predictions

_SUFFIXES = (".parquet", ".pq")


def is_parquet(path: Path | None) -> bool:
    """Whether a file's name says that it is Parquet. Raises ResourceError if it does and PyArrow is missing."""
    found = path is not None and path.suffix.lower() in _SUFFIXES
    if found:
        check_pyarrow()
    return found


@contextmanager
def parquet_writer(outputs: Mapping[str, Predictions], file: IO[bytes]) -> Iterator[Any]:
    """What writes blocks of predictions into a file; their columns are those of the given block, which it leaves out.

    Classes are text or whole numbers, scores and numbers are float32, and places of a row are lists.
    """
    pa = check_pyarrow()
    from pyarrow import parquet

    names = header(outputs)
    schema = pa.schema([(name, _type(pa, values)) for name, values in zip(names, _columns(outputs), strict=True)])
    with parquet.ParquetWriter(file, schema) as writer:

        def write(block: Mapping[str, Predictions]) -> None:
            arrays = [pa.array(values, each.type) for values, each in zip(_columns(block), schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))

        yield write


def _columns(outputs: Mapping[str, Predictions]) -> list[tuple[Any, ...]]:
    return list(zip(*rows_of(outputs), strict=True))


def _type(pa: Any, values: tuple[Any, ...]) -> Any:
    """The type of a column by its first value."""
    value, depth = values[0], 0
    while isinstance(value, list):
        value, depth = value[0], depth + 1
    kind = pa.float32() if isinstance(value, float) else pa.int64() if isinstance(value, int) else pa.string()
    for _ in range(depth):
        kind = pa.list_(kind)
    return kind
