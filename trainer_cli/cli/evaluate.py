"""`trainer evaluate`: a trained model in, its loss and metrics on held-out or new data out."""

from __future__ import annotations

import typer

from trainer_cli.cli import options


def command(
    model: options.ModelArgument = None,
    config_option: options.ConfigOption = None,
    weights: options.WeightsOption = None,
    overrides: options.SetOption = None,
    data: options.DataOption = None,
    part: options.PartOption = None,
    threads: options.ThreadsOption = None,
    target: options.TargetOption = options.Target.CPU,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Measure a trained model: loss and metrics on the test rows, or on the rows of a new file.

    To check a config without a model use `trainer validate`.
    """
    chosen = options.choose_model(model, config_option, weights, overrides)
    if data is not None and part is not None:
        raise typer.BadParameter("give either --data or --part", param_hint="--part")

    from trainer_cli.training.evaluate import evaluate

    options.begin_work()
    path, loaded = chosen.load()
    with options.places_from(loaded.source if loaded else None):
        found = evaluate(
            path, loaded, data=data, part=part.value if part else None, target=target.value, threads=threads
        )
    rows = f"{found.rows:,} {f'{found.part} ' if found.part else ''}rows"
    options.say([f"{chosen.describe(path)}: {rows}{f' of {data}' if data else ''}"], quiet=quiet)
    if as_json:
        from trainer_cli.reports.json_lines import write_json

        write_json({"part": found.part, "rows": found.rows, **found.results})
    else:
        from trainer_cli.reports.text import aligned, number

        print("\n".join(aligned((name, number(value)) for name, value in found.results.items())))
