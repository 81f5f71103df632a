"""Every command and flag, as a user types it."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import jsonschema
import pytest
import yaml
from safetensors.numpy import load_file

ROOT = Path(__file__).parents[2]
TARGET = {"fit": ["--target", "reference"], "compile": ["--target", "reference"], "validate": []}


def succeeded(done):
    assert done.returncode == 0, done.stderr
    return done


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


# fit


def test_fit_prints_a_line_per_epoch_and_fills_the_run_directory(project):
    done = succeeded(project.fit("--run-dir", "run"))
    assert re.fullmatch(
        r"(epoch [123]/3  loss [\d.]+  accuracy [\d.]+  val_loss [\d.]+  val_accuracy [\d.]+  \d+ m?s(  best)?\n){3}"
        r"best epoch \d by val_loss: .*\n"
        r"test: loss [\d.]+  accuracy [\d.]+\n",
        done.stdout,
    )
    run = project.folder / "run"
    names = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert names == {
        "config.yaml",
        "manifest.json",
        "metrics.jsonl",
        "summary.json",
        "checkpoints/last.safetensors",
        "checkpoints/previous.safetensors",
        "checkpoints/best.safetensors",
    }
    assert "run directory: run" in done.stderr


def test_runs_go_to_a_folder_of_the_configs_name(project):
    succeeded(project.fit("--set", "fit.epochs=1"))
    (run,) = (project.folder / "runs" / "flowers").iterdir()
    assert re.fullmatch(r"\d{8}T\d{6}Z", run.name)


def test_json_gives_the_lines_of_metrics_and_the_summary(project):
    done = succeeded(project.fit("--run-dir", "run", "--json"))
    *epochs, summary = lines(done.stdout)
    assert epochs == lines((project.folder / "run" / "metrics.jsonl").read_text())
    assert summary == json.loads((project.folder / "run" / "summary.json").read_text())


def test_set_overrides_any_key_and_flags_stand_anywhere(project):
    done = succeeded(
        project.run(
            *("--set", "fit.epochs=1", "--target=reference", "fit", "--json", "--config", "config.yaml"),
            *("--set", "architecture[0].units=5", "--run-dir", "run"),
        )
    )
    assert len(lines(done.stdout)) == 2
    found = succeeded(project.run("compile", "run/config.yaml", "--json", "--target", "reference"))
    assert json.loads(found.stdout)["layers"][0]["output_shape"] == [5]


def test_a_wrong_override_points_at_the_command_line(project):
    done = project.fit("--set", "fit.epoch=1")
    assert done.returncode == 2
    assert "--set" in done.stderr
    assert "did you mean `epochs`" in done.stderr


@pytest.mark.parametrize(
    ("flags", "environment", "epochs", "on_stderr"),
    [
        (["--progress", "plain"], {}, 3, True),
        (["--progress", "none"], {}, 0, True),
        (["--quiet"], {}, 0, False),
        ([], {"CI": "true"}, 3, True),
    ],
    ids=str,
)
def test_how_progress_is_shown(project, flags, environment, epochs, on_stderr):
    done = succeeded(project.fit(*flags, environment=environment))
    assert done.stdout.count("epoch ") == epochs + 1  # and that of the best epoch
    assert bool(done.stderr) == on_stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_rich_progress_can_be_forced(project):
    done = succeeded(project.fit("--progress", "rich", environment={"TERM": "xterm"}))
    assert "\x1b[" in done.stderr
    assert "\x1b" not in done.stdout
    assert re.search(r"3/3 +[\d.]+", done.stdout)


def test_weights_start_from_a_checkpoint_and_say_what_matched(project):
    succeeded(project.fit("--run-dir", "first"))
    done = succeeded(project.fit("--weights", "first", "--set", "fit.epochs=1", "--json"))
    assert "weights from first/checkpoints/best.safetensors: 4 of 4 matched" in done.stderr
    before = lines((project.folder / "first" / "metrics.jsonl").read_text())
    assert lines(done.stdout)[0]["loss"] < before[0]["loss"]
    done = project.fit("--weights", "first", "--set", "architecture[0].units=9")
    assert done.returncode == 2
    assert "dense_1/kernel" in done.stderr
    assert "(4, 9)" in done.stderr
    assert "(4, 8)" in done.stderr


def test_resume_goes_on_with_a_run(project):
    succeeded(project.fit("--run-dir", "run"))
    done = succeeded(project.run("fit", "--resume", "run", "--extend-epochs", "2", "--target", "reference"))
    assert "resuming run/checkpoints/last.safetensors" in done.stderr
    assert [line["epoch"] for line in lines((project.folder / "run" / "metrics.jsonl").read_text())] == [1, 2, 3, 4, 5]


def test_resume_latest_takes_the_configs_newest_run(project):
    succeeded(project.fit())
    done = succeeded(project.fit("--resume", "latest", "--set", "fit.epochs=4"))
    assert "changed: fit.epochs was 3, is 4" in done.stderr
    assert done.stdout.count("epoch 4/4") == 1


@pytest.mark.parametrize("command", ["fit", "validate", "compile"])
def test_strict_refuses_what_is_doubtful(project, config_text, command):
    text = config_text.replace("activation: softmax", "activation: relu")
    project.configure(
        text.replace("loss: spa", "loss: {from_logits: true, type: spa").replace("entropy\n", "entropy}\n")
    )
    doubtful = project.run(command, "config.yaml", *TARGET[command])
    assert doubtful.returncode == 0
    assert re.search(r"^warning: config\.yaml:\d+:\d+: .*relu", doubtful.stderr, re.MULTILINE)
    refused = project.run(command, "config.yaml", *TARGET[command], "--strict")
    assert refused.returncode == 2
    assert re.search(r"^config\.yaml:\d+:\d+: .*relu", refused.stderr)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGUSR1, 138)])
def test_a_signal_leaves_a_checkpoint_to_resume(project, number, code):
    arguments = ("fit", "config.yaml", "--target", "reference", "--set", "fit.epochs=100000", "--run-dir", "run")
    with project.start(*arguments) as process:
        assert process.stdout.readline().startswith("epoch 1/")
        process.send_signal(number)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == code, stderr
    assert "go on with: trainer fit --resume run" in stderr
    assert json.loads((project.folder / "run" / "summary.json").read_text())["stop_reason"] == "interrupted"
    done = succeeded(project.run("fit", "--resume", "run", "--set", "fit.epochs=1", "--target", "reference"))
    assert "resuming run/checkpoints/last.safetensors" in done.stderr


# The CPU target


def test_cpu_and_threads_give_the_same_bits(project):
    for threads in ("1", "2", "4"):
        succeeded(project.fit("--target", "cpu", "--threads", threads, "--run-dir", f"run{threads}"))
    weights = [(project.folder / f"run{threads}/checkpoints/last.safetensors") for threads in (1, 2, 4)]
    tensors = [load_file(path) for path in weights]
    assert tensors[0].keys() == tensors[1].keys() == tensors[2].keys()
    for name, value in tensors[0].items():
        assert value.tobytes() == tensors[1][name].tobytes() == tensors[2][name].tobytes(), name


@pytest.mark.parametrize("threads", ["0", "-1", "two"])
def test_a_number_of_threads_is_positive(project, threads):
    done = project.run("fit", "config.yaml", "--threads", threads)
    assert done.returncode == 2
    assert "--threads" in done.stderr


# validate


def test_validate_says_ok_or_gives_problems_as_json(project, config_text):
    assert succeeded(project.run("validate", "config.yaml")).stdout == "config.yaml: ok\n"
    done = succeeded(project.run("validate", "config.yaml", "--json", "--data"))
    assert json.loads(done.stdout) == {"ok": True, "problems": [], "warnings": [], "notes": []}
    assert succeeded(project.run("validate", "config.yaml", "--quiet")).stdout == ""
    project.configure(config_text.replace("units: 8", "unit: 8"))
    done = project.run("validate", "config.yaml", "--json")
    assert done.returncode == 2
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert not found["ok"]
    (unknown, *_) = [problem for problem in found["problems"] if "unknown key" in problem["message"]]
    assert (unknown["file"], unknown["line"], unknown["column"]) == ("config.yaml", 10, 19)
    assert unknown["hint"] == "did you mean `units`?"


def test_validate_uses_an_input_layer_when_the_data_is_elsewhere(project, config_text):
    (project.folder / "flowers.csv").unlink()
    text = config_text.replace("architecture:\n", "architecture:\n  - {type: input, shape: [4]}\n")
    project.configure(text)
    done = succeeded(project.run("validate", "config.yaml", "--json"))
    assert json.loads(done.stdout)["notes"] == []
    project.configure(text.replace("units: 3, activation: softmax", "units: 3, activation: sotmax"))
    assert project.run("validate", "config.yaml").returncode == 2


# evaluate and predict


def test_evaluate_gives_the_test_numbers_of_the_best_epoch(trained):
    done = succeeded(trained.run("evaluate", "run", "--json", "--target", "reference"))
    found = json.loads(done.stdout)
    assert (found["part"], found["rows"]) == ("test", 18)
    assert 0 <= found["accuracy"] <= 1
    text = succeeded(trained.run("evaluate", "run/checkpoints/best.safetensors", "--target", "reference")).stdout
    assert re.fullmatch(r"loss +[\d.]+\naccuracy +[\d.]+\n", text)


def test_evaluate_takes_a_part_or_a_new_file(trained, rows):
    done = succeeded(trained.run("evaluate", "run", "--part", "train", "--json", "--target", "reference"))
    assert json.loads(done.stdout)["rows"] == 54
    trained.write_data(rows[:11], "new.csv")
    done = succeeded(trained.run("evaluate", "run", "--data", "new.csv", "--json", "--target", "reference"))
    assert json.loads(done.stdout)["rows"] == 10
    done = trained.run("evaluate", "run", "--data", "new.csv", "--part", "test")
    assert done.returncode == 2
    assert "either --data or --part" in done.stderr


def test_a_config_stands_for_its_newest_run(project):
    done = project.run("evaluate", "config.yaml", "--target", "reference")
    assert done.returncode == 2
    assert "runs/flowers" in done.stderr
    succeeded(project.fit("--set", "fit.epochs=1"))
    done = succeeded(project.run("evaluate", "config.yaml", "--target", "reference"))
    assert "config.yaml with the weights of runs/flowers/" in done.stderr


def test_predict_needs_no_target_and_no_order_of_columns(trained, rows):
    shuffled = [[row[2], row[0], row[3], row[1]] for row in rows[:8]]
    trained.write_data(shuffled, "unlabelled.csv")
    trained.write_data(rows[:8], "labelled.csv")
    outputs = [
        succeeded(trained.run("predict", "run", "--data", name, "--target", "reference")).stdout
        for name in ("unlabelled.csv", "labelled.csv")
    ]
    assert outputs[0] == outputs[1]
    found = list(csv.DictReader(io.StringIO(outputs[0])))
    assert len(found) == 7
    for row in found:
        scores = {name: float(row[f"score_{name}"]) for name in ("red", "green", "blue")}
        assert sum(scores.values()) == pytest.approx(1, abs=1e-5)
        assert row["prediction"] == max(scores, key=scores.get)


def test_predict_writes_json_lines_to_a_file(trained):
    done = succeeded(trained.run("predict", "run", "--json", "--output", "out.jsonl", "--target", "reference"))
    assert done.stdout == ""
    found = lines((trained.folder / "out.jsonl").read_text())
    assert len(found) == 18
    assert set(found[0]) == {"prediction", "score_red", "score_green", "score_blue"}
    done = trained.run("predict", "run", "--output", "nowhere/out.csv", "--target", "reference")
    assert done.returncode == 6
    assert "nowhere/out.csv" in done.stderr


def test_predict_writes_parquet_where_the_name_says_so(trained):
    parquet = pytest.importorskip("pyarrow.parquet")
    succeeded(trained.run("predict", "run", "--output", "out.parquet", "--target", "reference"))
    succeeded(trained.run("predict", "run", "--output", "out.csv", "--target", "reference"))
    found = parquet.read_table(trained.folder / "out.parquet").to_pylist()
    expected = list(csv.DictReader(io.StringIO((trained.folder / "out.csv").read_text())))
    assert [row["prediction"] for row in found] == [row["prediction"] for row in expected]
    for row, line in zip(found, expected, strict=True):
        assert row["score_red"] == pytest.approx(float(line["score_red"]), rel=1e-6)
    done = trained.run("predict", "run", "--json", "--output", "out.parquet")
    assert done.returncode == 2
    assert "is written as Parquet" in done.stderr


def test_predict_answers_the_standard_input_as_it_comes(trained, rows):
    trained.write_data(rows[:8], "new.csv")
    expected = succeeded(trained.run("predict", "run", "--data", "new.csv", "--target", "reference")).stdout
    command = [sys.executable, "-m", "trainer_cli", "predict", "run", "--data", "-", "--target", "reference"]
    text = (trained.folder / "new.csv").read_text()
    done = subprocess.run(
        command, cwd=trained.folder, input=text, capture_output=True, text=True, env=trained.environment()
    )
    assert (done.returncode, done.stdout) == (0, expected)
    done = subprocess.run(
        command,
        cwd=trained.folder,
        input=text + "1,2,x,4,red\n",
        capture_output=True,
        text=True,
        env=trained.environment(),
    )
    assert done.returncode == 3
    assert "-, line 9, column `c`: expected a number, found `x`" in done.stderr
    done = trained.run("evaluate", "run", "--data", "-", "--target", "reference")
    assert done.returncode == 3
    assert "can be read by `predict` alone" in done.stderr


# compile and schema


def test_compile_shows_layers_totals_and_costs(project):
    done = succeeded(project.run("compile", "config.yaml"))
    assert re.search(r"dense_1 +dense +\(batch, 8\) +40\n *dense_2 +dense +\(batch, 3\) +27\n", done.stdout)
    assert re.search(r"^parameters +67 \(268 B\)$", done.stdout, re.MULTILINE)
    assert re.search(r"^operations per step +[\d.,]+ k?FLOP$", done.stdout, re.MULTILINE)
    assert re.search(r"^bytes per step +[\d.,]+ k?B$", done.stdout, re.MULTILINE)
    assert re.search(r"^barriers per step +2$", done.stdout, re.MULTILINE)
    assert re.search(r"^ +1 .* rows .*\n\n +2 .* dense_\d/kernel and 2 slots$", done.stdout, re.MULTILINE | re.DOTALL)
    assert not re.search(r" +$", done.stdout, re.MULTILINE)


def test_compile_gives_the_source_and_json(project):
    source = succeeded(project.run("compile", "config.yaml", "--source")).stdout
    compile(source, "plan.py", "exec")
    assert "def entry(begin, end, rows, " in source
    found = json.loads(succeeded(project.run("compile", "config.yaml", "--json")).stdout)
    assert found["parameters"] == sum(layer["parameters"] for layer in found["layers"]) == 67
    assert found["description"]["barriers_per_step"] == 2
    assert "source" not in found
    assert json.loads(succeeded(project.run("compile", "config.yaml", "--json", "--source")).stdout)["source"] == source


def test_compile_needs_to_know_the_input(project):
    (project.folder / "flowers.csv").unlink()
    done = project.run("compile", "config.yaml")
    assert done.returncode == 3
    assert "flowers.csv is not there" in done.stderr
    assert "type: input" in done.stderr
    assert project.run("compile", "config.yaml", "--phase", "2").returncode == 2


def test_schema_accepts_the_config_and_refuses_a_misspelled_one(project):
    schema = json.loads(succeeded(project.run("schema")).stdout)
    config = yaml.safe_load((project.folder / "config.yaml").read_text().replace("2e-2", "0.02"))
    jsonschema.validate(config, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(config | {"sed": 3}, schema)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_a_terminal_gets_a_table_and_a_bar(project):
    import pty

    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", "trainer_cli", "fit", "config.yaml", "--target", "reference"],
        cwd=project.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "90", "LINES": "40"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # Linux says so when the other end is closed
        while piece := os.read(ours, 4096):
            shown += piece
    os.close(ours)
    assert done.wait(60) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    assert len(re.findall(r"epoch +loss +accuracy +val_loss +val_accuracy +rate +time", text)) == 1
    assert len(re.findall(r"[123]/3 +\d\.\d+ +\d\.\d+ +\d\.\d+ +\d\.\d+ +0\.02 +\d+ m?s", text)) == 3
    assert re.search(r"epoch 1/3 .* \d/4 steps", text)
