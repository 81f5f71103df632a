"""A run and its answers on held-out rows in; one HTML page that needs nothing else, neither network nor script, out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from trainer_cli import __version__
from trainer_cli.reports import svg, text
from trainer_cli.reports.comparison import larger_is_better
from trainer_cli.reports.curves import best_place, charts, phase_starts
from trainer_cli.reports.style import STYLE
from trainer_cli.training.held_out import Confusion, HeldOut, Residuals
from trainer_cli.training.runs import Run

_MOST_CLASSES = 120
"""Classes of a confusion matrix that is drawn; of more, only the most frequent mistakes are told."""
_MISTAKES = 10
_NUMBERED_MISTAKES = 4
"""From so many classes on, a list of mistakes tells more than the matrix alone."""
_EPOCHS = 2000
"""Rows of the table of epochs; of more, only the last ones are shown."""
# A browser is told to load nothing, whatever else a page might say.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(run: Run, found: HeldOut | None, config_text: str, note: str | None = None) -> str:
    """The page. `note` says why there are no answers on held-out rows."""
    body = [
        *_head(run),
        *_cards(run),
        *_curves(run),
        *_numbers(run),
        *_answers(found, note),
        *_epochs(run),
        *_config(run, config_text),
        *_environment(run),
        f'<p class="faint">made by trainer {escape(__version__)}</p>',
    ]
    title = escape(f"{run.name}: {run.path.name}")
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n" + "\n".join(body) + "\n</body>\n</html>\n"
    )


def _head(run: Run) -> Iterator[str]:
    yield f"<h1>{escape(run.name)}</h1>"
    words = [str(run.path)]
    if run.manifest.get("started"):
        words.append(f"started {run.manifest['started']}")
    words.append(f"{len(run.history):,} epochs, {_ended(run)}")
    yield f'<p class="faint">{escape(" · ".join(words))}</p>'


def _ended(run: Run) -> str:
    return str(run.summary.get("stop_reason", "not finished")).replace("_", " ")


def _cards(run: Run) -> Iterator[str]:
    """The few numbers that most readers come for."""
    cards: list[tuple[str, str]] = []
    best = run.best
    if best:
        cards.append((f"best {best['monitor']}, epoch {best.get('epoch')}", text.number(best["value"])))
    test = {key: value for key, value in run.final.items() if key.startswith("test_")}
    shown = test or {key: value for key, value in run.final.items() if key.startswith("val_")} or run.final
    cards += [(key, text.number(value)) for key, value in list(shown.items())[:4]]
    if "train" in run.seconds:
        cards.append(("time to train", text.duration(run.seconds["train"])))
    if cards:
        items = (f'<div class="card"><b>{escape(value)}</b><span>{escape(key)}</span></div>' for key, value in cards)
        yield f'<div class="cards">{"".join(items)}</div>'


def _curves(run: Run) -> Iterator[str]:
    """A chart per measure: training as a line, validation dashed beside it; then the learning rate, if it changed."""
    if not run.history:
        return
    yield "<h2>Curves</h2>"
    best, starts = best_place(run), phase_starts(run)
    figures = [
        _figure(chart.title, chart.picture, svg.legend(chart.series) if chart.series else "") for chart in charts(run)
    ]
    yield f'<div class="grid2">{"".join(figures)}</div>'
    if best is not None:
        more = "; solid lines begin a phase" if starts else ""
        yield f'<p class="faint">The dotted line is the best epoch{more}.</p>'


def _figure(title: str, picture: str, below: str) -> str:
    if not picture:
        return ""
    return f"<figure><h3>{escape(title)}</h3>{picture}{below}</figure>"


def _numbers(run: Run) -> Iterator[str]:
    """Best and final values of every measure."""
    keys = [key for key in run.measures if not key.startswith("val_")] or run.measures
    if not keys:
        return
    rows = []
    for key in keys:
        better = {True: "larger", False: "smaller", None: ""}[larger_is_better(key)]
        values = [source.get(f"{part}{key}") for source in (run.best, run.final) for part in ("", "val_")]
        cells = [_value(value) for value in [*values, run.final.get(f"test_{key}")]]
        rows.append([key, *cells, better])
    head = ["", "best: train", "best: validation", "end: train", "end: validation", "end: test", "better"]
    yield "<h2>Measures</h2>"
    yield _table(head, rows)


def _value(value: Any) -> str:
    return "" if value is None else text.number(value)


_MARK = ' class="best"'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "", bold: int | None = None) -> str:
    heading = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = [
        f"<tr{_MARK if place == bold else ''}>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
        for place, row in enumerate(rows)
    ]
    top = f"<thead><tr>{heading}</tr></thead>" if any(head) else ""
    mark = f' class="{kind}"' if kind else ""
    return f'<div class="scroll"><table{mark}>{top}<tbody>{"".join(lines)}</tbody></table></div>'


def _answers(found: HeldOut | None, note: str | None) -> Iterator[str]:
    """What the best weights answer on rows that they were not trained on."""
    if found is None and note is None:
        return
    yield "<h2>On held-out rows</h2>"
    if found is None:
        yield f'<p class="faint">{escape(note or "")}</p>'
        return
    measured = ", ".join(f"{name} {_value(value) or 'without value'}" for name, value in found.results.items())
    which = "training rows: none were held out" if found.part == "train" else f"{found.part} rows"
    yield f"<p>{found.rows:,} {escape(which)}, with the weights of the best epoch: <b>{escape(measured)}</b></p>"
    for answer in found.answers:
        title = f" of {answer.output}" if answer.output else ""
        yield from _confusion(answer, title) if isinstance(answer, Confusion) else _residuals(answer, title)


def _confusion(found: Confusion, title: str) -> Iterator[str]:
    mistakes = sorted(
        (
            (count, found.classes[row], found.classes[column])
            for row, counts in enumerate(found.counts)
            for column, count in enumerate(counts)
            if row != column and count
        ),
        reverse=True,
    )
    matrix, figures = "", []
    if len(found.classes) <= _MOST_CLASSES:
        picture = svg.heatmap(f"confusion matrix{title}", found.classes, found.classes, found.counts)
        matrix = _figure(f"Confusion matrix{title}", picture, "")
    if len(found.classes) >= _NUMBERED_MISTAKES and mistakes:
        rows = [(true, predicted, f"{count:,}") for count, true, predicted in mistakes[:_MISTAKES]]
        figures.append(_figure(f"Most frequent mistakes{title}", _table(("true", "taken for", "rows"), rows), ""))
    rates = [_rates(found, place) for place in range(len(found.classes))]
    figures.append(_figure(f"Classes{title}", _table(("class", "rows", "recall", "precision"), rates), ""))
    yield f'<div class="grid2">{matrix}<div class="stack">{"".join(figures)}</div></div>'


def _rates(found: Confusion, place: int) -> list[str]:
    """How many rows of a class there are, the share of them that was found, and of those named so that is right."""
    right, rows = found.counts[place][place], sum(found.counts[place])
    named = sum(counts[place] for counts in found.counts)
    shares = [text.number(right / total) if total else "-" for total in (rows, named)]
    return [found.classes[place], f"{rows:,}", *shares]


def _residuals(found: Residuals, title: str) -> Iterator[str]:
    rest = [predicted - true for true, predicted in zip(found.true, found.predicted, strict=True)]
    some = f"; {len(found.true):,} of {found.rows:,} rows" if len(found.true) < found.rows else ""
    points = svg.scatter(f"predicted and true values{title}", found.true, found.predicted, ("true", "predicted"))
    bars = svg.histogram(f"residuals{title}", rest, "predicted − true")
    figures = [
        _figure(f"Predicted and true values{title}{some}", points, ""),
        _figure(f"Residuals{title}{some}", bars, ""),
    ]
    yield f'<div class="grid2">{"".join(figures)}</div>'


def _epochs(run: Run) -> Iterator[str]:
    if not run.history:
        return
    head = ["epoch", *run.measures, "learning_rate", "seconds"]
    several = len({line.get("phase") for line in run.history}) > 1
    lines = run.history[-_EPOCHS:]
    rows = []
    for line in lines:
        lead = f"{line.get('phase')}: " if several else ""
        rows.append([f"{lead}{line.get('epoch')}", *(text.cell(line, name) for name in head[1:])])
    best = best_place(run)
    skipped = len(run.history) - len(lines)
    bold = None if best is None else best - 1 - skipped
    more = f", the last {len(lines):,} of them" if skipped else ""
    yield f"<details><summary>All {len(run.history):,} epochs{more}</summary>{_table(head, rows, bold=bold)}</details>"


def _config(run: Run, config_text: str) -> Iterator[str]:
    yield "<h2>Config</h2>"
    yield f"<details open><summary>{escape(str(run.path / 'config.yaml'))}</summary>"
    yield f'<pre class="config"><code>{escape(config_text)}</code></pre></details>'


def _environment(run: Run) -> Iterator[str]:
    if not run.manifest:
        return
    yield "<h2>Environment</h2>"
    facts = {key: value for key, value in run.manifest.items() if value is not None and key != "resumed"}
    rows = [(key.replace("_", " "), _plain(value)) for key, value in facts.items()]
    resumed = run.manifest.get("resumed")
    if isinstance(resumed, list) and resumed and isinstance(resumed[-1], Mapping):
        rows.append(("last resumed by", _plain(resumed[-1].get("command"))))
    yield _table(("", ""), rows, "facts")


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items() if item is not None)
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
