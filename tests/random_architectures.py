"""Random architectures for tests: a seed in, a config over all families of layers, with rows that fit it, out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from trainer_cli.compiler.program import InputSpec, Program, build_program
from trainer_cli.compiler.trace import trace
from trainer_cli.config.schema import Architecture, Config
from trainer_cli.errors import ConfigError
from trainer_cli.ir.graph import Value
from trainer_cli.parts.families import LAYERS, METRICS, OPTIMIZERS

Random = np.random.Generator
TOKENS = 7
LARGEST = 400
"""Elements of a row."""

LEFT_OUT = {
    "input": "stands first in every graph",
    "block": "made of the others, and drawn as such",
    "shared": "names a layer, and drawn as such",
    "embedding": "takes tokens, and drawn where they are the input",
    "category_encoding": "takes whole numbers, which no layer but the input gives",
    "integer_lookup": "takes whole numbers, which no layer but the input gives",
    "discretization": "gives whole numbers, from which no gradient comes",
}
"""Layers that do not grow from a value like the others."""

DISCONTINUOUS = ("lion", "muon")
"""Optimizers of which a gradient that is nothing but rounding makes a step as long as any other."""

LARGE_EPSILON = 1e-3
"""Of optimizers that divide by the size of past gradients: one that is nothing but rounding makes no whole step then,
such as that of a bias in front of a batch normalization, or of a scale that changes nothing."""

ACTIVATIONS = ("linear", "relu", "tanh", "sigmoid", "elu", "gelu", "softplus", "softmax", "swish")


def _choice(random: Random, *values: Any) -> Any:
    return values[int(random.integers(len(values)))]


def _flag(random: Random) -> bool:
    return bool(random.integers(2))


def _convolution(random: Random) -> dict[str, Any]:
    stride = int(random.integers(1, 3))
    return {
        "filters": int(random.integers(1, 5)),
        "kernel_size": int(random.integers(1, 4)),
        "strides": stride,
        "padding": _choice(random, "valid", "same"),
        "dilation_rate": 1 if stride > 1 else int(random.integers(1, 3)),
        "activation": _choice(random, *ACTIVATIONS[:4]),
        "use_bias": _flag(random),
    }


def _recurrent(random: Random) -> dict[str, Any]:
    return {
        "units": int(random.integers(1, 5)),
        "return_sequences": _flag(random),
        "go_backwards": _flag(random),
        "dropout": _choice(random, 0.0, 0.2),
        "recurrent_dropout": _choice(random, 0.0, 0.0, 0.3),
    }


def _pooling(random: Random) -> dict[str, Any]:
    return {
        "pool_size": int(random.integers(1, 4)),
        "strides": _choice(random, None, 1, 2),
        "padding": _choice(random, "valid", "same"),
    }


def _inner_recurrent(random: Random) -> dict[str, Any]:
    return {**_recurrent(random), "go_backwards": False, "type": _choice(random, "simple_rnn", "lstm", "gru")}


def _cells(random: Random) -> dict[str, Any]:
    of_steps = ("return_sequences", "go_backwards")
    cells = []
    for _ in range(int(random.integers(1, 4))):
        given = {key: value for key, value in _recurrent(random).items() if key not in of_steps}
        cells.append({"type": _choice(random, "simple_rnn", "lstm", "gru"), **given})
    return {"cell": cells, "return_sequences": _flag(random), "go_backwards": _flag(random)}


SEQUENCES = (
    "simple_rnn",
    "gru",
    "lstm",
    "rnn",
    "bidirectional",
    "multi_head_attention",
    "position_embedding",
    "masking",
)


IMAGES = ("auto_contrast", "center_crop", "equalization", "resizing", "solarization")
"""Layers on images, with those whose names begin with `random_`."""


def _axes(kind: str) -> int | None:
    """How many axes a row must have, where the kind of layer tells."""
    if kind.startswith("random_") or kind in IMAGES:
        return 3
    if kind.startswith("conv_lstm"):
        return int(kind[-2]) + 2
    if kind[-1] == "d" and kind[-2] in "123":
        return int(kind[-2]) + 1
    return 1 if kind == "repeat_vector" else 2 if kind in (*SEQUENCES, "permute") else None


HEADS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "value": (
        ("linear", "tanh"),
        (
            "mean_squared_error",
            "mean_absolute_error",
            "huber",
            "log_cosh",
            "cosine_similarity",
            "hinge",
            "squared_hinge",
            "circle",
        ),
    ),
    "amount": (
        ("softplus", "exponential"),
        ("poisson", "mean_squared_logarithmic_error", "mean_absolute_percentage_error"),
    ),
    "label": (
        ("softmax",),
        (
            *("sparse_categorical_crossentropy", "categorical_crossentropy", "categorical_focal_crossentropy"),
            *("kl_divergence", "categorical_hinge", "categorical_generalized_cross_entropy"),
        ),
    ),
    "question": (("sigmoid",), ("binary_crossentropy", "binary_focal_crossentropy", "dice", "tversky")),
    "speech": (("linear", "softmax"), ("ctc",)),
}
"""The outputs: activations of the last layer, and the losses that fit them."""

ARGUMENTS: dict[str, Callable[[Random], dict[str, Any]]] = {
    "dense": lambda r: {"units": int(r.integers(1, 9)), "activation": _choice(r, *ACTIVATIONS), "use_bias": _flag(r)},
    "activation": lambda r: {"activation": _choice(r, *ACTIVATIONS)},
    "dropout": lambda r: {"rate": _choice(r, 0.0, 0.3)},
    "conv1d": lambda r: {**_convolution(r), "padding": _choice(r, "valid", "same", "causal")},
    "conv2d": _convolution,
    "conv3d": _convolution,
    "max_pooling1d": _pooling,
    "max_pooling2d": _pooling,
    "average_pooling1d": _pooling,
    "average_pooling2d": _pooling,
    "simple_rnn": _recurrent,
    "lstm": _recurrent,
    "gru": lambda r: {**_recurrent(r), "reset_after": _flag(r)},
    "rnn": _cells,
    "bidirectional": lambda r: {
        "layer": _inner_recurrent(r),
        "merge_mode": _choice(r, "concat", "sum", "mul", "ave"),
    },
    "time_distributed": lambda r: {"layer": {"type": "dense", "units": int(r.integers(1, 5))}},
    "multi_head_attention": lambda r: {
        "num_heads": int(r.integers(1, 3)),
        "key_dim": int(r.integers(1, 4)),
        "causal": _flag(r),
        "use_bias": _flag(r),
        "sliding_window": _choice(r, None, None, 2),
        "use_gate": _flag(r),
        "output_shape": _choice(r, None, 3),
    },
    "batch_normalization": lambda r: {"center": _flag(r), "scale": _flag(r), "momentum": 0.9},
    "layer_normalization": lambda r: {"center": _flag(r), "scale": _flag(r)},
    "group_normalization": lambda r: {"groups": _choice(r, 1, -1)},
    "repeat_vector": lambda r: {"n": int(r.integers(1, 4))},
    "position_embedding": lambda r: {"sequence_length": 30},
    "reshape": lambda r: {"target_shape": _choice(r, [-1], [2, -1], [-1, 3], [2, -1, 2])},
}
"""Arguments worth varying; other layers get the least that they need."""

OF_METRICS: dict[str, dict[str, Any]] = {
    "iou": {"target_class_ids": [0, 2]},
    "precision_at_recall": {"recall": 0.5},
    "recall_at_precision": {"precision": 0.5},
    "sensitivity_at_specificity": {"specificity": 0.5},
    "specificity_at_sensitivity": {"sensitivity": 0.5},
}
"""What metrics must be given."""

REDUCED = ("sum", "mean_with_sample_weight", "mean")
"""Other reductions of losses than the usual one."""


class RandomArchitecture:
    """A config that compiles: layers are proposed one after the other, and those that are refused are left out.

    `refused` counts the proposals that a ConfigError turned down; nothing else may stop one.
    """

    def __init__(self, seed: int, least: Callable[[str], dict[str, Any]], steps: int = 10) -> None:
        self.random = np.random.default_rng(seed)
        self.least = least
        self.layers: list[dict[str, Any]] = []
        self.inputs: dict[str, InputSpec] = {}
        self.open: dict[str, tuple[int, ...]] = {}
        self.refused = 0
        self._begin()
        for _ in range(steps):
            self._grow()
        self._heads()

    @property
    def kinds(self) -> set[str]:
        """The types of layers that are there."""
        return {layer["type"] for layer in self.layers}

    def program(self) -> Program:
        return build_program(Config.model_validate(self.config), self.given)

    @property
    def given(self) -> dict[str, InputSpec]:
        return self.inputs if len(self.inputs) > 1 else {"input": next(iter(self.inputs.values()))}

    def _begin(self) -> None:
        random = self.random
        shapes = [(5,), (6, 3), (6, 6, 2), (4, 4, 4, 1), (7,), (5, 2), (5, 4, 3), (2, 2, 3, 3, 1)]
        for number in range(1 if random.random() < 0.7 else 2):
            name = f"given_{number + 1}"
            if random.random() < 0.25:
                self.inputs[name] = InputSpec((int(random.integers(3, 7)),), "int32")
            else:
                self.inputs[name] = InputSpec(shapes[int(random.integers(len(shapes)))])
            shape, dtype = list(self.inputs[name].shape), self.inputs[name].dtype
            self.layers.append({"type": "input", "name": name, "shape": shape, "dtype": dtype})
        for name, spec in list(self.inputs.items()):
            if spec.dtype == "int32":
                embedded = {"input_dim": TOKENS, "output_dim": int(random.integers(1, 5)), "mask_zero": _flag(random)}
                self._propose({"type": "embedding", **embedded, "inputs": [name]})
            else:
                self.open[name] = spec.shape

    def _grow(self) -> None:
        random = self.random
        if not self.open:
            return
        names = list(self.open)
        source = names[-1] if random.random() < 0.8 else names[int(random.integers(len(names)))]
        known = [layer["name"] for layer in self.layers if layer["type"] not in ("input", "embedding")]
        if random.random() < 0.08 and known:
            self._propose({"type": "shared", "of": known[int(random.integers(len(known)))], "inputs": [source]})
            return
        axes = len(self.open[source])
        kinds = [kind for kind in LAYERS.names() if kind not in LEFT_OUT and _axes(kind) in (None, axes)]
        if random.random() < 0.08:
            inner = [self._layer(_choice(random, "dense", "layer_normalization", "gru", "activation", "conv1d"))]
            inner[0]["name"] = "own"
            block = {"type": "block", "repeat": int(random.integers(1, 3)), "layers": [*inner]}
            if _flag(random):
                block["layers"].append({"type": "add", "inputs": ["own", "input"]})
            self._propose({**block, "inputs": [source]})
            return
        kind = kinds[int(random.integers(len(kinds)))]
        fewest, most = LAYERS.find(kind).input_count  # type: ignore[attr-defined]
        count = max(fewest, 1) if most is not None else int(random.integers(max(fewest, 2), 4))
        every = [*self.open, *known]
        others = [every[int(random.integers(len(every)))] for _ in range(count - 1)]
        self._propose({**self._layer(kind), "inputs": [source, *others]})

    def _layer(self, kind: str) -> dict[str, Any]:
        arguments = ARGUMENTS[kind](self.random) if kind in ARGUMENTS else self.least(kind)
        return {"type": kind, **arguments}

    def _propose(self, layer: dict[str, Any]) -> None:
        layer = {**layer, "name": f"layer_{len(self.layers)}"}
        ends = [name for name in self.open if name not in layer["inputs"]]
        ends = [name for name in ends if name not in self.inputs] + [layer["name"]]
        taken = {name for other in [*self.layers, layer] for name in other.get("inputs", [])}
        unused = [name for name in self.inputs if name not in taken]
        # Inputs that nobody takes yet are taken by a layer that only this check sees.
        fill = [{"type": "flatten", "name": f"fill_{name}", "inputs": [name]} for name in unused]
        try:
            architecture = Architecture.model_validate(
                {"layers": [*self.layers, layer, *fill], "outputs": ends + [each["name"] for each in fill]}
            )
            found = trace(architecture, self.given, training=True)
        except (ConfigError, ValueError):
            self.refused += 1
            return
        value: Value = found.predictions[layer["name"]].value
        shape = tuple(int(extent) for extent in value.shape[1:])
        if not shape or int(np.prod(shape)) > LARGEST or value.dtype != "float":
            return
        self.layers.append(layer)
        for name in layer["inputs"]:
            if name in self.open and self.random.random() < 0.85:
                self.open.pop(name, None)
        self.open[layer["name"]] = shape

    def _heads(self) -> None:
        """An output, or two, behind everything that nobody takes."""
        random = self.random
        taken = {name for layer in self.layers for name in layer.get("inputs", [])}
        inner = [layer["name"] for layer in self.layers]
        ends = [name for name in inner if name not in taken]
        flat = []
        for name in ends:
            self.layers.append({"type": "flatten", "name": f"flat_{name}", "inputs": [name]})
            flat.append(f"flat_{name}")
        if len(flat) > 1:
            self.layers.append({"type": "concatenate", "name": "all", "inputs": flat})
            flat = ["all"]
        self.layers.append({"type": "dense", "name": "code", "units": 4, "activation": "tanh", "inputs": flat})
        chosen = list(random.permutation(list(HEADS)))[: 1 if random.random() < 0.6 else 2]
        losses: dict[str, dict[str, Any]] = {}
        for name in map(str, chosen):
            source = "code"
            if name == "speech":
                self.layers.append({"type": "repeat_vector", "name": "steps", "n": 5, "inputs": ["code"]})
                given = {"units": 4, "return_sequences": True, "inputs": ["steps"]}
                self.layers.append({"type": "gru", "name": "heard", **given})
                source = "heard"
            activations, fitting = HEADS[name]
            head = {"units": 3, "activation": _choice(random, *activations), "inputs": [source]}
            self.layers.append({"type": "dense", "name": name, **head})
            losses[name] = {"type": _choice(random, *fitting)}
            if name not in ("question", "value") and random.random() < 0.2:
                losses[name]["reduction"] = _choice(random, *REDUCED)
        optimizers = [name for name in OPTIMIZERS.names() if name not in DISCONTINUOUS]
        metrics = METRICS.names()
        optimizer = {"type": optimizers[int(random.integers(len(optimizers)))], "learning_rate": 0.01}
        if "epsilon" in OPTIMIZERS.find(optimizer["type"]).model_fields:
            optimizer["epsilon"] = LARGE_EPSILON
        self.config: dict[str, Any] = {
            "architecture": {"layers": self.layers, "outputs": [str(name) for name in chosen]},
            "loss": losses,
            "optimizer": optimizer,
            "metrics": {},
        }
        for name in chosen:
            kind = metrics[int(random.integers(len(metrics)))]
            metric = {"type": kind, **OF_METRICS.get(kind, {})}
            with_metric = {**self.config, "metrics": {**self.config["metrics"], str(name): [metric]}}
            try:
                build_program(Config.model_validate(with_metric), self.given)
            except (ConfigError, ValueError):
                self.refused += 1
                continue
            self.config = with_metric
