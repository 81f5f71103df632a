"""A text file with a header and one row per line in, a table of numbers and its target columns out."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from trainer_cli.data.delimited import DelimitedFile
from trainer_cli.data.tabular import TableSource

_TABBED = (".tsv", ".tab")


class Csv(TableSource):
    """Comma-separated values (or tabs, semicolons, …) with a header; gzipped if the name ends in `.gz`.

    `target` names the column to predict, or several numeric ones; null for data without a target. `features` are the
    input columns in the model's order; null takes all but the target, in the file's order. Names may be patterns such
    as `pixel_*`. For a model with several inputs `features` is a mapping of their names to lists, and for one with
    several outputs `target` maps theirs to columns. `validation_path` and `test_path` name files of their own for
    these parts.

    Features are numbers unless `columns` says otherwise, by name or pattern: a categorical column becomes one number
    per category, 1 for the row's own and 0 for the others, or a whole number for an embedding; a boolean one is 1 for
    true, yes, t, y and 1; dates become their year, month and so on, and texts tokens. `missing` says what becomes of
    cells that are empty or hold `?`, `NA`, `N/A`, `NaN` or `null`. Categories, means and ranges are those of the
    training rows.
    """

    delimiter: Literal[",", ";", "\t", "|", " "] | None = Field(
        default=None, description="what separates the cells of a row; default: a tab in `.tsv` files, else a comma"
    )
    encoding: Literal["utf-8", "latin-1", "cp1252", "utf-16"] = Field(
        default="utf-8", description="how the bytes of the file are characters"
    )

    def _open(self, path: Path) -> DelimitedFile:
        tabbed = path.name.removesuffix(".gz").endswith(_TABBED)
        return DelimitedFile(path, self.delimiter or ("\t" if tabbed else ","), self.encoding)
