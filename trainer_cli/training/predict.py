"""A trained model and rows, with or without targets, in; the model's outputs and the classes they mean out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trainer_cli.compiler.program import PREDICTION, Output
from trainer_cli.config.load import LoadedConfig
from trainer_cli.config.schema import phase_settings
from trainer_cli.data.source import TARGET, PartName, Split
from trainer_cli.data.targets import Class
from trainer_cli.lazy import NDArray, np
from trainer_cli.training.evaluate import held_out_part
from trainer_cli.training.model import TrainedModel, open_model

_CHUNK_ROWS = 1 << 14


@dataclass(frozen=True)
class Predictions:
    """One output of the model for all rows: `values` is `(rows, …)`.

    `classes` are the names behind the output's units (for one binary unit: of 0 and 1), None if the output is not of
    classes; `labels` then holds the predicted class of every row, or of every place of it such as a time step or a
    pixel, as a position in `classes`: `(rows, …)` without the axis of the classes' scores.
    """

    values: NDArray[np.float32]
    classes: tuple[Class, ...] | None = None
    labels: NDArray[np.int64] | None = None

    @property
    def rows(self) -> int:
        return len(self.values)

    @property
    def scored_by_class(self) -> bool:
        """Whether each class has a unit of its own; one unit may stand for two."""
        return self.labels is not None and self.labels.ndim < self.values.ndim

    def class_names(self) -> Iterator[Class]:
        """The name of every row's class, for outputs with one class per row."""
        if self.classes is None or self.labels is None:
            raise ValueError("the output is not of classes")
        for label in self.labels.reshape(self.rows):
            yield self.classes[label]


def predict(
    path: Path | None = None,
    loaded: LoadedConfig | None = None,
    *,
    data: Path | None = None,
    part: PartName | None = None,
    target: str = "cpu",
    threads: int | None = None,
) -> dict[str, Predictions]:
    """Apply the model of a run directory or checkpoint to the rows of `data`, or of a part of the config's own data.

    The result is by output; a model with one calls it `prediction`. Neither loss nor targets are needed. Raises
    ConfigError, DataError or CheckpointError.
    """
    model = open_model(path, loaded)
    if data is None and part is None:
        part = held_out_part(model)
    (found,) = _answers(model, iter([model.read(data, part, with_target=False)]), target, threads)
    return found


def predict_blocks(
    path: Path | None, loaded: LoadedConfig | None, data: Path, *, target: str = "cpu", threads: int | None = None
) -> Iterator[dict[str, Predictions]]:
    """The same for the rows of a file, or as `-` of the standard input, some at a time: memory does not grow with them.

    Raises ConfigError, DataError or CheckpointError, also after some rows.
    """
    model = open_model(path, loaded)
    batch = phase_settings(model.config, model.phase).fit.batch_size
    # Whole batches, so that stateful layers find the rows in their places.
    yield from _answers(model, model.blocks(data, max(1, _CHUNK_ROWS // batch) * batch), target, threads)


def _answers(
    model: TrainedModel, splits: Iterator[Split], target: str, threads: int | None
) -> Iterator[dict[str, Predictions]]:
    """The model's outputs for the rows of each split, one pass over all of them."""
    executable = None
    for split in splits:
        if executable is None:
            program = model.program(split)
            executable = model.executable(program, target, threads)
            executable.begin_pass()
            piece = max(1, _CHUNK_ROWS // executable.batch_size) * executable.batch_size
        values = {name: np.empty((split.rows, *output.shape), np.float32) for name, output in program.outputs.items()}
        for begin in range(0, split.rows, piece):
            end = min(begin + piece, split.rows)
            for name, found in executable.predict(split, begin, end).items():
                values[name][begin:end] = found
        yield {name: interpret(values[name], model, name, output) for name, output in program.outputs.items()}


def interpret(values: NDArray[np.float32], model: TrainedModel, name: str, output: Output) -> Predictions:
    """An output's values with the classes they stand for, or in the units of the data."""
    encoding = model.encoding.targets.get(TARGET if name == PREDICTION else name)
    if encoding is None:
        return Predictions(values)
    if encoding.classes is None:
        return Predictions(values if encoding.scaling is None else encoding.scaling.restore(values))
    if encoding.form == "labels" and encoding.shape == ():
        return Predictions(values)  # whatever the units are, they are not the classes
    if encoding.form in ("labels", "one_hot"):
        # A model may have more units than there are classes, as a vocabulary may be smaller than it could be.
        spare = (f"unit_{unit + 1}" for unit in range(len(encoding.classes), values.shape[-1]))
        return Predictions(values, (*encoding.classes, *spare), np.argmax(values, axis=-1))
    if encoding.form == "binary":
        logits = output.activation != "sigmoid" and getattr(output.loss, "from_logits", False)
        labels = (values > (0.0 if logits else 0.5)).astype(np.int64)
        return Predictions(values, encoding.classes, labels)
    return Predictions(values)
