"""Defaults, names of layers, phases, spellings, and the checks across sections."""

from __future__ import annotations

import pytest

from trainer_cli.config.schema import Config, layer_names, phase_count, phase_settings, total_epochs

LAYERS = ["flatten", {"type": "dense", "units": 2}, {"type": "dense", "units": 2, "name": "head"}, "flatten"]


def config(**sections):
    return Config.model_validate({"architecture": LAYERS, **sections})


def errors(**sections):
    with pytest.raises(ValueError, match="validation error") as caught:
        config(**sections)
    return {(error["loc"], error["msg"]) for error in caught.value.errors()}


def test_defaults():
    made = config()
    assert (made.name, made.seed, made.data, made.optimizer, made.loss) == ("model", 0, None, None, None)
    assert (made.metrics, made.freeze, made.phases, made.loss_weights) == ([], [], [], None)
    assert (made.fit.epochs, made.fit.batch_size, made.fit.shuffle, made.fit.early_stopping) == (1, 32, True, None)
    assert (made.fit.checkpoint.monitor, made.fit.checkpoint.mode) == (None, "auto")
    assert (made.architecture.inputs, made.architecture.outputs) == (None, None)


def test_early_stopping_has_the_defaults_of_keras_apart_from_the_mode():
    stopping = config(fit={"early_stopping": {}}).fit.early_stopping
    assert stopping.model_dump() == {
        "monitor": "val_loss",
        "patience": 0,
        "min_delta": 0.0,
        "mode": "auto",
        "baseline": None,
        "restore_best": False,
        "start_from_epoch": 0,
    }


def test_a_list_is_an_architecture_of_layers():
    assert config() == Config.model_validate({"architecture": {"layers": LAYERS}})


def test_camel_case_is_accepted_everywhere():
    made = config(
        lossWeights={"myOutput": 1},
        fit={"batchSize": 4, "earlyStopping": {"minDelta": 0.5}},
        phases=[{"fit": {"batchSize": 2}}],
        optimizer={"type": "Adam", "learningRate": 0.5},
    )
    assert made.loss_weights == {"myOutput": 1.0}
    assert made.fit.batch_size == 4
    assert made.fit.early_stopping.min_delta == 0.5
    assert made.phases[0].fit.batch_size == 2
    assert (made.optimizer.type, made.optimizer.learning_rate) == ("adam", 0.5)


def test_names_of_layers_count_by_type():
    assert layer_names(config().architecture.layers) == ["flatten_1", "dense_1", "head", "flatten_2"]


def test_naming_a_layer_renames_no_other():
    layers = [{"type": "dense", "units": 1, "name": "first"}, {"type": "dense", "units": 1}]
    assert layer_names(config(architecture=layers).architecture.layers) == ["first", "dense_2"]


@pytest.mark.parametrize(
    ("layers", "location", "message"),
    [
        (
            [{"type": "flatten", "name": "a"}, {"type": "flatten", "name": "a"}],
            ("architecture", "layers", 1, "name"),
            "two layers are called `a`: architecture[0] and architecture[1]",
        ),
        (
            [{"type": "flatten", "name": "flatten_2"}, "flatten"],
            ("architecture", "layers", 1),
            "two layers are called `flatten_2`: architecture[0] and architecture[1]",
        ),
        ([{"type": "flatten", "name": "a/b"}], ("architecture", "layers", 0, "name"), "`a/b` cannot be a layer's name"),
        ([{"type": "flatten", "name": ""}], ("architecture", "layers", 0, "name"), "`` cannot be a layer's name"),
    ],
)
def test_names_of_layers_that_are_refused(layers, location, message):
    assert errors(architecture=layers) == {(location, message)}


def test_all_checks_across_sections_are_told_at_once():
    assert errors(freeze=["heat", "x"], phases=[{"freeze": ["dense_2"], "name": "phase_2"}, {"freeze": ["head"]}]) == {
        (("freeze", 0), "no layer is called `heat`"),
        (("freeze", 1), "no layer is called `x`"),
        (("phases", 0, "freeze", 0), "no layer is called `dense_2`"),
        (("phases", 1, "name"), "phases 1 and 2 are both called `phase_2`"),
    }


