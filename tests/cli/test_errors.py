"""Each documented mistake: the words that the user sees, where they point, and the exit code."""

from __future__ import annotations

import re

import pytest


def replaced(text, old, new):
    assert old in text
    return text.replace(old, new)


def refused(done, code, *words):
    """The command failed as documented: its code, its words, nothing on stdout and no traceback."""
    assert done.returncode == code, done.stderr
    for pattern in words:
        assert re.search(pattern, done.stderr), f"{pattern!r} is not in:\n{done.stderr}"
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


# The config: found by `validate` and by `fit` alike.

CONFIG_MISTAKES = {
    "unknown type": ("type: adam", "type: adamm", [r"config.yaml:12:19: .*unknown optimizer `adamm`", "mean `adam`"]),
    "misspelled key": (
        "learning_rate: 2e-2",
        "learning_rte: 2e-2",
        [r"config.yaml:12:25: .*unknown key `learning_rte`", "mean `learning_rate`"],
    ),
    "wrong shape between layers": (
        "  - {type: dense, units: 3",
        "  - {type: reshape, target_shape: [5]}\n  - {type: dense, units: 3",
        [r"config.yaml:11:\d+: .*reshape", "8"],
    ),
    "softmax with binary cross-entropy": (
        "sparse_categorical_crossentropy",
        "binary_crossentropy",
        [r"config.yaml:13:\d+: .*softmax", "categorical_crossentropy"],
    ),
    "negative units": ("units: 8", "units: -8", [r"config.yaml:10:26: .*units: expected .* greater than 0, got .*-8"]),
    "monitor that does not exist": (
        "epochs: 3",
        "early_stopping: {monitor: val_acuracy}, epochs: 3",
        [r"config.yaml:15:\d+: .*`val_acuracy`", "mean `val_accuracy`"],
    ),
    "duplicate key": ("seed: 3", "name: twice", [r"config.yaml:2:1: .*twice"]),
}


@pytest.mark.parametrize("command", ["validate", "fit"])
@pytest.mark.parametrize("mistake", CONFIG_MISTAKES)
def test_a_mistake_in_the_config_is_refused_at_its_line(project, mistake, command, config_text):
    old, new, words = CONFIG_MISTAKES[mistake]
    project.configure(replaced(config_text, old, new))
    refused(project.run(command, "config.yaml"), 2, *words)
    assert not (project.folder / "runs").exists()


def test_all_mistakes_are_told_at_once(project, config_text):
    text = replaced(replaced(config_text, "units: 8", "units: -8"), "seed: 3", "sed: 3")
    project.configure(replaced(text, "type: adam", "type: adamm"))
    done = project.run("validate", "config.yaml")
    refused(done, 2, "config.yaml:2:1", "config.yaml:10:26", "config.yaml:12:19")


def test_a_config_that_does_not_exist(project):
    refused(project.run("fit", "nowhere.yaml"), 2, "nowhere.yaml")


def test_a_model_without_a_loss_is_not_trained(project, config_text):
    project.configure(replaced(config_text, "loss: sparse_categorical_crossentropy\n", ""))
    refused(project.fit(), 2, "`loss` is missing", "\n +loss: sparse_categorical_crossentropy")


# The data.


def test_a_missing_file(project):
    (project.folder / "flowers.csv").unlink()
    refused(project.fit(), 3, r"flowers\.csv")
    refused(project.run("validate", "--data", "config.yaml"), 3, r"flowers\.csv")
    done = project.run("validate", "config.yaml")
    assert (done.returncode, done.stdout) == (0, "config.yaml: ok\n")
    assert "shapes were not checked" in done.stderr


def test_an_empty_file(project):
    (project.folder / "flowers.csv").write_text("")
    refused(project.fit(), 3, r"flowers\.csv", "empty")


@pytest.mark.parametrize(
    ("row", "column", "value", "words"),
    [
        (7, 5, None, [r"flowers\.csv, line 8", "4", "5"]),
        (7, 1, "many", [r"flowers\.csv, line 8", "`b`", "many"]),
        (7, 1, "NaN", [r"flowers\.csv, line 8", "`b`", "(?i)nan"]),
    ],
    ids=["ragged", "text in a numeric column", "NaN"],
)
def test_a_damaged_row(project, rows, row, column, value, words):
    if value is None:
        rows[row] = rows[row][:-1]
    else:
        rows[row][column] = value
    project.write_data(rows)
    refused(project.fit(), 3, *words)


def test_a_label_out_of_range(project, rows):
    rows[5][-1] = "violet"
    project.write_data(rows)
    refused(project.fit(), 3, "4 classes|violet", "3")


# The machine.


def test_a_layer_that_no_machine_holds(project):
    layers = [{"type": "dense", "units": 10**12}, {"type": "dense", "units": 3, "activation": "softmax"}]
    project.configure(architecture=layers)
    refused(project.fit(), 6, "needs at least [0-9,.]+ GB", "largest output is that of dense_1 with 64,000.0 GB")
    done = project.run("validate", "config.yaml")
    assert (done.returncode, done.stdout) == (0, "config.yaml: ok\n")
    assert re.search(r"^warning: config.yaml:\d+:1: the model needs at least", done.stderr)


def test_a_run_directory_that_cannot_be_written(project):
    refused(project.fit("--run-dir", "flowers.csv/run"), 6, r"flowers\.csv/run", "--run-dir")


def test_a_truncated_checkpoint(project):
    assert project.fit("--run-dir", "run").returncode == 0
    for path in (project.folder / "run" / "checkpoints").iterdir():
        path.write_bytes(path.read_bytes()[:-100])
    refused(project.fit("--resume", "run"), 3, r"last\.safetensors", "damaged")
    refused(project.run("predict", "run", "--data", "flowers.csv"), 3, r"best\.safetensors", "damaged")


def test_a_damaged_plan_cache_costs_time_and_a_warning(project):
    cache = project.folder / "cache"
    environment = {"TRAINER_CACHE_DIR": str(cache)}
    flags = ("--target", "cpu", "--json", "--set", "fit.epochs=1")
    first = project.fit(*flags, environment=environment)
    assert first.returncode == 0, first.stderr
    files = [path for path in cache.rglob("*") if path.is_file()]
    assert files
    for path in files:
        path.write_bytes(b"rubbish")
    second = project.fit(*flags, environment=environment)
    assert second.returncode == 0, second.stderr
    assert "Traceback" not in second.stderr
    # One for each plan.
    assert 1 <= len(re.findall("^warning: .*cache", second.stderr, re.MULTILINE)) <= 3
    losses = [re.search(r'"loss": ([\d.e-]+)', done.stdout)[1] for done in (first, second)]
    assert losses[0] == losses[1]
