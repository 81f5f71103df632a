"""What holds for every part, found by its file: naming, documentation, round trips, refusals, aliases."""

from __future__ import annotations

import inspect
import json
import math
import re
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from pydantic_core import PydanticUndefined

from trainer_cli.parts import families
from trainer_cli.parts.families import Family, read_part, snake_case
from trainer_cli.parts.part import Part

FAMILIES = [
    families.LAYERS,
    families.ACTIVATIONS,
    families.INITIALIZERS,
    families.REGULARIZERS,
    families.CONSTRAINTS,
    families.OPTIMIZERS,
    families.SCHEDULES,
    families.LOSSES,
    families.METRICS,
]
PARTS = [pytest.param(family, name, id=f"{family.noun}-{name}") for family in FAMILIES for name in family.names()]

LEAST: dict[str, dict[str, Any]] = {
    "input": {"shape": [3]},
    "block": {"layers": ["flatten"]},
    "shared": {"of": "dense_1"},
    "dense": {"units": 2},
    "dropout": {"rate": 0.5},
    "reshape": {"target_shape": [-1]},
    "dot": {"axes": 1},
    "simple_rnn": {"units": 2},
    "lstm": {"units": 2},
    "gru": {"units": 2},
    "bidirectional": {"layer": {"type": "lstm", "units": 2}},
    "time_distributed": {"layer": {"type": "dense", "units": 2}},
    "embedding": {"input_dim": 5, "output_dim": 3},
    "position_embedding": {"sequence_length": 4},
    "multi_head_attention": {"num_heads": 2, "key_dim": 3},
    "conv1d": {"filters": 2, "kernel_size": 3},
    "conv2d": {"filters": 2, "kernel_size": 3},
    "conv3d": {"filters": 2, "kernel_size": 3},
    "conv2d_transpose": {"filters": 2, "kernel_size": 3},
    "conv1d_transpose": {"filters": 2, "kernel_size": 3},
    "conv3d_transpose": {"filters": 2, "kernel_size": 3},
    "depthwise_conv1d": {"kernel_size": 3},
    "depthwise_conv2d": {"kernel_size": 3},
    "depthwise_conv3d": {"kernel_size": 2},
    "separable_conv1d": {"filters": 2, "kernel_size": 3},
    "separable_conv2d": {"filters": 2, "kernel_size": 3},
    "separable_conv3d": {"filters": 2, "kernel_size": 2},
    "conv_lstm1d": {"filters": 2, "kernel_size": 3},
    "conv_lstm2d": {"filters": 2, "kernel_size": 3},
    "conv_lstm3d": {"filters": 2, "kernel_size": 2},
    "rnn": {"cell": {"type": "lstm", "units": 2}},
    "einsum_dense": {"equation": "ab,bc->ac", "output_shape": 3},
    "grouped_query_attention": {"head_dim": 2, "num_query_heads": 2, "num_key_value_heads": 1},
    "center_crop": {"height": 2, "width": 3},
    "random_brightness": {"factor": 0.2},
    "random_contrast": {"factor": 0.2},
    "random_color_degeneration": {"factor": 0.5},
    "random_sharpness": {"factor": 0.5},
    "random_hue": {"factor": 0.5},
    "random_saturation": {"factor": 0.5},
    "random_posterization": {"factor": 4},
    "random_crop": {"height": 2, "width": 3},
    "random_rotation": {"factor": 0.2},
    "random_translation": {"height_factor": 0.2, "width_factor": 0.1},
    "random_zoom": {"height_factor": 0.2},
    "resizing": {"height": 2, "width": 3},
    "category_encoding": {"num_tokens": 3},
    "discretization": {"bin_boundaries": [0.5]},
    "integer_lookup": {"vocabulary": [5, 7]},
    "normalization": {"mean": 0.5, "variance": 2.0},
    "adaptive_average_pooling1d": {"output_size": 2},
    "adaptive_average_pooling2d": {"output_size": 2},
    "adaptive_average_pooling3d": {"output_size": 2},
    "adaptive_max_pooling1d": {"output_size": 2},
    "adaptive_max_pooling2d": {"output_size": 2},
    "adaptive_max_pooling3d": {"output_size": 2},
    "permute": {"dims": [2, 1]},
    "repeat_vector": {"n": 2},
    "rescaling": {"scale": 0.5},
    "alpha_dropout": {"rate": 0.5},
    "gaussian_dropout": {"rate": 0.5},
    "gaussian_noise": {"stddev": 0.5},
    "spatial_dropout1d": {"rate": 0.5},
    "spatial_dropout2d": {"rate": 0.5},
    "spatial_dropout3d": {"rate": 0.5},
    "spectral_normalization": {"layer": {"type": "dense", "units": 2}},
    "exponential_decay": {"initial_learning_rate": 0.1, "decay_steps": 10.0, "decay_rate": 0.5},
    "inverse_time_decay": {"initial_learning_rate": 0.1, "decay_steps": 10.0, "decay_rate": 0.5},
    "polynomial_decay": {"initial_learning_rate": 0.1, "decay_steps": 10.0},
    "piecewise_constant_decay": {"boundaries": [5.0], "values": [0.1, 0.01]},
    "cosine_decay": {"initial_learning_rate": 0.1, "decay_steps": 10.0},
    "cosine_decay_restarts": {"initial_learning_rate": 0.1, "first_decay_steps": 10.0},
    "linear_warmup": {"warmup_steps": 5.0, "learning_rate": 0.1},
    "iou": {"target_class_ids": [0, 1]},
    "precision_at_recall": {"recall": 0.5},
    "recall_at_precision": {"precision": 0.5},
    "sensitivity_at_specificity": {"specificity": 0.5},
    "specificity_at_sensitivity": {"sensitivity": 0.5},
    "one_cycle": {"max_learning_rate": 0.1, "total_steps": 10.0},
}
LEAST_OF_LAYER = {"activation": {"activation": "relu"}}


