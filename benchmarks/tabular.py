"""Five public tables in; beside scikit-learn's MLP, how well the config that `trainer init` writes does on each, out.

    python benchmarks/tabular.py [--seeds N] [--peers PYTHON] [--page]

For every table and seed: `trainer init`, `trainer fit` without an edit of the config, and scikit-learn's MLP with the
same layers, learning rate, batch size and patience on the same rows with the same preprocessing. Both are measured on
the same held-out rows; the table shows the mean over the seeds. `--peers` names an interpreter that has scikit-learn,
if it is not installed beside trainer; `--page` writes the table into `docs/commands.md`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

TABLES = ("iris", "wine", "breast_cancer", "digits", "diabetes")
REGRESSION = ("diabetes",)
PAGE = Path(__file__).parent.parent / "docs" / "commands.md"
MARK = re.compile(r"<!-- tabular -->\n.*?<!-- end -->", re.DOTALL)


def write_tables(folder):
    """The tables that come with scikit-learn, as CSV files with a header."""
    from sklearn import datasets

    for name in TABLES:
        table = getattr(datasets, f"load_{name}")(**({"scaled": False} if name == "diabetes" else {}))
        named = name not in (*REGRESSION, "digits")
        with open(folder / f"{name}.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*table.feature_names, "target"])
            for row, target in zip(table.data.tolist(), table.target.tolist(), strict=True):
                writer.writerow([*row, table.target_names[target] if named else target])


def peer(rows):
    """scikit-learn's figure for the rows that trainer has prepared: accuracy, or the mean squared error."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.preprocessing import StandardScaler

    data = np.load(rows)
    x, y = data["x"], data["y"].ravel()
    held_out, expected = data["x_test"], data["y_test"].ravel()
    settings = {
        "hidden_layer_sizes": (64, 32),
        "learning_rate_init": 2e-3,
        "batch_size": min(32, len(x)),
        "max_iter": 200,
        "alpha": 0.0,
        "early_stopping": True,
        "validation_fraction": 0.15 / 0.85,
        "n_iter_no_change": 20,
        "random_state": int(data["seed"]),
    }
    if bool(data["regression"]):
        model = TransformedTargetRegressor(MLPRegressor(**settings), transformer=StandardScaler())
        model.fit(x, y)
        return float(np.square(model.predict(held_out) - expected).mean())
    model = MLPClassifier(**settings).fit(x, y)
    return float((model.predict(held_out) == expected).mean())


def ours(folder, name, seed):
    """Our figure from the command line, and the rows as a file for the peer."""
    from trainer_cli.training.model import open_model

    trainer = [sys.executable, "-m", "trainer_cli"]
    config, run = folder / f"{name}.yaml", folder / f"{name}-{seed}"
    if not config.exists():
        arguments = ["--target", "target", "--output", str(config), "--no-schema", "--quiet"]
        subprocess.run([*trainer, "init", str(folder / f"{name}.csv"), *arguments], check=True)
    measured = ["--set", "metrics=[mse]"] if name in REGRESSION else []
    arguments = [*measured, "--set", f"seed={seed}", "--run-dir", str(run), "--quiet", "--json"]
    done = subprocess.run([*trainer, "fit", str(config), *arguments], check=True, capture_output=True, text=True)
    final = json.loads(done.stdout.splitlines()[-1])["final"]
    model = open_model(run)
    parts = {part: model.read(None, part, with_target=True) for part in ("train", "validation", "test")}
    known = [parts["train"], parts["validation"]]
    scaling = model.encoding.target_scalings.get("target")
    answers = {
        part: each.targets["target"] if scaling is None else scaling.restore(each.targets["target"])
        for part, each in parts.items()
    }
    rows = folder / f"{name}-{seed}.npz"
    np.savez(
        rows,
        x=np.concatenate([part.inputs["input"] for part in known]),
        y=np.concatenate([answers["train"], answers["validation"]]),
        x_test=parts["test"].inputs["input"],
        y_test=answers["test"],
        seed=seed,
        regression=name in REGRESSION,
    )
    return final["test_mean_squared_error" if name in REGRESSION else "test_accuracy"], rows


def measured(peers, seeds):
    """The lines of the table, each as it is known."""
    apart = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([peers, __file__, "--write", name], check=True, env=apart)
        yield f"{'table':<15}{'measure':<10}{'trainer':>9}{'sklearn':>9}{'ratio':>8}"
        for table in TABLES:
            found, rows = zip(*(ours(folder, table, seed) for seed in range(1, seeds + 1)), strict=True)
            command = [peers, "-W", "ignore", __file__, "--rows", *map(str, rows)]
            done = subprocess.run(command, check=True, env=apart, capture_output=True, text=True)
            mine, theirs = float(np.mean(found)), float(np.mean(json.loads(done.stdout)))
            measure = "accuracy"
            if table in REGRESSION:
                measure, mine, theirs = "RMSE", mine**0.5, theirs**0.5
            yield f"{table:<15}{measure:<10}{mine:>9.4g}{theirs:>9.4g}{mine / theirs:>8.3f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--peers", default=os.environ.get("PEERS_PYTHON", sys.executable))
    parser.add_argument("--page", action="store_true", help="write the table into docs/commands.md")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rows", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write is not None:
        write_tables(options.write)
        return
    if options.rows is not None:
        print(json.dumps([peer(rows) for rows in options.rows]))
        return
    if subprocess.run([options.peers, "-c", "import sklearn"], capture_output=True).returncode:
        print("scikit-learn is not there: name an interpreter that has it with --peers")
        return
    lines = []
    for line in measured(options.peers, options.seeds):
        print(line, flush=True)
        lines.append(line)
    if options.page:
        block = "\n".join(["<!-- tabular -->", "```", *lines, "```", "<!-- end -->"])
        PAGE.write_text(MARK.sub(lambda _: block, PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
