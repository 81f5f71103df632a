"""Nothing in; the size of a core's own cache out."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_USUAL_CACHE = 1 << 20


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
