"""Nothing in; the processor that code is generated for, this machine's or a narrower one that is asked for, and its
cache out.

Numba's own variables ask for another: `NUMBA_CPU_NAME`, and `NUMBA_CPU_FEATURES` in LLVM's words (`+avx2,-avx512f`),
which change what the machine has. Code for what it has not ends in a fault; code for less lets a test, or somebody who
wants the bits of another machine, see what a narrower processor computes.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import NamedTuple

import llvmlite.binding as llvm

_TELLING = ("avx2", "fma", "avx512f", "avx512bf16", "avx512fp16", "amx-bf16", "neon", "sve", "sve2")
"""Features of processors that decide how fast matrix products are."""

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_USUAL_CACHE = 1 << 20


class Processor(NamedTuple):
    """LLVM's name of the processor, the features that matter, and the floats of one vector register."""

    name: str
    features: tuple[str, ...]
    floats: int


def name() -> str:
    """LLVM's name of the processor."""
    return os.environ.get("NUMBA_CPU_NAME") or str(llvm.get_host_cpu_name())


def flags() -> str:
    """All features as LLVM takes them: `+avx2,-avx512f,…`."""
    return ",".join(("+" if present else "-") + feature for feature, present in sorted(_all().items()))


@cache
def features() -> frozenset[str]:
    """Names of the instruction sets that the processor has, as LLVM spells them (`avx512f`, `fma`, `neon`)."""
    return frozenset(feature for feature, present in _all().items() if present)


def processor() -> Processor:
    """The processor as generated code sees it."""
    known = features()
    floats = 16 if "avx512f" in known else 8 if "avx" in known else 4
    return Processor(name(), tuple(feature for feature in _TELLING if feature in known), floats)


@cache
def second_level_cache() -> int:
    """Bytes of a core's second-level cache; a usual size where the machine does not tell."""
    for folder in sorted(_CACHES.glob("index*")):
        try:
            level, size = (folder / "level").read_text().strip(), (folder / "size").read_text().strip()
        except OSError:
            continue
        if level == "2" and size.endswith("K") and size[:-1].isdigit():
            return int(size[:-1]) << 10
    return _USUAL_CACHE


def _all() -> dict[str, bool]:
    found = dict(llvm.get_host_cpu_features())
    if llvm.get_process_triple().startswith("x86"):
        # Left to itself, LLVM makes loops half as wide as they could be on some of Intel's processors.
        found["prefer-256-bit"] = False
    for word in os.environ.get("NUMBA_CPU_FEATURES", "").split(","):
        if word[:1] in ("+", "-"):
            found[word[1:]] = word[0] == "+"
    return found
