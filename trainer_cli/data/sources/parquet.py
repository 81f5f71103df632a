"""Parquet files in, a table of their columns as numbers, categories and targets out."""

from __future__ import annotations

from pathlib import Path

from trainer_cli.data.arrow_file import ArrowFile
from trainer_cli.data.tabular import TableSource

ALIASES = ("pq",)


class Parquet(TableSource):
    """Parquet files, read column by column. `target`, `features`, `columns` and `missing` are those of `csv`; what is
    null is missing, and times of the file are what `kind: date` reads.

    Needs PyArrow: `pip install 'trainer-cli[arrow]'`.
    """

    def _open(self, path: Path) -> ArrowFile:
        return ArrowFile(path, parquet=True)
