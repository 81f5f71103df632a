"""The networks that every benchmark runs, as data: layers as in a config, rows, batch, and the reach asked for.

A peer reads the same layers by `connected` and makes its own of them, so that a network is written down once. All train
with Adam and sparse categorical cross-entropy, in float32, on the same random rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np


@dataclass(frozen=True)
class Workload:
    """A network, and how it is trained. `reach`: the most that a step of ours may take, in steps of the best peer.

    With `vocabulary`, rows are whole numbers below it, and there is a class to foretell at every place of a row.
    """

    name: str
    title: str
    layers: list[Any]
    shape: tuple[int, ...]
    batch: int
    steps: int
    reach: float | None = None
    vocabulary: int | None = None

    @property
    def classes(self) -> int:
        return self.layers[-1]["units"]

    @property
    def dtype(self) -> str:
        return "int32" if self.vocabulary else "float32"

    @property
    def config(self) -> dict[str, Any]:
        """The part of a config that stands for the network."""
        first = {"type": "input", "shape": list(self.shape), "dtype": self.dtype}
        return {
            "architecture": [first, *self.layers],
            "optimizer": "adam",
            "loss": "sparse_categorical_crossentropy",
        }

    def rows(self):
        """The inputs and labels of an epoch."""
        generator = np.random.default_rng(0)
        count = self.batch * self.steps
        if self.vocabulary:
            x = generator.integers(0, self.vocabulary, (count, *self.shape)).astype(np.int32)
            return x, generator.integers(0, self.classes, (count, *self.shape)).astype(np.int32)
        x = generator.random((count, *self.shape), dtype=np.float32)
        return x, generator.integers(0, self.classes, count).astype(np.int32)


class Layer(NamedTuple):
    """A layer with the places of what it reads: 0 is the network's input, n the output of the n-th layer."""

    type: str
    arguments: dict[str, Any]
    inputs: tuple[int, ...]


def connected(layers) -> list[Layer]:
    """Layers as a config has them, each with the places of its inputs."""
    places: dict[str, int] = {}
    found: list[Layer] = []
    for given in layers:
        arguments = {"type": given} if isinstance(given, str) else dict(given)
        kind, inputs = arguments.pop("type"), arguments.pop("inputs", None)
        name = arguments.pop("name", None)
        found.append(Layer(kind, arguments, tuple(places[each] for each in inputs) if inputs else (len(found),)))
        if name is not None:
            places[name] = len(found)
    return found


def is_chain(layers) -> bool:
    """Whether each layer reads the one before it and nothing else."""
    return all(layer.inputs == (place,) for place, layer in enumerate(layers))


# Networks


def softmax(classes):
    return {"type": "dense", "units": classes, "activation": "softmax"}


def dense(units):
    """Fully connected layers between the given numbers of units, the first of which is the input."""
    return [*({"type": "dense", "units": n, "activation": "relu"} for n in units[1:-1]), softmax(units[-1])]


def convolutional(filters, classes):
    """Convolutions of 3 × 3, each with pooling behind it."""
    hidden = []
    for n in filters:
        hidden += [{"type": "conv2d", "filters": n, "kernel_size": 3, "activation": "relu"}, "max_pooling2d"]
    return [*hidden, "flatten", softmax(classes)]


def attention(blocks, width, heads, hidden, first, causal=False):
    """Blocks of attention and a small network, normalized before each, around sums; `first` names what they read."""
    layers, last = [], first
    for n in range(blocks):
        layers += [
            {"type": "layer_normalization", "inputs": [last]},
            {
                "type": "multi_head_attention",
                "num_heads": heads,
                "key_dim": width // heads,
                "causal": causal,
                "name": f"attention_{n}",
            },
            {"type": "add", "name": f"middle_{n}", "inputs": [last, f"attention_{n}"]},
            {"type": "layer_normalization"},
            {"type": "dense", "units": hidden, "activation": "gelu"},
            {"type": "dense", "units": width, "name": f"mlp_{n}"},
            {"type": "add", "name": f"end_{n}", "inputs": [f"middle_{n}", f"mlp_{n}"]},
        ]
        last = f"end_{n}"
    return layers


