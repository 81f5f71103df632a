"""Commands and peers in; the seconds of their whole processes, interleaved, as medians, out.

    python benchmarks/startup.py [--rounds N] [--peers PYTHON …]

The time to a result: reading the handwritten digits, training 64-64-10 for 20 epochs with batches of 32, and measuring
held-out rows. Commands that only look stand beside a bare import of their libraries.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from contestants import FOLDER, ROOT, apart, cores, find_peers, our_environment
from projects import TRAINER
from workloads import DIGITS

EPOCHS = 20
ROUNDS = 5
TABLE = ROOT / "configs" / "data" / "digits.csv.gz"
WARM, COLD = "trainer fit, warm cache", "trainer fit, empty cache"
BARE = "import typer, pydantic, yaml, rich"
REACH = {WARM: 0.6, COLD: 5.0, "trainer --help": 0.15, "trainer validate": 0.25}
"""The most seconds that are asked for."""


def digits_config(folder):
    """A config of the network that the peers train, on the same number of rows."""
    config = {
        "name": "digits",
        "data": {
            "type": "csv",
            "path": str(TABLE),
            "target": "label",
            "scaling": "min_max",
            "split": {"test": 0.2},
        },
        **DIGITS.config,
        "metrics": ["accuracy"],
        "fit": {"epochs": EPOCHS, "batch_size": DIGITS.batch},
    }
    path = folder / "digits.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


def timed(command, environment, folder, request=""):
    """Seconds of a process and what it printed. Raises RuntimeError with what it said if it fails."""
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, input=request, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    if done.stdout.startswith('{"error"'):
        raise RuntimeError(json.loads(done.stdout)["error"])
    return seconds, done.stdout


def commands(folder, config):
    """By name: a command and its environment. The empty cache is emptied by `measure`."""
    environment = our_environment()
    fit = [*TRAINER, "fit", str(config), "--json", "--quiet"]
    return {
        WARM: (fit, environment),
        COLD: (fit, {**environment, "TRAINER_CACHE_DIR": str(folder / "cold")}),
        "trainer --help": ([*TRAINER, "--help"], environment),
        "trainer validate": ([*TRAINER, "validate", "configs/digits.yaml"], environment),
        BARE: ([sys.executable, "-c", BARE], environment),
        # `import pydantic` alone loads nothing of it before a name is used.
        "… and pydantic.BaseModel": (
            [sys.executable, "-c", "import typer, yaml, rich; from pydantic import BaseModel"],
            environment,
        ),
    }


def accuracy_of(name, output):
    """What a process that trained measured on rows that it had not seen."""
    if name in (WARM, COLD):
        return json.loads(output.splitlines()[-1])["final"]["test_accuracy"]
    return json.loads(output.splitlines()[-1]).get("accuracy") if output.startswith("{") else None


def measure(peers, rounds=ROUNDS, say=print):
    """Each process as a record: seconds, what was asked for, and its accuracy where it trains.

    One round runs each once, so that a busy moment hits all alike. The first round is not counted: it compiles.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = digits_config(folder)
        table = folder / "digits.csv"
        with gzip.open(TABLE) as packed, table.open("wb") as plain:
            shutil.copyfileobj(packed, plain)
        wanted = {each: (command, environment, "") for each, (command, environment) in commands(folder, config).items()}
        request = json.dumps({"digits": str(table), "epochs": EPOCHS})
        for peer, (python, _) in peers.items():
            command = [python, str(FOLDER / "subject.py"), peer, str(cores())]
            wanted[peer] = (command, apart(), request)
        found = {each: [] for each in wanted}
        accuracy = {}
        for number in range(rounds + 1):
            for each, (command, environment, given) in list(wanted.items()):
                shutil.rmtree(folder / "cold", ignore_errors=True)
                place = ROOT if each == "trainer validate" else folder
                try:
                    seconds, output = timed(command, environment, place, given)
                except RuntimeError as error:
                    if each not in peers:
                        raise
                    say(f"  {each}: {str(error).splitlines()[-1]}")
                    del wanted[each], found[each]
                    continue
                if number:
                    found[each].append(seconds)
                accuracy[each] = accuracy_of(each, output)
    result = {
        each: {"seconds": statistics.median(values), "asked": REACH.get(each), "accuracy": accuracy[each]}
        for each, values in found.items()
    }
    for each, own in result.items():
        words = f"  {each:36} {own['seconds']:7.3f} s, {own['seconds'] / result[BARE]['seconds']:.2f} × the bare import"
        if own["asked"] is not None:
            words += f", asked {own['asked']} s{': missed' if own['seconds'] > own['asked'] else ''}"
        say(words)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--peers", action="append", default=[], metavar="PYTHON")
    options = parser.parse_args()
    measure(find_peers([sys.executable, *options.peers]), options.rounds)


if __name__ == "__main__":
    main()