def least(family: Family, name: str) -> dict[str, Any]:
    """The least that a config must give for a part."""
    extra = LEAST_OF_LAYER if family is families.LAYERS else {}
    return {"type": name, **LEAST.get(name, {}), **extra.get(name, {})}


def make(family: Family, name: str, **arguments: Any) -> Part:
    return read_part(family, {**least(family, name), **arguments})


def test_every_family_has_parts() -> None:
    assert all(family.names() for family in FAMILIES)


@pytest.mark.parametrize(("family", "name"), PARTS)
def test_part_is_named_after_its_file(family: Family, name: str) -> None:
    part = make(family, name)
    assert type(part).type == name
    assert snake_case(type(part).__name__) == name


@pytest.mark.parametrize(("family", "name"), PARTS)
def test_part_says_what_it_is(family: Family, name: str) -> None:
    kind = family.find(name)
    module, own = inspect.getmodule(kind), kind.__doc__
    assert module is not None
    assert module.__doc__
    assert re.search(r" in(,| ).* out", module.__doc__.splitlines()[0]), "say what comes in and what goes out"
    assert own
    assert own != inspect.getmro(kind)[1].__doc__


@pytest.mark.parametrize(("family", "name"), PARTS)
def test_every_field_is_described(family: Family, name: str) -> None:
    kind = family.find(name)
    missing = [field for field, information in kind.model_fields.items() if not information.description]
    assert missing == []


@pytest.mark.parametrize(("family", "name"), PARTS)
def test_yaml_round_trip(family: Family, name: str) -> None:
    part = make(family, name)
    again = read_part(family, yaml.safe_load(yaml.safe_dump(part.model_dump(mode="json"))))
    assert again == part
    assert type(again) is type(part)
    json.dumps(part.model_dump(mode="json"), allow_nan=False)


@pytest.mark.parametrize(("family", "name"), PARTS)
def test_unknown_key_is_refused(family: Family, name: str) -> None:
    with pytest.raises(ValidationError, match="no_such_key") as caught:
        make(family, name, no_such_key=1)
    assert [error["type"] for error in caught.value.errors()] == ["extra_forbidden"]


@pytest.mark.parametrize(("family", "name"), PARTS)
def test_bare_name_is_enough_unless_a_field_is_required(family: Family, name: str) -> None:
    if len(least(family, name)) == 1:
        assert read_part(family, name) == make(family, name)
    else:
        with pytest.raises(ValidationError) as caught:
            read_part(family, name)
        assert {error["type"] for error in caught.value.errors()} == {"missing"}


@pytest.mark.parametrize(("family", "name"), PARTS)
def test_scalars_are_strict_and_finite(family: Family, name: str) -> None:
    for field, information in family.find(name).model_fields.items():
        if not (information.annotation in (int, float, bool) or information.annotation == float | None):
            continue
        wrong: list[Any] = ["1", [1]]
        wrong += [math.nan, math.inf, -math.inf] if information.annotation in (float, float | None) else [1.5]
        for value in wrong:
            with pytest.raises(ValidationError):
                make(family, name, **{field: value})


@pytest.mark.parametrize(("family", "name"), PARTS)
def test_part_never_changes(family: Family, name: str) -> None:
    part = make(family, name)
    for field in type(part).model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(part, field, getattr(part, field))


