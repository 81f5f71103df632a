"""Wall time of commands that only look: medians of interleaved runs, beside a bare import of their libraries."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROUNDS = 15
TRAINER = [sys.executable, "-c", "from trainer_cli.cli.main import start; start()"]
COMMANDS = {
    "import typer, pydantic, yaml, rich": [sys.executable, "-c", "import typer, pydantic, yaml, rich"],
    # `import pydantic` alone loads nothing of it before a name is used.
    "… and pydantic.BaseModel": [sys.executable, "-c", "import typer, yaml, rich; from pydantic import BaseModel"],
    "trainer --help": [*TRAINER, "--help"],
    "trainer validate configs/digits.yaml": [*TRAINER, "validate", "configs/digits.yaml"],
}


def measure(rounds: int = ROUNDS) -> dict[str, float]:
    """Median seconds of each command; one round runs each once, so that a busy moment hits all alike.

    The first round is not counted: it compiles the source to bytecode.
    """
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(rounds + 1):
        for name, command in COMMANDS.items():
            began = time.perf_counter()
            subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(values[1:]) for name, values in seconds.items()}


def main() -> None:
    medians = measure(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
    bare = next(iter(medians.values()))
    for name, seconds in medians.items():
        print(f"{name:40} {seconds * 1e3:6.0f} ms   {seconds / bare:5.2f} ×")


if __name__ == "__main__":
    main()
