"""A small project in an empty folder, and the real command to run in it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from trainer_cli.ir.random import RandomStream

FEATURES = ("a", "b", "c", "d")
ROOT = Path(__file__).parents[2]
CLASSES = ("red", "green", "blue")
CONFIG = """\
name: flowers
seed: 3
data:
  type: csv
  path: flowers.csv
  target: colour
  scaling: standardize
  split: {validation: 0.2, test: 0.2, stratify: true}
architecture:
  - {type: dense, units: 8, activation: relu}
  - {type: dense, units: 3, activation: softmax}
optimizer: {type: adam, learning_rate: 2e-2}
loss: sparse_categorical_crossentropy
metrics: [accuracy]
fit: {epochs: 3, batch_size: 16}
"""


def table(rows: int = 90) -> list[list[str]]:
    """Header and rows: three classes that a small network can tell apart."""
    noise = RandomStream(5, "table").normal((rows, len(FEATURES)))
    lines = [[*FEATURES, "colour"]]
    for row in range(rows):
        label = row % len(CLASSES)
        values = [(2.0 if column == label else 0.0) + 0.5 * noise[row, column] for column in range(len(FEATURES))]
        lines.append([*(f"{value:.4f}" for value in values), CLASSES[label]])
    return lines


@dataclass(frozen=True)
class Project:
    """A folder with `config.yaml` and `flowers.csv`, and the command line run in it."""

    folder: Path

    def write_data(self, lines: list[list[str]], name: str = "flowers.csv") -> None:
        (self.folder / name).write_text("\n".join(",".join(line) for line in lines) + "\n")

    def configure(self, text: str = CONFIG, **changes: object) -> None:
        """Write the config, with top-level keys replaced (None takes one out)."""
        if changes:
            values = yaml.safe_load(text.replace("2e-2", "0.02")) | changes
            text = yaml.safe_dump({key: value for key, value in values.items() if value is not None}, sort_keys=False)
        (self.folder / "config.yaml").write_text(text)

    def start(self, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """The command as a process under way."""
        return self._python("-m", "trainer_cli", *arguments, environment=environment)

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT)}

    def _python(self, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={**self.environment(), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """The command, waited for."""
        return _waited_for(self.start(*arguments, environment=environment))

    def run_script(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A Python script that runs the command in a way of its own, waited for."""
        return _waited_for(self._python("-c", script, *arguments))

    def fit(self, *arguments: str, **options) -> subprocess.CompletedProcess[str]:
        """Train on the reference target, which starts at once."""
        target = () if "--target" in arguments else ("--target", "reference")
        return self.run("fit", "config.yaml", *target, *arguments, **options)


def _waited_for(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    with process:
        stdout, stderr = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def make(folder: Path) -> Project:
    made = Project(folder)
    made.configure()
    made.write_data(table())
    return made


@pytest.fixture
def project(tmp_path) -> Project:
    return make(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Project:
    """A project with a finished run in `run`, which no test may change."""
    made = make(tmp_path_factory.mktemp("trained"))
    done = made.fit("--run-dir", "run")
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture
def config_text() -> str:
    return CONFIG


@pytest.fixture
def rows() -> list[list[str]]:
    return table()
