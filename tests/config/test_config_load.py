"""Loading whole configs: order of the steps, the dump, and what a loaded config remembers."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainer_cli.config.load import load, load_text, plain_config, read_config, to_yaml
from trainer_cli.config.schema import phase_count, phase_settings
from trainer_cli.config.source import parse
from trainer_cli.errors import ConfigError

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
TEXT = """\
seed: 3
data: {type: csv, path: data/x.csv, validationPath: ../y.csv, target: label}
architecture:
  - {type: dense, units: 4, activation: relu}
  - {type: dense, units: 1, name: out}
optimizer: {type: Adam, learningRate: 0.1}
loss: mse
metrics: [acc]
fit: {epochs: 5, batchSize: 16}
phases:
  - {name: warm, fit: {epochs: 1}}
  - {freeze: [out], optimizer: {type: sgd, learning_rate: 0.30000000000000004}}
"""


def read(text, *overrides, path="folder/digits.yaml", **environ):
    return load_text(text, Path(path), overrides, environ)


def again(loaded, path):
    return load_text(loaded.dump_yaml(), Path(path), (), {})


def test_the_name_is_the_files_unless_it_is_given(tmp_path):
    path = tmp_path / "digits.v2.yaml"
    path.write_text("architecture: [flatten]\n")
    assert load(path).config.name == "digits.v2"
    assert load(str(path), ["name=other"]).config.name == "other"
    assert read("architecture: [flatten]", path="...yaml").config.name == "config"


def test_overrides_come_before_references_and_these_before_the_checks():
    loaded = read("architecture: [flatten]\nname: n-${seed}\nseed: 1\nfit: {epochs: '${env:E}'}", "seed=2", E="7")
    assert (loaded.config.name, loaded.config.fit.epochs) == ("n-2", 7)
    assert loaded.resolved == {"architecture": ["flatten"], "name": "n-2", "seed": 2, "fit": {"epochs": 7}}


def test_the_environment_is_the_process_own_by_default(tmp_path, monkeypatch):
    path = tmp_path / "c.yaml"
    path.write_text("architecture: [flatten]\nseed: ${env:TRAINER_TEST_SEED}\n")
    monkeypatch.setenv("TRAINER_TEST_SEED", "12")
    assert load(path).config.seed == 12


def test_places_outlive_loading():
    loaded = read(TEXT, "fit.epochs=9")
    assert str(loaded.source.place(("architecture", "layers", 1, "units"))) == "folder/digits.yaml:5:26"
    assert str(loaded.source.place(("fit", "batch_size"))) == "folder/digits.yaml:9:29"
    assert str(loaded.source.place(("fit", "epochs"))) == "--set fit.epochs=9"


def test_the_dump_is_complete_and_canonical():
    dumped = read(TEXT).dump()
    assert dumped["name"] == "digits"
    assert dumped["optimizer"]["type"] == "adam"
    assert dumped["optimizer"]["learning_rate"] == 0.1
    assert dumped["loss"]["type"] == "mean_squared_error"
    assert dumped["metrics"][0]["type"] == "accuracy"
    assert dumped["architecture"][0]["activation"]["type"] == "relu"
    assert dumped["architecture"][0]["use_bias"] is True
    assert dumped["fit"]["checkpoint"] == {
        "monitor": None,
        "mode": "auto",
        "every_epochs": None,
        "every_minutes": None,
        "keep": None,
    }
    assert dumped["phases"][0] == {"name": "warm", "fit": {"epochs": 1}}


def test_paths_in_the_dump_are_absolute():
    data = read(TEXT, path="folder/c.yaml").dump()["data"]
    assert data["path"] == str(Path.cwd() / "folder/data/x.csv")
    assert Path(data["validation_path"]).is_absolute()
    assert data["test_path"] is None


def test_the_dump_loads_to_the_same_config_from_anywhere():
    first = read(TEXT)
    second = again(first, "elsewhere/config.yaml")
    assert second.dump() == first.dump()
    assert second.config.model_copy(update={"data": None}) == first.config.model_copy(update={"data": None})
    for index in range(phase_count(first.config)):
        assert phase_settings(second.config, index) == phase_settings(first.config, index)
    assert again(second, "third/config.yaml").config == second.config


def test_a_dump_is_a_config_for_a_checkpoint_too():
    loaded = read(TEXT)
    assert plain_config(read_config(loaded.dump(), "last.safetensors"), Path("/")) == loaded.dump()


def test_losses_by_output_survive_the_dump():
    loaded = read(
        "architecture: {layers: [flatten], outputs: [flatten_1]}\nloss: {a: mse, b: mae}\nmetrics: {a: [acc]}"
    )
    assert again(loaded, "c.yaml").config.model_copy(update={"name": "digits"}) == loaded.config
    assert loaded.dump()["architecture"]["outputs"] == ["flatten_1"]


@pytest.mark.parametrize("number", [0.1, 1e-5, 1e22, 123456789.123456789, 5e-324, 1.7976931348623157e308, 1e-3, -0.0])
def test_floats_keep_their_last_digit(number):
    assert parse(to_yaml({"a": number}), "").plain()["a"].hex() == number.hex()


@pytest.mark.parametrize("text", ["1e-3", "010", "0x1F", "no", "null", "~", "", "12:30", "${a}", "a: b", "9" * 2000])
def test_texts_stay_texts(text):
    assert read(to_yaml({"name": text or "-", "architecture": ["flatten"]})).config.name == (text or "-")


def test_a_dumped_text_is_quoted_only_where_it_must_be():
    assert to_yaml({"a": "1e-3", "b": "x"}) == "a: '1e-3'\nb: x\n"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: there is no such file"):
        load(tmp_path / "none.yaml")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_example_loads_and_its_dump_loads_to_the_same(path):
    loaded = load(path)
    assert again(loaded, path).dump() == loaded.dump()


def test_a_key_that_looks_like_a_reference_stays_what_it_is(tmp_path):
    text = "architecture: [{type: dense, units: 2}]\nclass_weight: {'${': 2, '$${x}': 0.5}\nname: 'a $${b}'\n"
    loaded = load_text(text, tmp_path / "c.yaml")
    assert loaded.config.class_weight == {"${": 2.0, "$${x}": 0.5}
    assert load_text(loaded.dump_yaml(), tmp_path / "c.yaml").config == loaded.config