def transformer(blocks, length=64, vocabulary=65):
    """Foretells the next character at every place of a text."""
    return [
        {"type": "embedding", "input_dim": vocabulary, "output_dim": 64},
        {"type": "position_embedding", "sequence_length": length, "name": "begin"},
        *attention(blocks, 64, 4, 128, "begin", causal=True),
        "layer_normalization",
        softmax(vocabulary),
    ]


def residual(blocks):
    """Two convolutions with batch normalization per block, with a way around them; three widths, halving the image."""

    def convolution(filters, **other):
        own = {"type": "conv2d", "filters": filters, "kernel_size": 3, "padding": "same", "use_bias": False}
        return {**own, **other}

    layers = [convolution(16), "batch_normalization", {"type": "activation", "activation": "relu", "name": "end_0"}]
    filters = 16
    for n in range(blocks):
        wide = 16 << n * 3 // blocks
        strides, before = 1 if wide == filters else 2, f"end_{n}"
        layers += [
            convolution(wide, strides=strides, inputs=[before]),
            "batch_normalization",
            {"type": "activation", "activation": "relu"},
            convolution(wide),
            {"type": "batch_normalization", "name": f"branch_{n}"},
        ]
        if wide != filters:
            layers += [
                convolution(wide, kernel_size=1, strides=strides, inputs=[before]),
                {"type": "batch_normalization", "name": f"shortcut_{n}"},
            ]
            before = f"shortcut_{n}"
        layers += [
            {"type": "add", "inputs": [before, f"branch_{n}"]},
            {"type": "activation", "activation": "relu", "name": f"end_{n + 1}"},
        ]
        filters = wide
    return [*layers, "global_average_pooling2d", softmax(10)]


def dense_workload(name, units, batch, steps, reach=None):
    return Workload(name, f"{'-'.join(map(str, units))}, batch {batch:,}", dense(units), units[:1], batch, steps, reach)


def residual_workload(name, blocks):
    title = f"residual network of {2 * blocks + 1} convolutions with batch normalization on 32 × 32 × 3, batch 32"
    return Workload(name, title, residual(blocks), (32, 32, 3), 32, 10, 0.33)


def transformer_workload(name, blocks):
    title = f"Transformer over 64 of 65 characters, {blocks} blocks of width 64, batch 32"
    return Workload(name, title, transformer(blocks), (64,), 32, 10, 0.33, 65)


# The table

_SMALL_ATTENTION = [
    {"type": "dense", "units": 64, "name": "begin"},
    *attention(2, 64, 4, 128, "begin"),
    "global_average_pooling1d",
    softmax(10),
]

WORKLOADS = {
    workload.name: workload
    for workload in (
        dense_workload("tiny", (64, 32, 10), 32, 400, 0.25),
        dense_workload("mlp", (784, 128, 10), 32, 400, 0.40),
        dense_workload("mlp128", (784, 128, 10), 128, 200, 0.50),
        dense_workload("big", (784, 1024, 1024, 10), 256, 20, 0.77),
        Workload(
            "cnn",
            "convolutions 32 and 64 with pooling on 28 × 28, batch 64",
            convolutional((32, 64), 10),
            *((28, 28, 1), 64, 20, 0.33),
        ),
        Workload(
            "lstm",
            "LSTM 28 × 28 → 128 → 10, batch 64",
            [{"type": "lstm", "units": 128}, softmax(10)],
            *((28, 28), 64, 20, 0.50),
        ),
        Workload(
            "attention",
            "2 blocks of attention, width 64, 4 heads, 28 tokens, batch 64",
            _SMALL_ATTENTION,
            *((28, 28), 64, 20, 0.33),
        ),
        dense_workload("odd", (100, 37, 11, 3), 17, 400, 0.25),
        residual_workload("residual", 3),
        transformer_workload("characters", 2),
    )
}
"""The workloads by name. The reach of the first seven is the project's; the others are held to that of their kind."""

DIGITS = dense_workload("digits", (64, 64, 10), 32, 45)
