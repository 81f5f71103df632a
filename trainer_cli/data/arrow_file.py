"""A Parquet or Arrow file in, numbers and text by column out; needs PyArrow, which comes with the extra `arrow`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from trainer_cli.data.delimited import Header, Piece, is_missing, numbers_of, refuse_gap
from trainer_cli.data.files import reading
from trainer_cli.data.room import Room, check_room
from trainer_cli.data.source import Origin
from trainer_cli.errors import DataError, ResourceError
from trainer_cli.lazy import np

_ROWS_AT_ONCE = 1 << 16
_EXPANSION = 1024
"""Runs of one value take nearly no place in Parquet, but more than this many times itself is no honest claim."""
_MODEST = 1 << 30


def check_pyarrow() -> Any:
    """The module. Raises ResourceError where it is missing."""
    try:
        import pyarrow
    except ImportError:
        raise ResourceError(
            "Parquet and Arrow files need PyArrow, which is not installed",
            hint="pip install 'trainer-cli[arrow]'",
        ) from None
    return pyarrow


class ArrowFile(NamedTuple):
    """One file of Parquet, or of Arrow's own format (Feather 2, or a stream); see `TableFile`."""

    path: Path
    parquet: bool

    def header(self) -> Header:
        with self._opened() as (schema, _, _):
            return self._header(schema)

    def _header(self, schema: Any) -> Header:
        for name, count in Counter(schema.names).items():
            if count > 1:
                raise DataError(f"{self.path}: two columns are called `{name}`")
        return Header(self.path, list(schema.names))

    def unreadable(self) -> dict[str, str]:
        """What the columns are that hold neither numbers nor text, by their names."""
        pa = check_pyarrow()
        found = {}
        with self._opened() as (schema, _, _):
            for column in schema:
                try:
                    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
                    pa.array([], kind).cast(pa.string())
                except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
                    found[column.name] = str(column.type)
        return found

    def pieces(
        self, numbers: list[str], texts: list[str], gaps: Collection[str], most: int | None = None
    ) -> Iterator[Piece]:
        """The wanted columns, `most` rows at a time (None: all at once). Raises DataError."""
        pa = check_pyarrow()
        wanted = list(dict.fromkeys([*numbers, *texts]))
        before = 0
        with self._opened() as (schema, rows, batches):
            self._header(schema).positions(wanted)
            claimed = 8 * rows * max(1, len(wanted))
            if claimed > max(_MODEST, _EXPANSION * self.path.stat().st_size):
                raise DataError(f"{self.path}: its header announces {rows:,} rows, far more than the file holds")
            if most is None:
                check_room(claimed, str(self.path))
            found = batches(wanted, most or _ROWS_AT_ONCE)
            if most is None:
                own = pa.schema([schema.field(name) for name in wanted])
                tables = iter([pa.Table.from_batches(list(_watched(found, str(self.path))), own)])
            else:
                tables = (pa.Table.from_batches([each]) for each in found)
            for batch in tables:
                if batch.num_rows:
                    # What a damaged file says of its own insides is believed by everything below.
                    batch.validate(full=True)
                    origin = Origin(str(self.path), "row", before)
                    before += batch.num_rows
                    yield self._piece(batch, numbers, texts, gaps, origin)
        if not before:
            raise DataError(f"{self.path}: holds no rows")

    def distinct(self, columns: list[str], gaps: Collection[str], most: int) -> list[int]:
        """How many categories each column holds in the first `most` rows."""
        found: list[set[str]] = [set() for _ in columns]
        rows = 0
        for piece in self.pieces([], columns, gaps, _ROWS_AT_ONCE):
            for own, texts in zip(found, piece.texts, strict=True):
                own.update(texts)
            rows += len(piece.values)
            if rows >= most:
                break
        return [
            len({text.strip() for text in texts if text.strip() and not (name in gaps and is_missing(text))})
            for name, texts in zip(columns, found, strict=True)
        ]

    def _piece(self, table: Any, numbers: list[str], texts: list[str], gaps: Collection[str], origin: Origin) -> Piece:
        values = np.empty((table.num_rows, len(numbers)))
        for place, name in enumerate(numbers):
            values[:, place] = self._numbers(table.column(name), name, name in gaps, origin)
        return Piece(values, [self._texts(table.column(name), name) for name in texts], origin)

    def _numbers(self, column: Any, name: str, gaps: bool, origin: Origin) -> np.ndarray:
        pa = check_pyarrow()
        kinds = pa.types
        numeric = (kinds.is_integer, kinds.is_floating, kinds.is_boolean, kinds.is_decimal)
        if not any(is_kind(column.type) for is_kind in numeric):
            texts = self._texts(column, name)
            return numbers_of(["nan" if gaps and is_missing(text) else text for text in texts], origin, name, gaps)
        values = column.cast(pa.float64(), safe=False).to_numpy()
        bad = np.isinf(values) if gaps else ~np.isfinite(values)
        if bad.any():
            row = int(np.argmax(bad))
            if np.isnan(values[row]):
                refuse_gap("", origin.at(row), name, gaps)
            raise DataError(f"{origin.at(row)}, column `{name}`: expected a finite number, found `{values[row]}`")
        return values

    def _texts(self, column: Any, name: str) -> list[str]:
        """Cells as a text file would have them; an empty one for what is null."""
        pa = check_pyarrow()
        try:
            if pa.types.is_dictionary(column.type):
                column = column.cast(column.type.value_type)
            return ["" if text is None else text for text in column.cast(pa.string()).to_pylist()]
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid, UnicodeDecodeError):
            raise DataError(
                f"{self.path}, column `{name}`: holds {column.type}, which is neither numbers nor text"
            ) from None

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, int, Any]]:
        """The schema, how many rows the header announces, and what gives batches of some columns."""
        pa = check_pyarrow()
        with reading(self.path), self.path.open("rb") as file:
            try:
                if self.parquet:
                    from pyarrow import parquet

                    found = parquet.ParquetFile(file)
                    rows = found.metadata.num_rows
                    yield found.schema_arrow, rows, lambda names, most: found.iter_batches(most, columns=names)
                else:
                    yield self._ipc(pa, file)
            except (pa.ArrowException, OSError, EOFError, MemoryError, UnicodeDecodeError) as error:
                if isinstance(error, OSError) and error.errno is not None:
                    raise
                kind = "Parquet" if self.parquet else "Arrow"
                raise DataError(f"{self.path}: is no readable {kind} file: {_first_line(error)}") from None

    def _ipc(self, pa: Any, file: Any) -> tuple[Any, int, Any]:
        begin = file.read(6)
        file.seek(0)
        if begin != b"ARROW1":
            stream = pa.ipc.open_stream(file)
            return stream.schema, 0, lambda names, most: _cut(stream, names, most)
        found = pa.ipc.open_file(file)
        batches = (found.get_batch(number) for number in range(found.num_record_batches))
        return found.schema, 0, lambda names, most: _cut(batches, names, most)


def _watched(batches: Any, place: str) -> Iterator[Any]:
    """The batches, as long as memory has room for them."""
    room, rows = Room(place), 0
    for batch in batches:
        rows += batch.num_rows
        room.check(rows)
        yield batch


def _cut(batches: Any, names: list[str], most: int) -> Iterator[Any]:
    """The wanted columns of batches, `most` rows at a time."""
    for batch in batches:
        chosen = batch.select(names)
        for begin in range(0, chosen.num_rows, most):
            yield chosen.slice(begin, most)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or "it ends too early").splitlines()[0][:200]
