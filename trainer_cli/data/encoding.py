"""What training learned about its data, in and out of JSON: enough to turn new data into what the model expects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainer_cli.data.scaling import Scaling
from trainer_cli.data.source import INPUT, Split, Table
from trainer_cli.data.targets import Class, TargetEncoding
from trainer_cli.errors import DataError
from trainer_cli.lazy import np


@dataclass(frozen=True)
class Encoding:
    """Scaling of the inputs (fitted on the training split alone), names of the columns, and classes of the target.

    `seed` and `digest` are those of the split, so that the rows held out can be found again.
    """

    inputs: dict[str, Scaling]
    features: tuple[str, ...] | None
    target: TargetEncoding | None
    seed: int
    digest: str

    @property
    def input_scale(self) -> float:
        """What the elements of the input are multiplied by when a batch is gathered."""
        return self.inputs[INPUT].input_scale

    @property
    def classes(self) -> tuple[Class, ...] | None:
        """The class behind each unit of the output: text or whole numbers. None if the output is not of classes."""
        return None if self.target is None else self.target.classes

    def to_json(self) -> dict[str, Any]:
        return {
            "inputs": {name: scaling.to_json() for name, scaling in self.inputs.items()},
            "features": None if self.features is None else list(self.features),
            "target": None if self.target is None else self.target.to_json(),
            "seed": self.seed,
            "digest": self.digest,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Encoding:
        features, target = value["features"], value["target"]
        return cls(
            inputs={name: Scaling.from_json(scaling) for name, scaling in value["inputs"].items()},
            features=None if features is None else tuple(features),
            target=None if target is None else TargetEncoding.from_json(target),
            seed=value["seed"],
            digest=value["digest"],
        )

    def encode(self, table: Table, rows: np.ndarray | None = None, *, with_target: bool = True) -> Split:
        """The given rows of a table (None: all) as the model expects them. Raises DataError where they do not fit."""
        if self.features is not None and table.features != self.features:
            raise DataError(
                f"{table.input_origin.file}: its columns are not those that the model was trained on",
                hint=f"expected {', '.join(f'`{name}`' for name in self.features)}",
            )
        inputs = {
            name: scaling.apply(table.inputs[name], rows, table.input_origin, table.features)
            for name, scaling in self.inputs.items()
        }
        target = None
        if with_target and self.target is not None:
            if not table.targets:
                raise DataError(f"{table.input_origin.file}: there is no target to compare with")
            target = self.target.apply(table)
            if rows is not None:
                target = target[rows]
        return Split(inputs, target, table.rows if rows is None else len(rows))
