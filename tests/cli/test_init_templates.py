"""`trainer init` without a table: from a template, and from images, arrays, JSON lines and texts to a trained step."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from trainer_cli.config.templates import names

RANDOM = np.random.default_rng(4)


def jsonl(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def idx(folder: Path, name: str, array: np.ndarray) -> None:
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    (folder / name).write_bytes(header + array.astype(np.uint8).tobytes())


def images(folder: Path, classes: int = 2, each: int = 10, size: tuple[int, int] = (9, 12)) -> None:
    pillow = pytest.importorskip("PIL.Image", reason="needs the extra `images`")
    for label in range(classes):
        (folder / f"class{label}").mkdir(parents=True)
        for number in range(each):
            pixels = RANDOM.integers(0, 256, (*size, 3), dtype=np.uint8)
            pillow.fromarray(pixels).save(folder / f"class{label}" / f"{number}.png")


def config_of(project, *arguments: str, file: str) -> dict[str, Any]:
    """What `init` writes, after a step of training with it."""
    done = project.run("init", *arguments)
    assert done.returncode == 0, done.stderr
    assert f"next: trainer fit {file}" in done.stderr
    text = (project.folder / file).read_text()
    assert text.startswith("# yaml-language-server: $schema=config.schema.json\n")
    done = project.run("fit", file, "--target", "reference", "--limit-steps", "1", "--json")
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(text)


def types(config: dict[str, Any]) -> list[str]:
    return [layer["type"] for layer in config["architecture"]]


# Templates


def data_for(template: str, folder: Path) -> None:
    """Small data as the template describes it."""
    if template == "tabular":
        rows = "".join(f"{row % 5},{row % 7},{'ab'[row % 2]}\n" for row in range(60))
        (folder / "data.csv").write_text("x,z,label\n" + rows)
    elif template == "graph":
        rows = "".join(f"{row % 9},{row % 5},{row % 7},{row % 4},{row % 2},{row % 11}\n" for row in range(60))
        (folder / "data.csv").write_text("age,income,price,weight,bought,amount\n" + rows)
    elif template == "image":
        images(folder / "images", size=(20, 30))
    elif template == "sequence":
        steps = [[[0.5 * row, 1.0]] * (1 + row % 4) for row in range(60)]
        labels = [{"steps": each, "label": ("up", "down")[row % 2]} for row, each in enumerate(steps)]
        (folder / "data.jsonl").write_text(jsonl(labels))
    else:
        (folder / "text.txt").write_text("How many letters are there in a text? " * 60)


@pytest.mark.parametrize("template", names())
def test_a_template_validates_and_is_fitted(project, template):
    done = project.run("init", "--template", template)
    assert done.returncode == 0, done.stderr
    file = f"{template}.yaml"
    assert f"wrote {file}" in done.stderr
    text = (project.folder / file).read_text()
    assert text.startswith("# yaml-language-server: $schema=config.schema.json\n#")
    assert yaml.safe_load(text)["name"] == template
    json.loads((project.folder / "config.schema.json").read_text())
    assert project.run("validate", file).returncode == 0
    data_for(template, project.folder)
    done = project.run("validate", file, "--data", "--strict")
    assert done.returncode == 0, done.stderr
    done = project.run("fit", file, "--target", "reference", "--limit-steps", "1")
    assert done.returncode == 0, done.stderr


def test_the_help_names_every_template(project):
    shown = project.run("init", "--help", environment={"COLUMNS": "200"}).stdout
    assert all(name in shown for name in names())


def test_a_template_is_named_by_its_file_and_replaces_none(project):
    done = project.run("init", "--template", "text", "--output", "deep/book reader.yaml", "--no-schema")
    assert done.returncode == 0, done.stderr
    assert not (project.folder / "deep" / "config.schema.json").exists()
    done = project.run("init", "--template", "text", "--output", "deep/book reader.yaml")
    assert done.returncode == 2
    assert "is there already" in done.stderr


# Data


def test_a_folder_of_images(project):
    images(project.folder / "flowers", classes=3)
    config = config_of(project, "flowers", file="flowers.yaml")
    assert config["data"]["path"] == "flowers"
    assert "size" not in config["data"]
    assert config["data"]["split"] == {"validation": 0.15, "test": 0.15, "stratify": True}
    assert config["architecture"][-1] == {"type": "dense", "units": 3, "activation": "softmax"}
    assert types(config).count("max_pooling2d") == 1


def test_images_of_several_sizes_in_folders_of_their_own(project):
    images(project.folder / "photos" / "train", size=(300, 200))
    images(project.folder / "photos" / "train" / "class1" / "deep", classes=1, each=2, size=(20, 30))
    images(project.folder / "photos" / "test", each=2, size=(40, 40))
    config = config_of(project, "photos/", file="photos.yaml")
    assert config["data"]["path"] == "photos/train"
    assert config["data"]["test_path"] == "photos/test"
    assert config["data"]["size"] == [128, 85]
    assert config["data"]["split"] == {"validation": 0.15, "stratify": True}


def test_arrays_of_bytes_are_images(project):
    content = {f"{axis}_{part}": None for part in ("train", "test") for axis in "xy"}
    for part, rows in (("train", 60), ("test", 60)):
        content[f"x_{part}"] = RANDOM.integers(0, 256, (rows, 8, 8), dtype=np.uint8)
        content[f"y_{part}"] = np.arange(rows, dtype=np.uint8) % 10
    np.savez(project.folder / "mnist.npz", **content)
    config = config_of(project, "mnist.npz", file="mnist.yaml")
    keys = {"input": "x_train", "target": "y_train", "test_input": "x_test", "test_target": "y_test"}
    assert {key: config["data"][key] for key in keys} == keys
    assert config["data"]["scaling"] == "unit"
    assert types(config)[:2] == ["reshape", "conv2d"]
    assert config["architecture"][-1]["units"] == 10
    for template, layer in (("sequence", "lstm"), ("tabular", "flatten")):
        done = project.run("init", "mnist.npz", "--template", template, "--force")
        assert done.returncode == 0, done.stderr
        assert types(yaml.safe_load((project.folder / "mnist.yaml").read_text()))[0] == layer


@pytest.mark.parametrize(
    ("inputs", "answers", "arguments", "layers", "loss", "units"),
    [
        ((60, 5), "numbers", (), ["dense"] * 3, "mse", 1),
        ((60, 5), "two numbers", (), ["dense"] * 3, "mse", 2),
        ((60, 5), "texts", (), ["dense"] * 3, "sparse_categorical_crossentropy", 3),
        ((60, 5), "indicators", (), ["dense"] * 3, "categorical_crossentropy", 4),
        ((60, 5), "texts", ("--template", "sequence"), ["reshape", "lstm", "dropout", "dense"], None, 3),
        ((60, 7, 2), "numbers", (), ["lstm", "dropout", "dense"], "mse", 1),
        ((60, 9, 9, 3), "texts", (), None, "sparse_categorical_crossentropy", 3),
    ],
)
def test_arrays_of_numbers(project, inputs, answers, arguments, layers, loss, units):
    rows = np.arange(inputs[0])
    made = {
        "numbers": RANDOM.normal(size=inputs[0]),
        "two numbers": RANDOM.normal(size=(inputs[0], 2)),
        "texts": np.asarray(["a", "b", "c"])[rows % 3],
        "indicators": np.eye(4)[rows % 4],
    }
    np.savez(
        project.folder / "rows.npz", features=RANDOM.normal(size=inputs), answer=made[answers], about=np.asarray(3)
    )
    config = config_of(project, "rows.npz", "--target", "answer", *arguments, file="rows.yaml")
    assert config["data"]["input"] == "features"
    assert layers is None or types(config) == layers
    assert loss is None or config["loss"] == loss
    assert config["architecture"][-1]["units"] == units
    assert ("target_scaling" in config["data"]) is (loss == "mse")


def test_arrays_of_tokens_and_of_pixels_with_classes(project):
    tokens = RANDOM.integers(0, 12, (60, 6))
    np.savez(project.folder / "t.npz", x=tokens, y=tokens.sum(axis=1) % 2)
    config = config_of(project, "t.npz", "--template", "text", file="t.yaml")
    assert types(config) == ["input", "embedding", "lstm", "dropout", "dense"]
    assert config["architecture"][1]["input_dim"] == 12
    pictures = RANDOM.integers(0, 256, (40, 6, 8, 3), dtype=np.uint8)
    np.savez(project.folder / "masks.npz", x=pictures, y=(pictures[..., 0] > 128).astype(np.uint8))
    config = config_of(project, "masks.npz", file="masks.yaml")
    assert config["architecture"][-1] == {"type": "conv2d", "filters": 2, "kernel_size": 1, "activation": "softmax"}


def test_several_arrays_of_an_archive_are_several_inputs(project):
    rows = np.arange(60)
    arrays = {"photo": RANDOM.integers(0, 256, (60, 9, 9, 3), dtype=np.uint8), "steps": RANDOM.normal(size=(60, 5, 2))}
    arrays |= {"facts": RANDOM.normal(size=(60, 4)), "id": rows, "weights": rows % 3 + 0.5, "names": rows.astype(str)}
    np.savez(project.folder / "rows.npz", label=np.asarray(["a", "b"])[rows % 2], mean=np.zeros(3), **arrays)
    config = config_of(project, "rows.npz", file="rows.yaml")
    assert config["data"]["input"] == {name: name for name in ("photo", "steps", "facts")}
    assert config["data"]["sample_weight"] == "weights"
    assert config["architecture"]["inputs"] == ["photo", "steps", "facts"]
    layers = config["architecture"]["layers"]
    assert {"conv2d", "lstm", "dense", "concatenate"} <= {layer["type"] for layer in layers}
    joined = next(layer for layer in layers if layer["type"] == "concatenate")
    assert joined["inputs"] == ["photo_code", "steps_code", "facts_code"]
    done = project.run("init", "rows.npz", "--template", "image", "--force")
    assert done.returncode == 0, done.stderr
    text = (project.folder / "rows.yaml").read_text()
    assert "# Left out: steps, facts." in text
    assert yaml.safe_load(text)["data"]["input"] == "photo"


def test_inputs_of_an_archive_that_has_parts(project):
    arrays = {
        f"{name}_{part}": RANDOM.normal(size=(rows, width))
        for part, rows in (("train", 40), ("test", 12))
        for name, width in (("left", 3), ("right", 2))
    }
    arrays |= {f"y_{part}": np.arange(rows) % 3 for part, rows in (("train", 40), ("test", 12))}
    np.savez(project.folder / "rows.npz", **arrays)
    config = config_of(project, "rows.npz", file="rows.yaml")
    assert config["data"]["input"] == {"left": "left_train", "right": "right_train"}
    assert config["data"]["test_input"] == {"left": "left_test", "right": "right_test"}
    assert config["data"]["test_target"] == "y_test"


def npy(folder: Path) -> None:
    folder.mkdir()
    for part, rows in (("train", 60), ("test", 20)):
        np.save(folder / f"x_{part}.npy", RANDOM.normal(size=(rows, 6)))
        np.save(folder / f"y_{part}.npy", np.arange(rows) % 3)
    np.save(folder / "odd.npy", np.asarray([{}], object), allow_pickle=True)


@pytest.mark.parametrize(
    ("arguments", "given", "target", "test"),
    [
        (("arrays/x_train.npy",), "x_train", "y_train", True),
        (("arrays/x_test.npy",), "x_test", "y_test", False),
        (("arrays",), "x_train", "y_train", True),
        (("arrays/x_train.npy", "--target", "arrays/y_train.npy"), "x_train", "y_train", True),
        (("arrays/x_train.npy", "--target", "y_train"), "x_train", "y_train", True),
    ],
)
def test_files_of_arrays(project, arguments, given, target, test):
    npy(project.folder / "arrays")
    config = config_of(project, *arguments, "-o", "new.yaml", file="new.yaml")
    assert config["data"]["type"] == "npy"
    assert config["data"]["input"] == f"arrays/{given}.npy"
    assert config["data"]["target"] == f"arrays/{target}.npy"
    assert (config["data"].get("test_target") == "arrays/y_test.npy") is test
    assert config["architecture"][-1]["units"] == 3


def test_a_model_of_array_files_evaluates_and_predicts_on_others(project):
    npy(project.folder / "arrays")
    config_of(project, "arrays", file="arrays.yaml")
    # The target lies in another folder, by its path.
    np.save(project.folder / "answers.npy", np.arange(60) % 2)
    done = project.run("init", "arrays/x_train.npy", "--target", "answers.npy", "-o", "other.yaml")
    assert done.returncode == 0, done.stderr
    options = ("--target", "reference", "--run-dir", "run", "--set", "fit.epochs=2", "--set", "data.memory=mapped")
    done = project.run("fit", "arrays.yaml", *options)
    assert done.returncode == 0, done.stderr
    done = project.run("evaluate", "run", "--data", "arrays/x_test.npy", "--json", "--target", "reference")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"] == 20
    done = project.run("predict", "run", "--data", "arrays/x_test.npy", "--target", "reference")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 21
    done = project.run("predict", "run", "--data", "arrays/odd.npy", "--target", "reference")
    assert done.returncode == 3
    assert "arrays/odd.npy: holds pickled Python objects, which are never loaded" in " ".join(done.stderr.split())


@pytest.mark.parametrize("argument", ["mnist", "mnist/train-images-idx3-ubyte", "mnist/train-labels-idx1-ubyte"])
def test_idx_files(project, argument):
    folder = project.folder / "mnist"
    folder.mkdir()
    for part in ("train", "t10k"):
        idx(folder, f"{part}-images-idx3-ubyte", RANDOM.integers(0, 256, (60, 8, 8)))
        idx(folder, f"{part}-labels-idx1-ubyte", np.arange(60) % 10)
    config = config_of(project, argument, "-o", "mnist.yaml", file="mnist.yaml")
    assert ("folder" in config["data"]) is (argument == "mnist")
    assert ("test" in config["data"]["split"]) is (argument != "mnist")
    assert types(config)[0] == "reshape"


WORDS = ("a lovely day", "what a day that was", "no", "rain, again and again")


@pytest.mark.parametrize(
    ("rows", "arguments", "layers", "sequence"),
    [
        ([{"id": n, "review": f"{WORDS[n % 4]} {n}", "label": "gb"[n % 2]} for n in range(60)], (), "embedding", 6),
        ([{"tokens": [1 + n % 5] * (1 + n % 8), "y": n % 3} for n in range(60)], (), "input", 8),
        ([{"steps": [[0.5, n]] * (2 + n % 3), "price": n * 0.7} for n in range(60)], ("--target", "price"), "lstm", 4),
        ([{"a": n % 7, "b": n % 5 / 2, "note": None, "label": n % 2} for n in range(60)], (), "dense", None),
        ([{"signal": [0.1 * n, 2.0, 3.5], "label": n % 2} for n in range(60)], (), "dense", None),
        ([{"words": ["the", "day"] * (n % 3), "label": n % 2} for n in range(60)], (), "embedding", 4),
        ([{"words": ["the", "day"][: 1 + n % 2], "y": [1, n % 3][: 1 + n % 2]} for n in range(60)], (), "embedding", 2),
    ],
)
def test_json_lines(project, rows, arguments, layers, sequence):
    (project.folder / "rows.jsonl").write_text(jsonl(rows))
    config = config_of(project, "rows.jsonl", *arguments, file="rows.yaml")
    assert types(config)[0] == layers
    assert config["data"].get("sequence", {}).get("length") == sequence
    assert config["data"].get("pad_target", False) is isinstance(rows[0].get("y"), list)


def test_a_running_text(project):
    (project.folder / "book.txt").write_text("It was a dark and stormy night; the rain fell in torrents.\n" * 20)
    config = config_of(project, "book.txt", file="book.yaml")
    assert config["data"]["type"] == "text"
    assert config["data"]["vocabulary_size"] == config["architecture"][-1]["units"]
    assert config["architecture"][0]["mask_zero"] is True


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "give DATA, or --template"),
        (("--template", "image", "--target", "x"), 2, "a template has a target of its own"),
        (("flowers.csv",), 2, "--target, one of: a, b, c, d, colour"),
        (("flowers.csv", "--target", "a", "--template", "image"), 2, "`--template tabular` alone"),
        (("flowes.csv", "--target", "a"), 3, "did you mean `flowers.csv`?"),
        (("words.txt", "--template", "image"), 2, "cannot be taken for `image`"),
        (("empty",), 3, "holds no folders, which would be the classes"),
        (("arrays.npz",), 3, "--target, one of: p, q"),
        (("arrays.npz", "--target", "r"), 3, "no array `r`"),
        (("alone/x.npy",), 3, "which file is to be predicted?"),
        (("alone/x.npy", "--target", "y"), 3, "no file `y`"),
        (("alone",), 3, "which file is to be predicted?"),
        (
            ("arrays.npz", "--target", "q", "--template", "image"),
            3,
            "can be taken for vector, sequence, tokens, not for image",
        ),
        (("arrays.npz", "--target", "q", "--template", "text"), 3, "tokens are whole numbers from 0"),
        (("rows.jsonl",), 3, "which key is to be predicted?"),
        (("rows.jsonl", "--target", "b"), 3, "all rows hold `1`"),
        (("rows.jsonl", "--target", "c"), 3, "not every row has a key `c`"),
    ],
)
def test_what_cannot_be_drafted_is_said(project, arguments, code, message):
    (project.folder / "empty").mkdir()
    (project.folder / "words.txt").write_text("words " * 100)
    (project.folder / "alone").mkdir()
    np.save(project.folder / "alone" / "x.npy", np.zeros((3, 2)))
    np.savez(project.folder / "arrays.npz", p=RANDOM.normal(size=(30, 4)), q=np.arange(30) % 3)
    (project.folder / "rows.jsonl").write_text(jsonl([{"a": n, "b": 1} for n in range(30)]))
    if arguments and arguments[0] == "empty":
        pytest.importorskip("PIL", reason="needs the extra `images`")
    done = project.run("init", *arguments, "--output", "new.yaml", environment={"COLUMNS": "200"})
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert not (project.folder / "new.yaml").exists()
