"""`trainer evaluate`: a trained model in, its loss and metrics on held-out or new data out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from trainer_cli.cli import gates, options

if TYPE_CHECKING:
    from trainer_cli.training.evaluate import Evaluation
    from trainer_cli.training.gates import Gate


def command(
    model: options.ModelArgument = None,
    config_option: options.ConfigOption = None,
    weights: options.WeightsOption = None,
    overrides: options.SetOption = None,
    data: options.DataOption = None,
    part: options.PartOption = None,
    fail_if: gates.FailIfOption = None,
    junit: gates.JunitOption = None,
    markdown: gates.MarkdownOption = None,
    threads: options.ThreadsOption = None,
    target: options.TargetOption = options.Target.CPU,
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
    chosen = options.choose_model(model, config_option, weights, overrides)
    if data is not None and part is not None:
        raise typer.BadParameter("give either --data or --part", param_hint="--part")
    conditions = gates.read(fail_if)

    from trainer_cli.training.evaluate import evaluate

    options.begin_work()
    path, loaded = chosen.load()
    with gates.accounted("evaluate", chosen.describe(path), junit, markdown) as account:
        with options.places_from(loaded.source if loaded else None):
            found = evaluate(
                path, loaded, data=data, part=part.value if part else None, target=target.value, threads=threads
            )
        _check(conditions, found.results)
        rows = f"{found.rows:,} {f'{found.part} ' if found.part else ''}rows{f' of {data}' if data else ''}"
        account.measured, account.facts = found.results, {"rows": rows}
        options.say([f"{chosen.describe(path)}: {rows}", *found.notes], quiet=quiet)
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
