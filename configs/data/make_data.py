"""An installed scikit-learn in, the data files of this folder out: `python configs/data/make_data.py`.

The files are under version control, so this needs to run only to show where they come from, or to make them again.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path

HERE = Path(__file__).parent
SCIKIT_LEARN = files("sklearn.datasets.data")


def raw(name: str) -> str:
    """The text of one of scikit-learn's data files."""
    content = SCIKIT_LEARN.joinpath(name).read_bytes()
    return (gzip.decompress(content) if name.endswith(".gz") else content).decode()


def write(name: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table; the bytes depend on its content alone (gzip would add the time and the name)."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    content = text.getvalue().encode()
    (HERE / name).write_bytes(gzip.compress(content, 9, mtime=0) if name.endswith(".gz") else content)


def number(text: str) -> str:
    """The shortest way to write a number: `5.0e+00` is `5`."""
    return f"{float(text):.10g}"


def digits() -> None:
    rows = [[number(cell) for cell in line.split(",")] for line in raw("digits.csv.gz").splitlines()]
    pixels = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]
    write("digits.csv.gz", [*pixels, "label"], rows)


def iris() -> None:
    first, *lines = raw("iris.csv").splitlines()
    species = first.split(",")[2:]
    header = ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
    cells = [line.split(",") for line in lines]
    write("iris.csv", header, [[*map(number, row[:-1]), species[int(row[-1])]] for row in cells])


def diabetes() -> None:
    features = [line.split() for line in raw("diabetes_data_raw.csv.gz").splitlines()]
    targets = raw("diabetes_target.csv.gz").split()
    header = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6", "progression"]
    rows = [[*map(number, row), number(target)] for row, target in zip(features, targets, strict=True)]
    write("diabetes.csv", header, rows)


if __name__ == "__main__":
    digits()
    iris()
    diabetes()
