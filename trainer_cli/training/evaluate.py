"""A trained model and rows with targets in; loss and metrics out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trainer_cli.config.load import LoadedConfig
from trainer_cli.config.schema import phase_settings
from trainer_cli.data.source import SAMPLE_WEIGHT, PartName
from trainer_cli.errors import ConfigError, Problem
from trainer_cli.training.compiled import suggested_loss
from trainer_cli.training.epoch import evaluate_split
from trainer_cli.training.model import TrainedModel, open_model
from trainer_cli.training.summary import finite


@dataclass(frozen=True)
class Evaluation:
    """`results`: the loss and every metric by key, None where a metric has no value; `part`: of the config's data;
    `notes`: what is not as in training."""

    results: dict[str, float | None]
    rows: int
    part: PartName | None
    notes: tuple[str, ...] = ()


def evaluate(
    path: Path | None = None,
    loaded: LoadedConfig | None = None,
    *,
    data: Path | None = None,
    part: PartName | None = None,
    target: str = "cpu",
    threads: int | None = None,
) -> Evaluation:
    """Measure the model of a run directory or checkpoint (with `loaded`: that config with the weights from `path`).

    On the file `data`; else on a part of the config's own data: the one named, else the test rows, the validation
    rows or all, whichever is there. Raises ConfigError, DataError or CheckpointError.
    """
    model = open_model(path, loaded)
    if phase_settings(model.config, model.phase).loss is None:
        raise ConfigError(
            [
                Problem(
                    "there is no `loss` to evaluate", hint=f"add to the config:\nloss: {suggested_loss(model.config)}"
                )
            ]
        )
    if data is None and part is None:
        part = held_out_part(model)
    split = model.read(data, part, with_target=True)
    program = model.program(split)
    executable = model.executable(program, target, threads)
    results = program.results(evaluate_split(executable, split), split.rows)
    notes: tuple[str, ...] = ()
    if model.source.weighted and SAMPLE_WEIGHT not in split.weights:
        notes = (f"{data} has no `{getattr(model.source, 'sample_weight')}`: every row counts alike",)  # noqa: B009
    return Evaluation({key: finite(value) for key, value in results.items()}, split.rows, part, notes)


def held_out_part(model: TrainedModel) -> PartName:
    """The part of the config's own data that says most about the model."""
    source = model.source
    if source.split.test > 0 or "test" in source.own_parts:
        return "test"
    return "validation" if source.has_validation else "train"
