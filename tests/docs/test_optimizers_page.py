"""The example in docs/optimizers.md: it trains, and the learning rate that it shows is that of its schedule."""

from __future__ import annotations

import json
import re
from pathlib import Path

from trainer_cli.config.load import load
from trainer_cli.training.fit import FitOptions, fit


def test_the_example_trains(root: Path, tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", (root / "docs" / "optimizers.md").read_text(), re.DOTALL)
    (tmp_path / "data").symlink_to(root / "configs" / "data")
    (tmp_path / "example.yaml").write_text(text)
    list(fit(load(tmp_path / "example.yaml"), FitOptions(run_directory=tmp_path / "run", target="reference")))
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    rates = [line["learning_rate"] for line in lines]
    assert len(lines) == 20
    assert max(rates) > 0.009
    assert rates[-1] < 0.005
    assert lines[-1]["val_loss"] < lines[0]["val_loss"] / 2