@pytest.mark.parametrize("name", ["a/b", "a\\b", ".", "..", ""])
def test_a_run_is_not_called_after_a_path(name):
    assert {location for location, _ in errors(name=name)} == {("name",)}


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("seed", -1),
        ("seed", 2**32),
        ("seed", 1.0),
        ("seed", True),
        ("fit", {"epochs": 0}),
        ("fit", {"epochs": "3"}),
        ("fit", {"batch_size": 0}),
        ("fit", {"shuffle": 1}),
        ("fit", None),
        ("fit", {"early_stopping": {"patience": -1}}),
        ("fit", {"early_stopping": {"min_delta": -0.5}}),
        ("fit", {"early_stopping": {"baseline": float("inf")}}),
        ("fit", {"early_stopping": True}),
        ("fit", {"stop_on_nan": False}),
        ("architecture", []),
        ("architecture", {"layers": []}),
        ("architecture", {}),
        ("metrics", "accuracy"),
        ("metrics", {"type": "accuracy"}),
        ("loss_weights", {"a": "1"}),
        ("phases", {}),
    ],
)
def test_values_that_are_refused(section, value):
    assert errors(**{section: value})


def test_losses_and_metrics_by_output():
    made = config(loss={"a": "mse", "b": {"type": "mse"}}, metrics={"a": ["accuracy"]})
    assert [made.loss[name].type for name in ("a", "b")] == ["mean_squared_error"] * 2
    assert [metric.type for metric in made.metrics["a"]] == ["accuracy"]


def test_one_loss_and_a_list_of_metrics():
    made = config(loss={"type": "bce", "from_logits": True}, metrics=["acc", {"type": "accuracy", "name": "again"}])
    assert (made.loss.type, made.loss.from_logits) == ("binary_crossentropy", True)
    assert [metric.name for metric in made.metrics] == [None, "again"]


def test_a_config_without_phases_is_one_phase():
    made = config(optimizer="adam", loss="mse", metrics=["accuracy"], freeze=["head"], fit={"epochs": 3})
    settings = phase_settings(made, 0)
    assert phase_count(made) == 1
    assert (settings.position, settings.name, settings.freeze) == (0, "phase_1", ("head",))
    assert (settings.optimizer, settings.loss, settings.metrics) == (made.optimizer, made.loss, made.metrics)
    assert settings.fit == made.fit
    with pytest.raises(IndexError):
        phase_settings(made, 1)
    with pytest.raises(IndexError):
        phase_settings(made, -1)


def test_phases_replace_what_they_name():
    made = config(
        optimizer="adam",
        loss="mse",
        metrics=["accuracy"],
        freeze=["head"],
        loss_weights={"a": 2.0},
        fit={"epochs": 3, "batch_size": 8, "early_stopping": {"patience": 4, "min_delta": 1.0}},
        phases=[
            {},
            {"name": "fine", "optimizer": "sgd", "freeze": [], "metrics": [], "fit": {"epochs": 1}},
            {"loss": "mae", "fit": {"early_stopping": {"patience": 2}}},
            {"fit": {"early_stopping": None, "batch_size": 32}},
        ],
    )
    first, second, third, fourth = (phase_settings(made, index) for index in range(phase_count(made)))
    assert (first.name, first.optimizer.type, first.loss.type, first.freeze) == (
        "phase_1", "adam", "mean_squared_error", ("head",),
    )  # fmt: skip
    assert first.fit == made.fit
    assert (second.name, second.optimizer.type, second.freeze, second.metrics) == ("fine", "sgd", (), [])
    assert (second.fit.epochs, second.fit.batch_size, second.fit.early_stopping.patience) == (1, 8, 4)
    assert (third.name, third.loss.type, third.fit.early_stopping.min_delta) == ("phase_3", "mean_absolute_error", 0.0)
    assert (fourth.fit.early_stopping, fourth.fit.batch_size, fourth.fit.epochs) == (None, 32, 3)
    assert {each.loss_weights["a"] for each in (first, second, third, fourth)} == {2.0}
    assert total_epochs(made) == 3 + 1 + 3 + 3
