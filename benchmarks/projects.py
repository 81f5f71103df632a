"""A workload in; a folder with its rows as an archive and a config that can be fitted out."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import yaml
from contestants import our_environment

TRAINER = [sys.executable, "-c", "from trainer_cli.cli.main import start; start()"]


def write_project(workload, folder, epochs=1):
    """The config's path and the bytes of the rows and labels in memory."""
    x, y = workload.rows()
    np.savez(folder / "rows.npz", x=x, y=y)
    config = {
        "name": workload.name,
        "data": {"type": "npz", "path": "rows.npz"},
        **workload.config,
        "fit": {"epochs": epochs, "batch_size": workload.batch},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path, x.nbytes + y.nbytes


def trainer(*arguments, folder, environment=None):
    """What the real command prints. Raises CalledProcessError with what it said."""
    done = subprocess.run(
        [*TRAINER, *map(str, arguments)],
        cwd=folder,
        env={**our_environment(), **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"trainer {' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return done.stdout