@pytest.mark.parametrize(("family", "name"), PARTS)
def test_camel_case_is_accepted(family: Family, name: str) -> None:
    head, *tail = name.split("_")
    camel = head + "".join(word.capitalize() for word in tail)
    pascal = camel[0].upper() + camel[1:]
    given = {key: value for key, value in least(family, name).items() if key != "type"}
    renamed = {}
    for key, value in given.items():
        first, *rest = key.split("_")
        renamed[first + "".join(word.capitalize() for word in rest)] = value
    for spelling in (camel, pascal):
        assert read_part(family, {"type": spelling, **renamed}) == make(family, name)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.noun)
def test_names_and_aliases_mean_one_part_each(family: Family) -> None:
    seen: dict[str, str] = {}
    for name in family.names():
        aliases = getattr(inspect.getmodule(family.find(name)), "ALIASES", ())
        assert isinstance(aliases, tuple)
        for alias in (name, *aliases):
            assert alias not in seen, f"{alias} means {seen.get(alias)} and {name}"
            seen[alias] = name
            assert family.canonical(alias) == name


# The names in both libraries' tables, where they are not the part's own: TensorFlow.js's first, then Keras's.
LIBRARY_NAMES = {
    "activation": {
        "hardSigmoid": "hard_sigmoid",
        "logSoftmax": "log_softmax",
        "gelu_new": "gelu_new",
        "silu": "swish",
        "leakyReLU": "leaky_relu",
        "reLU": "relu",
        "ReLU": "relu",
        "LeakyReLU": "leaky_relu",
    },
    "initializer": {
        "randomUniform": "random_uniform",
        "leCunNormal": "lecun_normal",
        "leCunUniform": "lecun_uniform",
        "LecunNormal": "lecun_normal",
        "varianceScaling": "variance_scaling",
        "GlorotUniform": "glorot_uniform",
        "heNormal": "he_normal",
        "OrthogonalInitializer": "orthogonal",
        "IdentityInitializer": "identity",
        "normal": "random_normal",
        "uniform": "random_uniform",
        "zero": "zeros",
        "one": "ones",
    },
    "regularizer": {"l1l2": "l1_l2", "L1L2": "l1_l2", "L1": "l1"},
    "constraint": {"maxNorm": "max_norm", "nonNeg": "non_neg", "NonNeg": "non_neg", "MinMaxNorm": "min_max_norm"},
    "optimizer": {"SGD": "sgd", "Adam": "adam", "RMSprop": "rmsprop", "RMSProp": "rmsprop", "Adagrad": "adagrad"}
    | {"AdamW": "adamw", "Adadelta": "adadelta", "ScheduleFreeAdamW": "schedule_free_adamw", "Nadam": "nadam"},
    "schedule": {"CosineDecay": "cosine_decay", "OneCycleLR": "one_cycle"}
    | {"PiecewiseConstantDecay": "piecewise_constant_decay", "InverseTimeDecay": "inverse_time_decay"},
    "loss": {
        "mse": "mean_squared_error",
        "MSE": "mean_squared_error",
        "meanAbsoluteError": "mean_absolute_error",
        "mae": "mean_absolute_error",
        "bce": "binary_crossentropy",
        "binaryCrossentropy": "binary_crossentropy",
        "BinaryCrossentropy": "binary_crossentropy",
        "sparseCategoricalCrossentropy": "sparse_categorical_crossentropy",
        "meanAbsolutePercentageError": "mean_absolute_percentage_error",
        "msle": "mean_squared_logarithmic_error",
        "squaredHinge": "squared_hinge",
        "categoricalHinge": "categorical_hinge",
        "logcosh": "log_cosh",
        "LogCosh": "log_cosh",
        "kullbackLeiblerDivergence": "kl_divergence",
        "KLDivergence": "kl_divergence",
        "cosineProximity": "cosine_similarity",
        "BinaryFocalCrossentropy": "binary_focal_crossentropy",
    },
    "metric": {
        "acc": "accuracy",
        "Accuracy": "accuracy",
        "binaryAccuracy": "binary_accuracy",
        "mse": "mean_squared_error",
        "MSE": "mean_squared_error",
        "MAE": "mean_absolute_error",
        "SparseCategoricalAccuracy": "sparse_categorical_accuracy",
        "ce": "crossentropy",
        "cosine": "cosine_similarity",
        "mape": "mean_absolute_percentage_error",
        "AUC": "auc",
        "R2Score": "r2_score",
        "r2Score": "r2_score",
        "F1Score": "f1_score",
        "FBetaScore": "fbeta_score",
        "MeanIoU": "mean_iou",
        "BinaryIoU": "binary_iou",
        "OneHotIoU": "iou",
        "TopKCategoricalAccuracy": "top_k_categorical_accuracy",
        "LogCoshError": "log_cosh_error",
    },
    "layer": {
        "inputLayer": "input",
        "InputLayer": "input",
        "Dense": "dense",
        "Add": "add",
        "SimpleRNN": "simple_rnn",
        "simpleRNN": "simple_rnn",
        "LSTM": "lstm",
        "GRU": "gru",
        "Bidirectional": "bidirectional",
        "TimeDistributed": "time_distributed",
        "Concatenate": "concatenate",
        "LayerNormalization": "layer_normalization",
        "RMSNormalization": "rms_normalization",
        "BatchNormalization": "batch_normalization",
    },
}


