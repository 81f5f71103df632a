"""A data source in; the folder that its rows are mapped from, beside the cached plans, out."""

from __future__ import annotations

from pathlib import Path

from trainer_cli.data.source import Source
from trainer_cli.errors import ResourceError


def data_cache(source: Source) -> Path | None:
    """None where rows are loaded into memory. Raises ResourceError if no folder can be written."""
    if source.memory == "loaded":
        return None
    from trainer_cli.targets.cpu.cache import cache_folder

    folder = cache_folder()
    if folder is None:
        raise ResourceError(
            "`memory: mapped` needs a folder for its files, and the cache cannot be written",
            hint="export TRAINER_CACHE_DIR=/a/private/folder",
        )
    return folder / "data"
