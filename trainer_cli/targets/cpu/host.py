"""Nothing in; the size of a core's cache, and the state of the plan cache, out."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

from trainer_cli.targets.cpu.cache import cache_folder

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_USUAL_CACHE = 1 << 20


class PlanCache(NamedTuple):
    """The folder (None if none can be written), its kernels and their bytes."""

    folder: Path | None
    kernels: int = 0
    size: int = 0


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


def plan_cache() -> PlanCache:
    """The cache of compiled kernels; files that vanish or cannot be read while they are counted are left out."""
    folder = cache_folder()
    if folder is None:
        return PlanCache(None)
    kernels = size = 0
    place = folder / "kernels"
    for path in place.iterdir() if place.is_dir() else ():
        try:
            size += path.stat().st_size
            kernels += not path.name.startswith(".")
        except OSError:
            continue
    return PlanCache(folder, kernels, size)
