"""`trainer evaluate`: a trained model in, its loss and metrics on held-out or new data out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from trainer_cli.cli import gates, groups, options

if TYPE_CHECKING:
    from trainer_cli.training.evaluate import Evaluation
    from trainer_cli.training.gates import Gate


def command(
    *,
    rows: groups.Rows,
    wanted: gates.GateOptions,
    machine: groups.Machine,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Measure a trained model: loss and metrics on the test rows, or on the rows of a new file.

    To check a config without a model use `trainer validate`. Conditions of --fail-if name the loss and the metrics as
    they are printed.

    \b
    Example:
      trainer evaluate runs/iris/20260102T030405Z --data new.csv --fail-if "accuracy < 0.9"
    """
    chosen = rows.chosen()
    conditions = wanted.read()

    from trainer_cli.training.evaluate import evaluate

    path, loaded = chosen.load()
    options.begin_work()
    with gates.accounted("evaluate", chosen.describe(path), wanted) as account:
        with options.places_from(loaded.source if loaded else None):
            found = evaluate(path, loaded, data=rows.data, part=rows.part_name, **machine.settings)
        _check(conditions, found.results)
        tried = f"{found.rows:,} {f'{found.part} ' if found.part else ''}rows{f' of {rows.data}' if rows.data else ''}"
        account.measured, account.facts = found.results, {"rows": tried}
        options.say([f"{chosen.describe(path)}: {tried}", *found.notes], quiet=quiet)
        _show(found, as_json=as_json)
        gates.close(account, conditions, found.results, quiet=quiet)
    gates.refuse(account)


def _check(conditions: Sequence[Gate], results: Mapping[str, float | None]) -> None:
    if conditions:
        from trainer_cli.training.gates import check_keys

        check_keys(conditions, list(results))


def _show(found: Evaluation, *, as_json: bool) -> None:
    if as_json:
        from trainer_cli.reports.json_lines import write_json

        write_json({"part": found.part, "rows": found.rows, **found.results})
    else:
        from trainer_cli.reports.text import aligned, number

        print("\n".join(aligned((name, number(value)) for name, value in found.results.items())))
