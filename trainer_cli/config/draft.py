"""The survey of a table and the column to predict in; the text of a commented config, ready to be fitted, out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from trainer_cli.config.draft_lines import beginning, harmless, heading, model, scalar, split, target_scaling
from trainer_cli.data.files import nearest, shown
from trainer_cli.data.outline import Wanted
from trainer_cli.data.survey import Survey, SurveyedColumn
from trainer_cli.errors import DataError

_MOST_CATEGORIES = 50
_MOST_CLASSES = 20


class _Feature(NamedTuple):
    """What is done with a column: the words for `columns`, and why it is left out."""

    column: SurveyedColumn
    kind: str | None = None
    comment: str = ""
    left_out: str | None = None


def draft(survey: Survey, target: str, *, name: str, path: str, schema: str | None = None) -> str:
    """The config as text. `path` is the data's, as the config shall name it; `schema` is named for editors.

    Raises DataError if there is no such column, or if it cannot be predicted.
    """
    if target not in survey.columns:
        hint = nearest(target, list(survey.columns), "columns")
        raise DataError(f"{survey.path}: no column `{target}`", hint=hint)
    wanted = survey.columns[target]
    classes = _classes(survey, wanted)
    features = [_feature(column, survey.rows) for column in survey.columns.values() if column.name != target]
    used = [feature for feature in features if feature.left_out is None]
    if not used:
        raise DataError(f"{survey.path}: no column is left to predict `{target}` from")
    lines = [
        *heading(schema),
        f"# Predicts `{harmless(target)}` from {len(used)} other column{'s' if len(used) > 1 else ''} of "
        f"{harmless(survey.path.name)}, {survey.rows:,}{'' if survey.complete else ' or more'} rows.",
        *beginning(name, survey.source),
        f"  path: {scalar(path)}",
        *([] if survey.delimiter in (",", None) else [f"  delimiter: {json.dumps(survey.delimiter)}"]),
        f"  target: {scalar(target)}",
        *_columns(features, used, survey.rows),
        "  scaling: standardize            # of numbers: mean 0 and deviation 1, as the training rows tell",
        *target_scaling(classes),
        *split(classes),
        "",
        *model("vector", (len(used),), Wanted(classes), survey.rows),
    ]
    return "\n".join(lines) + "\n"


def _classes(survey: Survey, target: SurveyedColumn) -> int | None:
    """The number of units that tell the classes apart; None for a number to predict."""
    where = f"{survey.path}, column `{target.name}`"
    if target.first_missing is not None:
        place = f"{survey.path}, {survey.word} {target.first_missing}, column `{target.name}`"
        raise DataError(f"{place}: the value to predict is missing", hint="fill or drop the row")
    if target.texts is not None and len(target.texts) == 1:
        raise DataError(f"{where}: all rows hold {shown(next(iter(target.texts)))}, so there is nothing to predict")
    if target.looks == "other":
        raise DataError(f"{where}: holds {target.stored}, which is neither numbers nor classes")
    if target.looks == "numeric":
        few = target.texts is not None and len(target.texts) <= min(_MOST_CLASSES, survey.rows // 3)
        whole = target.whole and 0 <= target.low and target.high < 2 * _MOST_CLASSES
        return int(target.high) + 1 if few and whole else None
    if target.texts is None or len(target.texts) > max(_MOST_CLASSES, survey.rows // 10):
        count = "too many" if target.texts is None else str(len(target.texts))
        raise DataError(f"{where}: holds {count} different texts, which are no classes")
    return len(target.texts)


def _feature(column: SurveyedColumn, rows: int) -> _Feature:
    distinct = None if column.texts is None else len(column.texts)
    if not column.name:
        return _Feature(column, left_out="has no name")
    if column.looks == "empty":
        return _Feature(column, left_out="is empty")
    if distinct == 1 and not column.missing:
        return _Feature(column, left_out="is the same in all rows")
    if column.looks == "numeric":
        return _Feature(column, left_out="counts the rows") if column.counting else _Feature(column)
    if column.looks == "other":
        return _Feature(column, left_out=f"holds {harmless(column.stored)}")
    if column.looks in ("boolean", "date"):
        return _Feature(column, column.looks)
    if distinct is None or distinct > min(_MOST_CATEGORIES, max(2, rows // 4)):
        return _Feature(column, left_out=f"holds {'too many' if distinct is None else distinct} different texts")
    assert column.texts is not None
    names = [harmless(text) for text in sorted(column.texts)]
    some = ", ".join(names[:4]) + (", …" if distinct > 4 else "")
    return _Feature(column, "categorical", f"{distinct} categories: {some}")


def _columns(features: list[_Feature], used: list[_Feature], rows: int) -> Iterator[str]:
    """The keys that tell how the features are read."""
    if len(used) < len(features):
        yield "  # Left out:"
        for feature in features:
            if feature.left_out is not None:
                yield f"  #   {harmless(feature.column.name) or 'a column'} {feature.left_out}"
        yield "  features:"
        yield from (f"    - {scalar(feature.column.name)}" for feature in used)
    kinds = [feature for feature in used if feature.kind is not None]
    if kinds:
        yield "  columns:"
        for feature in kinds:
            comment = f"      # {feature.comment}" if feature.comment else ""
            yield f"    {scalar(feature.column.name)}: {{kind: {feature.kind}}}{comment}"
    gaps = [feature.column for feature in used if feature.column.missing]
    if gaps:
        shares = ", ".join(f"{harmless(column.name)} ({column.missing / rows:.1%})" for column in gaps[:4])
        yield f"  # Missing are cells of {shares}{', …' if len(gaps) > 4 else ''}."
        yield "  missing: median                 # of categories: the most frequent; or mean, zero, indicator"
