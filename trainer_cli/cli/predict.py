"""`trainer predict`: a trained model and rows in; a prediction per row out, as CSV or JSON lines."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Annotated

from trainer_cli.cli import groups, options
from trainer_cli.cli.declared import Misuse, Option

OutputOption = Annotated[
    Path | None, Option("--output", "-o", metavar="FILE", help="Where the predictions go [default: stdout].")
]


def command(
    *,
    rows: groups.Rows,
    output: OutputOption = None,
    machine: groups.Machine,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Apply a trained model to rows; the target's column need not be there.

    Writes one line per row, in the rows' order: CSV with a header, or with --json one JSON object per line. Where a
    model answers for every place of a row, such as a time step or a pixel, `prediction` and the scores are lists,
    which CSV holds as JSON. An --output that ends in `.parquet` is written as Parquet, with the same columns. A
    file of --output is written as a whole or not at all. Rows of --data are read and answered in blocks, so that
    there may be more of them than memory holds; `--data -` reads them from the standard input, as CSV, or as JSON
    lines where the model was trained on these.

    \b
    Example:
      trainer predict runs/iris/20260102T030405Z --data new.csv --output predictions.csv
    """
    chosen = rows.chosen()

    from trainer_cli.reports.parquet import is_parquet, parquet_writer
    from trainer_cli.reports.predictions import write_csv, write_json_lines
    from trainer_cli.training.checkpoints import opened_output, opened_output_bytes
    from trainer_cli.training.predict import predict, predict_blocks

    as_parquet = is_parquet(output)
    if as_parquet and as_json:
        raise Misuse(f"{output} is written as Parquet, by its name", param_hint="--json")
    path, loaded = chosen.load()
    options.begin_work()
    count = 0
    with options.places_from(loaded.source if loaded else None):
        if rows.data is None:
            found = iter([predict(path, loaded, part=rows.part_name, **machine.settings)])
        else:
            found = predict_blocks(path, loaded, rows.data, **machine.settings)
        # The first rows come before a file is opened for them: most that can be wrong is known by then.
        first = next(found)
        if output is not None and as_parquet:
            with opened_output_bytes(output) as file, parquet_writer(first, file) as write:
                for answers in chain([first], found):
                    write(answers)
                    count += next(iter(answers.values())).rows
        else:
            with opened_output(output) as stream:
                for answers in chain([first], found):
                    if as_json:
                        write_json_lines(answers, stream)
                    else:
                        write_csv(answers, stream, with_header=count == 0)
                    stream.flush()
                    count += next(iter(answers.values())).rows
    options.say([f"{chosen.describe(path)}: {count:,} rows{f' to {output}' if output else ''}"], quiet=quiet)
