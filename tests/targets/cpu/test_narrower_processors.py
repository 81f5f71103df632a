"""The tests of products, functions and primitives again, with code for processors whose vectors are narrower."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from trainer_cli.targets.cpu.processor import features, processor

TESTS = Path(__file__).parent
REPEATED = (
    "test_gemm.py",
    "test_mathematics.py",
    "test_cpu_primitives.py",
    "test_columns.py",
    "test_loop_parts.py",
)
WITHOUT = {8: ("avx512",), 4: ("avx", "fma", "f16c", "vaes", "vpclmulqdq", "gfni", "xop")}
"""For so many floats in a vector, beginnings of the names of features that the processor must not have."""


def environment(floats: int) -> dict[str, str]:
    missing = sorted(feature for feature in features() if feature.startswith(WITHOUT[floats]))
    return {**os.environ, "NUMBA_CPU_FEATURES": ",".join(f"-{feature}" for feature in missing)}


@pytest.mark.parametrize("floats", [floats for floats in WITHOUT if floats < processor().floats])
def test_narrower_vectors_compute_the_same(floats: int) -> None:
    narrower = environment(floats)
    command = [
        sys.executable,
        "-c",
        "from trainer_cli.targets.cpu.processor import processor; print(processor().floats)",
    ]
    assert subprocess.run(command, env=narrower, capture_output=True, text=True, check=True).stdout == f"{floats}\n"
    tests = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*tests, *(str(TESTS / name) for name in REPEATED)], env=narrower, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert " passed" in done.stdout


@pytest.mark.parametrize("floats", [floats for floats in WITHOUT if floats < processor().floats])
def test_doctor_tells_what_was_asked_for(floats: int) -> None:
    command = [sys.executable, "-m", "trainer_cli", "doctor", "--json"]
    done = subprocess.run(command, env=environment(floats), capture_output=True, text=True, check=False)
    words = {check["name"]: check["words"] for check in json.loads(done.stdout)["checks"]}
    assert f"{floats} floats per vector" in words["processor"]
