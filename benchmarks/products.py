"""Rounds in; matrix products of common layers beside the kernel's peak and NumPy's BLAS, from an own process, out.

The process is `gemm.py`: BLAS reads its number of threads when NumPy is imported, and peers shall not inherit it.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

from contestants import FOLDER, ROOT, our_environment

REACH = 0.85
"""The share of the kernel's peak that is asked for."""

TURNS = 11
"""Turns of the three for each round: a turn is short beside those of a training."""


def measure(rounds, shapes=None, say=print):
    """A record with one of each shape, all of them if none is given (as `nn:32x784x128`)."""
    command = [sys.executable, str(FOLDER / "gemm.py"), "--json", "--turns", str(TURNS * rounds)]
    command += [word for shape in shapes or () for word in ("--shape", shape)]
    found = []
    with subprocess.Popen(command, cwd=ROOT, env=our_environment(), stdout=subprocess.PIPE, text=True) as process:
        for text in process.stdout:
            own = json.loads(text)
            found.append(own)
            ratios = f"{own['ours_of_peak']:.0%} of the peak, {own['ours_of_blas']:.2f} × BLAS"
            say(f"  {name(own)}: {own['ours']:.1f} GFLOP/s, {ratios}")
    if process.returncode:
        raise RuntimeError(f"gemm.py ended with {process.returncode}")
    result = {"turns": TURNS * rounds, "reach": REACH, "shapes": found}
    say(f"  {summary(result)}")
    return result


def name(own):
    """A shape in words."""
    return f"{own['layout']} {own['rows']} × {own['depth']} × {own['columns']}"


def summary(result):
    """How many shapes reach what is asked for, and the medians, in words."""
    shapes = result["shapes"]
    peak, blas = (statistics.median(own[key] for own in shapes) for key in ("ours_of_peak", "ours_of_blas"))
    reached = sum(own["ours_of_peak"] >= result["reach"] for own in shapes)
    faster = sum(own["ours_of_blas"] >= 1 for own in shapes)
    return (
        f"{reached} of {len(shapes)} shapes reach {result['reach']:.0%} of the peak, and {faster} are at least as fast "
        f"as BLAS; the medians are {peak:.0%} of the peak and {blas:.2f} × BLAS."
    )
