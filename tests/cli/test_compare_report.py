"""`trainer compare` and `trainer report`, as a user types them."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from tests.cli.conftest import CONFIG, make

NASTY = "<img src=x onerror=alert(1)> & 'you'"


class Page(HTMLParser):
    """Every element opened and closed, all attributes, and the text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.words = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(name, value) for name, value in attributes]
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A project with two finished runs, `a` and `b`."""
    made = make(tmp_path_factory.mktemp("runs"))
    for name, more in (("a", ()), ("b", ("--set", "optimizer=sgd", "--set", "architecture[0].units=4"))):
        done = made.fit("--run-dir", name, "--quiet", *more)
        assert done.returncode == 0, done.stderr
    return made


def written(project, run, *arguments):
    done = project.run("report", run, "--target", "reference", *arguments)
    assert done.returncode == 0, done.stderr
    return done


# compare


def test_compare_shows_what_differs(runs):
    done = runs.run("compare", "a", "b")
    assert done.returncode == 0, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert any(re.fullmatch(r"A a flowers 3 completed \d+ m?s", line) for line in lines)
    assert "architecture[0].units 8 4" in lines
    assert any(line.startswith("optimizer adam (learning_rate 0.02") for line in lines)
    assert not any(line.startswith("seed") for line in lines)
    assert any(re.fullmatch(r"loss 0\.\d+ \* [01]\.\d+", line) for line in lines), "the better loss has a star"
    assert any(re.search(r"^A [▁▂▃▄▅▆▇█]{3} 0\.\d+ → 0\.\d+$", line) for line in lines)


def test_compare_gives_json(runs):
    found = json.loads(runs.run("compare", "a", "b", "a", "--json").stdout)
    assert [run["path"] for run in found["runs"]] == ["a", "b", "a"]
    assert found["settings"]["architecture[0].units"] == [8, 4, 8]
    assert found["settings"]["optimizer"][1]["type"] == "sgd"
    assert found["final"]["test_loss"][0] == found["final"]["test_loss"][2]
    assert [len(curve) for curve in found["curves"]["val_loss"]] == [3, 3, 3]


def test_compare_needs_runs(runs):
    assert runs.run("compare", "a").returncode == 2
    done = runs.run("compare", "a", ".")
    assert done.returncode == 2
    assert "is no run directory" in done.stderr


# report


def test_the_report_is_one_page_that_needs_nothing_else(runs):
    done = written(runs, "a")
    assert "a/report.html: 3 epochs" in done.stderr
    text = (runs.folder / "a" / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert text.startswith("<!DOCTYPE html>")
    assert not {"script", "link", "img", "iframe", "object", "embed"} & set(page.tags)
    assert not [value for name, value in page.attributes if name in ("src", "href", "style") or name.startswith("on")]
    assert not re.search(r"url\(|@import|https?:", text)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes
    assert "prefers-color-scheme: dark" in text
    assert page.tags.count("polyline") == 4, "loss and accuracy, of training and validation"
    for words in ("Curves", "Measures", "Confusion matrix", "red", "units: 8", "Environment", "numpy"):
        assert words in page.text, words
    counts = [int(each) for each in re.findall(r"taken for \w+: (\d+) of", text)]
    assert len(counts) == 9
    assert sum(counts) == 18, "every test row is in the matrix"


def test_the_matrix_agrees_with_evaluate(runs, tmp_path):
    file = tmp_path / "out.html"
    written(runs, "b", "--output", str(file), "--part", "train", "--quiet")
    evaluated = json.loads(runs.run("evaluate", "b", "--json", "--part", "train", "--target", "reference").stdout)
    found = re.findall(r"(\w+) taken for (\w+): (\d+) of", file.read_text())
    right = sum(int(count) for true, predicted, count in found if true == predicted)
    assert right / sum(int(count) for *_, count in found) == pytest.approx(evaluated["accuracy"])


def test_the_page_is_the_same_on_any_number_of_threads(runs, tmp_path):
    pages = []
    for threads in ("1", "2"):
        done = runs.run("report", "b", "--output", str(tmp_path / "out.html"), "--threads", threads)
        assert done.returncode == 0, done.stderr
        pages.append((tmp_path / "out.html").read_text())
    assert pages[0] == pages[1]


def test_numbers_get_residuals(project):
    lines = ["a,b,y", *(f"{k % 7},{k % 5},{(k % 7) * 2 - k % 5}" for k in range(60))]
    (project.folder / "numbers.csv").write_text("\n".join(lines) + "\n")
    project.configure(
        data={"type": "csv", "path": "numbers.csv", "target": "y", "split": {"validation": 0.2}},
        architecture=[{"type": "dense", "units": 1}],
        loss="mse",
        metrics=[],
    )
    assert project.fit("--run-dir", "run", "-q").returncode == 0
    written(project, "run")
    page = Page((project.folder / "run" / "report.html").read_text())
    assert "Predicted and true values" in page.text
    assert "Residuals" in page.text
    assert [value for name, value in page.attributes if name == "class"].count("dot") == 12


def test_several_outputs_have_a_picture_each_and_gates_of_their_own(project):
    rows = (project.folder / "flowers.csv").read_text().splitlines()
    numbers = [f"{row},{place % 7}" for place, row in enumerate(rows[1:])]
    project.write_data([[*rows[0].split(","), "size"], *(row.split(",") for row in numbers)])
    project.configure(
        data={
            "type": "csv",
            "path": "flowers.csv",
            "features": ["a", "b", "c", "d"],
            "target": {"kind": "colour", "much": "size"},
            "split": {"test": 0.2},
        },
        architecture={
            "layers": [
                {"type": "dense", "name": "body", "units": 4},
                {"type": "dense", "name": "kind", "units": 3, "activation": "softmax"},
                {"type": "dense", "name": "much", "units": 1, "inputs": ["body"]},
            ],
            "outputs": ["kind", "much"],
        },
        loss={"kind": "sparse_categorical_crossentropy", "much": "mse"},
        metrics={"kind": ["accuracy"]},
        fit={"epochs": 2, "early_stopping": {"monitor": "much_loss"}},
    )
    done = project.fit("--run-dir", "run", "-q", "--fail-if", "much_loss < 0", "--fail-if", "test_kind_accuracy < 0")
    assert done.returncode == 0, done.stderr
    written(project, "run")
    page = Page((project.folder / "run" / "report.html").read_text())
    for words in ("Confusion matrix of kind", "Predicted and true values of much", "Residuals of much", "much_loss"):
        assert words in page.text, words
    assert [value for name, value in page.attributes if name == "class"].count("dot") == 18


def test_names_from_the_config_cannot_become_markup(project):
    text = (project.folder / "flowers.csv").read_text().replace("red", '"<b>red & ""co""</b>"')
    (project.folder / "flowers.csv").write_text(text)
    project.configure(
        CONFIG.replace("2e-2", "0.02")
        .replace("name: flowers", f'name: "{NASTY}"')
        .replace("metrics: [accuracy]", 'metrics: [{type: accuracy, name: "</title><script>x"}]')
    )
    done = project.fit("--run-dir", "run", "-q")
    assert done.returncode == 0, done.stderr
    written(project, "run")
    text = (project.folder / "run" / "report.html").read_text()
    page = Page(text)
    assert not {"img", "script"} & set(page.tags)
    assert "<b>red" not in text
    assert NASTY in page.text


def test_a_report_without_the_data_says_so(project):
    assert project.fit("--run-dir", "run", "-q").returncode == 0
    (project.folder / "flowers.csv").rename(project.folder / "moved.csv")
    (project.folder / "run" / "summary.json").unlink()
    done = written(project, "run")
    assert "warning: the model was not tried on held-out rows" in done.stderr
    page = Page((project.folder / "run" / "report.html").read_text())
    assert "was not tried on held-out rows" in page.text
    assert "not finished" in page.text
    done = written(project, "run", "--no-data")
    assert "warning" not in done.stderr
    assert "held-out" not in Page((project.folder / "run" / "report.html").read_text()).text
