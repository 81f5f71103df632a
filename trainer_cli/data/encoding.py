"""What training learned about its data, in and out of JSON: enough to turn new data into what the model expects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from trainer_cli.data.columns import Columns
from trainer_cli.data.scaling import Scaling
from trainer_cli.data.source import SAMPLE_WEIGHT, TARGET, Split, Table
from trainer_cli.data.target_scaling import TargetScaling
from trainer_cli.data.targets import TargetEncoding
from trainer_cli.data.vocabulary import Vocabulary
from trainer_cli.errors import DataError
from trainer_cli.lazy import np

InputEncoding: TypeAlias = Scaling | Vocabulary | Columns


def _input_encoding(value: dict[str, Any]) -> InputEncoding:
    if "columns" in value:
        return Columns.from_json(value)
    return Vocabulary.from_json(value) if "vocabulary" in value else Scaling.from_json(value)


@dataclass(frozen=True)
class Encoding:
    """Scaling or vocabulary of the inputs (fitted on the training split alone), classes of the targets, and what the
    source learned.

    `features` are the names of the inputs' columns, where they have any. `seed` and `digest` are those of the split,
    so that the rows held out can be found again.
    """

    inputs: dict[str, InputEncoding]
    targets: dict[str, TargetEncoding]
    seed: int
    digest: str
    features: dict[str, tuple[str, ...]] = field(default_factory=dict)
    learned: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "inputs": {name: scaling.to_json() for name, scaling in self.inputs.items()},
            "targets": {name: target.to_json() for name, target in self.targets.items()},
            "seed": self.seed,
            "digest": self.digest,
            "features": {name: list(columns) for name, columns in self.features.items()},
            "learned": self.learned,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Encoding:
        return cls(
            inputs={name: _input_encoding(given) for name, given in value["inputs"].items()},
            targets={name: TargetEncoding.from_json(target) for name, target in value["targets"].items()},
            seed=value["seed"],
            digest=value["digest"],
            features={name: tuple(columns) for name, columns in value["features"].items()},
            learned=value["learned"],
        )

    @property
    def target_scalings(self) -> dict[str, TargetScaling]:
        """The targets that are trained on in another scale than the data's."""
        return {name: target.scaling for name, target in self.targets.items() if target.scaling is not None}

    def encode(self, table: Table, rows: np.ndarray | None = None, *, with_target: bool = True) -> Split:
        """The given rows of a table (None: all) as the model expects them. Raises DataError where they do not fit."""
        for name, columns in self.features.items():
            found = table.inputs.get(name)
            if found is None or found.features != columns:
                raise DataError(
                    f"{table.file}: its columns are not those that the model was trained on",
                    hint=f"expected {', '.join(f'`{column}`' for column in columns)}",
                )
        inputs = {}
        for name, scaling in self.inputs.items():
            if name not in table.inputs:
                raise DataError(f"{table.file}: there is no input `{name}`, which the model takes")
            inputs[name] = scaling.apply(table.inputs[name], rows)
        targets = {}
        for name, target in self.targets.items() if with_target else ():
            if name not in table.targets:
                what = "" if name == TARGET else f" `{name}`"
                raise DataError(f"{table.file}: there is no target{what} to compare with")
            values = target.apply(table.targets[name])
            targets[name] = values if rows is None else values[rows]
        weights = {}
        if with_target and table.sample_weights is not None:
            chosen = table.sample_weights if rows is None else table.sample_weights[rows]
            weights[SAMPLE_WEIGHT] = np.ascontiguousarray(chosen, np.float32)
        return Split(inputs, targets, table.rows if rows is None else len(rows), weights)
