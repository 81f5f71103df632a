"""`trainer report`: a run in; one HTML page that tells of it out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from trainer_cli.cli import groups, options
from trainer_cli.cli.declared import Argument, Option
from trainer_cli.errors import ConfigError, DataError

if TYPE_CHECKING:
    from trainer_cli.training.held_out import HeldOut
    from trainer_cli.training.runs import Run


def command(
    *,
    run: Annotated[Path, Argument(metavar="RUN", help="A run directory; a config stands for its newest run.")],
    output: Annotated[
        Path | None,
        Option("--output", "-o", metavar="FILE", help="Where the page goes [default: report.html in the run]."),
    ] = None,
    svg: Annotated[
        Path | None, Option("--svg", metavar="FILE", help="Write the curves alone, as an SVG picture.")
    ] = None,
    png: Annotated[
        Path | None, Option("--png", metavar="FILE", help="Write the curves alone, as a PNG picture.")
    ] = None,
    part: options.PartOption = None,
    no_data: Annotated[bool, Option("--no-data", help="Read no data: no confusion matrix and no residuals.")] = False,
    machine: groups.Machine,
    quiet: options.QuietOption = False,
) -> None:
    """Write a report of a run: one HTML page that needs neither network nor script.

    Curves of the loss and of every metric, best and final values, the confusion matrix or the residuals of the best
    weights on held-out rows, the config and the environment; for light and dark screens. A run that is under way can
    be reported too. If its data cannot be read any more, the page says so.

    With --svg or --png the curves alone are drawn, and there is a page only if --output names one.

    \b
    Example:
      trainer report runs/digits/20260102T030405Z --output digits.html
      trainer report runs/digits/20260102T030405Z --svg curves.svg
    """
    from trainer_cli.config.source import read_file
    from trainer_cli.reports.page import page
    from trainer_cli.training.checkpoints import write_atomically
    from trainer_cli.training.runs import read_run

    options.begin_work()
    path, _ = options.choose_model(run, None, None, None).load()
    told = read_run(path)
    if svg is not None or png is not None:
        _draw(told, svg, png, quiet=quiet)
        if output is None:
            return
    found, note = (None, None) if no_data else _answers(path, part, machine)
    if note:
        options.say([f"warning: {note}"])
    file = output or path / "report.html"
    write_atomically(file, page(told, found, read_file(path / "config.yaml"), note).encode("utf-8", "replace"))
    options.say([f"{file}: {len(told.history):,} epochs"], quiet=quiet)


def _draw(told: Run, svg: Path | None, png: Path | None, *, quiet: bool) -> None:
    """The curves as pictures; both are made before either is written."""
    from trainer_cli.reports.curves import drawing, painted
    from trainer_cli.training.checkpoints import write_atomically

    drawn = drawing(told)
    pictures = [(svg, drawn.encode())] if svg is not None else []
    pictures += [(png, painted(drawn))] if png is not None else []
    for path, content in pictures:
        write_atomically(path, content)
        options.say([f"{path}: {len(told.history):,} epochs"], quiet=quiet)


def _answers(path: Path, part: options.Part | None, machine: groups.Machine) -> tuple[HeldOut | None, str | None]:
    """The model's answers on held-out rows, or why there are none: a report of the rest is better than no report."""
    from trainer_cli.training.held_out import held_out

    try:
        return held_out(path, part=part.value if part else None, **machine.settings), None
    except (ConfigError, DataError) as error:
        return None, f"the model was not tried on held-out rows: {error.message}"
