"""A checkpoint, or a config with weights, in; the model ready to evaluate and to predict out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer_cli.compiler.program import Program, build_program
from trainer_cli.config.load import LoadedConfig, read_config
from trainer_cli.config.schema import Config, phase_count, phase_settings
from trainer_cli.data.encoding import Encoding
from trainer_cli.data.files import STANDARD_INPUT
from trainer_cli.data.prepare import apply, blocks, prepare
from trainer_cli.data.source import SAMPLE_WEIGHT, PartName, Source, Split
from trainer_cli.errors import ConfigError, DataError, Problem
from trainer_cli.training.averages import evaluated_weights
from trainer_cli.training.checkpoints import CheckpointError, find_checkpoint, import_weights, read_checkpoint
from trainer_cli.training.data_cache import data_cache
from trainer_cli.training.epoch import open_training_target
from trainer_cli.training.phases import check_weights
from trainer_cli.training.preparation import input_specs, specs_in_memory
from trainer_cli.training.state import RunState, Tensors

STREAMED = ("csv", "json_lines", "parquet", "arrow")
"""Sources whose models take new rows from the standard input: JSON lines where they were trained on these, else CSV."""


@dataclass(frozen=True)
class TrainedModel:
    """A config with the weights that belong to it and what its training learned about its data."""

    config: Config
    folder: Path  # what paths in the config are relative to
    phase: int
    encoding: Encoding
    weights: Tensors | Path  # a path: a file of weights that is no checkpoint of this config

    @property
    def source(self) -> Source:
        if self.config.data is None:
            raise ConfigError([Problem("the config names no `data`, so it is not known how to read any")])
        return self.config.data

    def read(self, file: Path | None, part: PartName | None, *, with_target: bool) -> Split:
        """Rows of another file, or of a part of the config's own data. Raises DataError."""
        if file is not None:
            check_there(file)
        return apply(
            self.encoding,
            self.source,
            self.folder,
            file=file,
            part=part,
            with_target=with_target,
            cache=data_cache(self.source),
        )

    def blocks(self, file: Path, most: int) -> Iterator[Split]:
        """Rows of another file or, as `-`, of the standard input, about `most` at a time. Raises DataError."""
        if file != STANDARD_INPUT:
            check_there(file)
        elif self.source.type not in STREAMED:
            known = ", ".join(f"`{name}`" for name in STREAMED)
            raise DataError(
                f"rows of `{self.source.type}` cannot be read from the standard input, those of {known} can"
            )
        return blocks(self.encoding, self.source, file, most)

    def program(self, split: Split) -> Program:
        """The model compiled for rows like these."""
        specs = specs_in_memory(split, self.encoding)
        return build_program(
            self.config,
            specs,
            phase=self.phase,
            sample_weights=SAMPLE_WEIGHT in split.weights,
            scalings=self.encoding.target_scalings,
        )

    def executable(self, program: Program, target: str, threads: int | None) -> Any:
        """The model with its weights on a target."""
        batch_size = phase_settings(self.config, self.phase).fit.batch_size
        executable = open_training_target(target, threads).compile(program, batch_size=batch_size)
        executable.load(self._state(program))
        return executable

    def _state(self, program: Program) -> Tensors:
        if isinstance(self.weights, Path):
            state, report = import_weights(self.weights, program, self.config.seed)
            if report.missing:
                raise ConfigError(
                    f"{report.path} lacks weights of the model: {', '.join(report.missing)}",
                    hint="without them the model's results would be random",
                )
            return state
        check_weights(RunState(weights=self.weights), program)
        return {**self.weights, **program.initial_slots()}


def check_there(file: Path) -> None:
    """Raise a DataError if there is no such file."""
    if file == STANDARD_INPUT:
        raise DataError("the standard input can be read by `predict` alone", hint="name a file")
    if not file.exists():
        raise DataError(f"there is no file {file}")


def open_model(path: Path | None = None, loaded: LoadedConfig | None = None) -> TrainedModel:
    """The model in a run directory or checkpoint; with a config, that config with the weights from there.

    Raises ConfigError or CheckpointError.
    """
    if path is None:
        raise ConfigError("there are no weights to use", hint="give a run directory or a checkpoint")
    file = find_checkpoint(path)
    try:
        state = read_checkpoint(file)
    except CheckpointError:
        if loaded is None:
            raise
        return _from_config(loaded, file)
    config = loaded.config if loaded is not None else read_config(state.config, str(file))
    folder = loaded.folder if loaded is not None else Path()
    if state.encoding is None:
        raise CheckpointError(f"{file} does not say how its data was encoded")
    last = phase_count(config) - 1
    return TrainedModel(
        config=config,
        folder=folder,
        phase=min(state.counters.phase, last),
        encoding=Encoding.from_json(state.encoding),
        weights=evaluated_weights(state),
    )


def _from_config(loaded: LoadedConfig, file: Path) -> TrainedModel:
    """Weights of unknown origin: the encoding is learned from the config's own data, as training would do it."""
    config = loaded.config
    if config.data is None:
        raise ConfigError([Problem("the config names no `data`, so it is not known how to encode any")])
    phase = phase_count(config) - 1
    program = build_program(config, input_specs(config.data.signature(loaded.folder)), phase=phase)
    dataset = prepare(config.data, loaded.folder, program.targets, config.seed, program.tokens, data_cache(config.data))
    return TrainedModel(config, loaded.folder, phase, dataset.encoding, file)
