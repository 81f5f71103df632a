"""`trainer init`: from a table alone to a config that can be fitted, whatever the columns are called and hold."""

from __future__ import annotations

import datetime
import gzip
import json
from pathlib import Path

import pytest
import yaml

from trainer_cli.ir.random import RandomStream


def passengers(rows: int = 120) -> str:
    """A table with a bit of everything; who is `alone` and `old` has the higher price."""
    noise = RandomStream(2, "passengers").normal((rows,))
    lines = ["no,age,class,alone,name,empty,ship,price,survived"]
    for row in range(rows):
        age = "" if row % 11 == 0 else f"{30 + 10 * noise[row]:.1f}"
        kind = ("first", "second", "?")[row % 3]
        alone = ("yes", "no")[row % 2]
        price = 20000 + 5000 * (row % 2) + 300 * noise[row]
        lines.append(f"{row + 1},{age},{kind},{alone},Mr {row},,Titanic,{price:.2f},{('lost', 'saved')[row % 2]}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def table(project) -> Path:
    path = project.folder / "passengers.csv"
    path.write_text(passengers())
    return path


def succeeded(done):
    assert done.returncode == 0, done.stderr
    return done


def test_a_config_for_classes_is_fitted_as_it_is(project, table):
    done = succeeded(project.run("init", "passengers.csv", "--target", "survived"))
    assert "next: trainer fit passengers.yaml" in done.stderr
    text = (project.folder / "passengers.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=config.schema.json\n")
    json.loads((project.folder / "config.schema.json").read_text())
    config = yaml.safe_load(text)
    assert config["data"]["features"] == ["age", "class", "alone", "price"]
    assert config["data"]["columns"] == {"class": {"kind": "categorical"}, "alone": {"kind": "boolean"}}
    assert config["data"]["missing"] == "median"
    assert config["loss"] == "sparse_categorical_crossentropy"
    for words in (
        *("no counts the rows", "name holds 120 different texts", "empty is empty", "ship is the same in all rows"),
        *("2 categories: first, second", "age (9.2%), class (33.3%)"),
    ):
        assert words in text
    done = succeeded(project.run("fit", "passengers.yaml", "--target", "reference", "--set", "fit.epochs=20", "--json"))
    assert json.loads(done.stdout.splitlines()[-1])["final"]["test_accuracy"] > 0.9


@pytest.mark.parametrize("ending", ["parquet", "feather"])
def test_a_table_in_arrow_s_formats(project, ending):
    arrow = pytest.importorskip("pyarrow", reason="needs the extra `arrow`")
    from pyarrow import feather, parquet

    rows = range(90)
    columns = {
        "no": list(rows),
        "age": [None if row % 11 == 0 else 30.5 + row % 7 for row in rows],
        "kind": arrow.array([("first", "second", None)[row % 3] for row in rows]).dictionary_encode(),
        "alone": [row % 2 == 0 for row in rows],
        "day": [datetime.date(2024, 1 + row % 12, 1 + row % 28) for row in rows],
        "places": [[row, 1] for row in rows],
        "survived": [("lost", "saved")[row % 2] for row in rows],
    }
    write = parquet.write_table if ending == "parquet" else feather.write_feather
    write(arrow.table(columns), project.folder / f"passengers.{ending}")
    succeeded(project.run("init", f"passengers.{ending}", "--target", "survived"))
    text = (project.folder / "passengers.yaml").read_text()
    config = yaml.safe_load(text)
    assert config["data"]["type"] == ("parquet" if ending == "parquet" else "arrow")
    assert config["data"]["features"] == ["age", "kind", "alone", "day"]
    kinds = {"kind": "categorical", "alone": "boolean", "day": "date"}
    assert config["data"]["columns"] == {name: {"kind": kind} for name, kind in kinds.items()}
    assert "no counts the rows" in text
    assert "places holds list<" in text
    succeeded(project.run("fit", "passengers.yaml", "--target", "reference", "--set", "fit.epochs=20"))
    done = project.run("init", f"passengers.{ending}", "--target", "places", "--force")
    assert done.returncode == 3
    assert "neither numbers nor classes" in done.stderr
    done = project.run("init", f"passengers.{ending}", "--target", "kind", "--force")
    assert done.returncode == 3
    assert "row 2, column `kind`: the value to predict is missing" in " ".join(done.stderr.split())


def test_a_config_for_numbers_gives_errors_in_the_target_s_units(project, table):
    succeeded(project.run("init", "passengers.csv", "--target", "price", "-o", "price.yaml", "--no-schema", "--quiet"))
    text = (project.folder / "price.yaml").read_text()
    assert text.startswith("# Predicts `price` from 4 other columns of passengers.csv, 120 rows.\n")
    assert not (project.folder / "config.schema.json").exists()
    config = yaml.safe_load(text)
    assert (config["loss"], config["data"]["target_scaling"]) == ("mse", "standardize")
    assert config["architecture"][-1] == {"type": "dense", "units": 1}
    done = succeeded(project.run("fit", "price.yaml", "--target", "reference", "--set", "fit.epochs=60", "--json"))
    # The price jumps by 5,000 and is noisy by 300.
    assert json.loads(done.stdout.splitlines()[-1])["final"]["test_mean_absolute_error"] < 1500


def test_paths_are_relative_to_the_config(project, table):
    packed = project.folder / "deep" / "p.tsv.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(passengers().replace(",", "\t").encode()))
    succeeded(project.run("init", "deep/p.tsv.gz", "--target", "survived", "--output", "configs/mine.yaml"))
    config = yaml.safe_load((project.folder / "configs" / "mine.yaml").read_text())
    assert config["name"] == "p"
    assert config["data"]["path"] == "../deep/p.tsv.gz"
    assert config["data"]["delimiter"] == "\t"


def test_a_config_is_not_replaced_unasked(project, table):
    (project.folder / "passengers.yaml").write_text("mine")
    done = project.run("init", "passengers.csv", "--target", "survived")
    assert done.returncode == 2
    assert "passengers.yaml is there already" in done.stderr
    assert (project.folder / "passengers.yaml").read_text() == "mine"
    succeeded(project.run("init", "passengers.csv", "--target", "survived", "--force"))


def test_names_that_yaml_would_misread(project):
    names = ["yes", "1", "a: b", "#c", "{d}", "${HOME}", "e*", '"f"', "ü", "null", "- g", "h\\i"]
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    rows = [
        ",".join([*(str((row * place) % 7) for place in range(2, len(names) + 1)), "ab"[row % 2]]) for row in range(60)
    ]
    (project.folder / "odd name's.csv").write_text(",".join([*quoted[:-1], '"the: target"']) + "\n" + "\n".join(rows))
    succeeded(project.run("init", "odd name's.csv", "--target", "the: target", "-o", "odd.yaml"))
    succeeded(project.run("fit", "odd.yaml", "--target", "reference", "--set", "fit.epochs=1"))


@pytest.mark.parametrize(
    ("content", "target", "message"),
    [
        ("a,b\n1,2\n", "c", "no column `c`"),
        ("a,b\n1,2\n1,\n", "b", "line 3, column `b`: the value to predict is missing"),
        ("a,b\n1,2\n3,2\n", "b", "all rows hold `2`, so there is nothing to predict"),
        ("a,b\n1,2\n1,4\n", "b", "no column is left to predict `b` from"),
        ("a,b\n", "b", "has a header but no rows"),
        ("", "b", "is empty"),
        ("a,b\n" + "".join(f"{row % 3},text{row}\n" for row in range(30)), "b", "holds 30 different texts"),
    ],
)
def test_what_cannot_be_predicted_is_said(project, content, target, message):
    (project.folder / "t.csv").write_text(content)
    done = project.run("init", "t.csv", "--target", target)
    assert done.returncode == 3
    assert message in done.stderr
    assert not (project.folder / "t.yaml").exists()
