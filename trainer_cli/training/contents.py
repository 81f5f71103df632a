"""A run directory, a checkpoint or any safetensors file in; what is inside, without reading the tensors, out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open

from trainer_cli.config.layers import layer_names
from trainer_cli.config.load import read_config
from trainer_cli.errors import ConfigError
from trainer_cli.training.checkpoints import CheckpointError, find_checkpoint

_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


class Tensor(NamedTuple):
    """A tensor of the file: `use` is weight, optimizer, or what else a run needs to go on."""

    name: str
    use: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.elements * _BYTES.get(self.dtype, 4)


@dataclass(frozen=True)
class Contents:
    """What a file holds. Without a `config` it is no checkpoint of trainer, only tensors with names.

    `layers`: name and type in order; `counters`, `best`, `last` and `test` are those of the run at that moment.
    """

    file: Path
    size: int
    tensors: list[Tensor]
    config: dict[str, Any] | None = None
    layers: list[tuple[str, str]] = field(default_factory=list)
    versions: dict[str, Any] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    best: dict[str, Any] = field(default_factory=dict)
    last: dict[str, Any] = field(default_factory=dict)
    test: dict[str, Any] = field(default_factory=dict)
    epochs: int = 0
    seed: int | None = None
    digest: str | None = None
    encoding: dict[str, Any] | None = None

    def of_use(self, use: str) -> list[Tensor]:
        return [tensor for tensor in self.tensors if tensor.use == use]


def contents(path: Path) -> Contents:
    """Look into a file. Raises CheckpointError if it is missing or damaged."""
    file = find_checkpoint(path)
    shapes, metadata = _read_header(file)
    text = metadata.get("trainer")
    size = file.stat().st_size
    if text is None:
        return Contents(file, size, [Tensor(name, "weight", *shape) for name, shape in shapes.items()])
    try:
        header = json.loads(text)
        # In the order of the network, weights before optimizer state; the file is sorted by name.
        uses = dict.fromkeys(header["weights"], "weight") | dict.fromkeys(header["optimizer"], "optimizer")
        return Contents(
            file=file,
            size=size,
            tensors=[Tensor(name, uses.get(name, "run"), *shapes[name]) for name in {**uses, **shapes}],
            config=header["config"],
            layers=_layers(header["config"], str(file)),
            versions=header["versions"],
            counters=header["counters"],
            best=header["best"],
            last=header["history"][-1] if header["history"] else {},
            test=header["test"],
            epochs=len(header["history"]),
            seed=header["seed"],
            digest=header["digest"],
            encoding=header["encoding"],
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{file} is a damaged checkpoint: {type(error).__name__} at {error}") from error


def _read_header(file: Path) -> tuple[dict[str, tuple[tuple[int, ...], str]], Mapping[str, str]]:
    """Shapes and types of the tensors in the order of the file, and its metadata."""
    try:
        with safe_open(file, framework="numpy") as opened:
            slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118
            shapes = {name: (tuple(found.get_shape()), found.get_dtype()) for name, found in slices.items()}
            return shapes, opened.metadata() or {}
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no checkpoint at {file}") from error
    except SafetensorError as error:
        raise CheckpointError(f"{file} is damaged or no safetensors file: {error}") from error
    except OSError as error:
        raise CheckpointError(f"cannot read {file}: {error}") from error


def _layers(config: Mapping[str, Any], origin: str) -> list[tuple[str, str]]:
    """Names and types; none if this version cannot read the config, which is no reason to show nothing."""
    try:
        layers = read_config(config, origin).architecture.layers
    except ConfigError:
        return []
    return list(zip(layer_names(layers), (layer.type for layer in layers), strict=True))