@pytest.mark.parametrize(
    ("family", "name", "canonical"),
    [
        pytest.param(family, name, canonical, id=f"{family.noun}-{name}")
        for family in FAMILIES
        for name, canonical in LIBRARY_NAMES[family.noun].items()
    ],
)
def test_names_of_both_libraries_are_known(family: Family, name: str, canonical: str) -> None:
    assert family.canonical(name) == canonical


def test_defaults_are_allowed_values() -> None:
    for family in FAMILIES:
        for name in family.names():
            part = make(family, name)
            defaults = {
                field: information.default
                for field, information in type(part).model_fields.items()
                if information.default is not PydanticUndefined and field not in least(family, name)
            }
            assert make(family, name, **{key: value for key, value in defaults.items() if value is not None}) == part


BAD = [
    (families.LAYERS, "dense", "units", 0),
    (families.LAYERS, "dense", "units", -3),
    (families.LAYERS, "dense", "units", 2.0),
    (families.LAYERS, "dropout", "rate", 1.01),
    (families.LAYERS, "dropout", "rate", -0.1),
    (families.LAYERS, "reshape", "target_shape", [2, -1, -1]),
    (families.LAYERS, "reshape", "target_shape", [0, 2]),
    (families.LAYERS, "reshape", "target_shape", []),
    (families.LAYERS, "reshape", "target_shape", ["2"]),
    (families.LAYERS, "reshape", "target_shape", [True]),
    (families.LAYERS, "layer_normalization", "epsilon", 0),
    (families.LAYERS, "batch_normalization", "momentum", 1.1),
    (families.LAYERS, "dot", "axes", [1]),
    (families.LAYERS, "dot", "axes", [1, 1, 1]),
    (families.LAYERS, "embedding", "input_dim", 0),
    (families.LAYERS, "input", "dtype", "int64"),
    (families.LAYERS, "input", "shape", [0]),
    (families.LAYERS, "input", "shape", [-1]),
    (families.LAYERS, "bidirectional", "merge_mode", "dot"),
    (families.LAYERS, "lstm", "units", 0),
    (families.LAYERS, "gru", "dropout", 1.0),
    (families.LAYERS, "simple_rnn", "recurrent_dropout", -0.1),
    (families.OPTIMIZERS, "sgd", "learning_rate", 0),
    (families.OPTIMIZERS, "sgd", "momentum", 1.5),
    (families.OPTIMIZERS, "adam", "beta_1", 1.0),
    (families.OPTIMIZERS, "adam", "epsilon", 0),
    (families.OPTIMIZERS, "rmsprop", "rho", -0.1),
    (families.LOSSES, "binary_crossentropy", "label_smoothing", 1.1),
    (families.METRICS, "precision", "class_id", -1),
    (families.METRICS, "precision", "average", "weighted"),
    (families.METRICS, "binary_accuracy", "threshold", 2),
    (families.REGULARIZERS, "l2", "l2", -0.1),
    (families.CONSTRAINTS, "min_max_norm", "rate", 1.5),
    (families.CONSTRAINTS, "min_max_norm", "min_value", 2.0),
    (families.INITIALIZERS, "random_uniform", "minval", 1.0),
    (families.INITIALIZERS, "random_normal", "stddev", -1.0),
    (families.INITIALIZERS, "variance_scaling", "scale", 0),
    (families.INITIALIZERS, "variance_scaling", "mode", "fan_max"),
]


@pytest.mark.parametrize(("family", "name", "field", "value"), BAD)
def test_arguments_out_of_bounds_are_refused(family: Family, name: str, field: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        make(family, name, **{field: value})


def test_class_id_and_average_exclude_each_other() -> None:
    with pytest.raises(ValidationError, match="give one of the two"):
        make(families.METRICS, "recall", class_id=1, average="macro")
