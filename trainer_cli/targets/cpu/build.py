"""Build: the units of a plan in, the addresses of their functions out, from the cache where they are known.

A known unit is loaded with llvmlite alone. A unit is loaded once in a process, however many plans hold it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

from trainer_cli.targets.cpu.cache import cache_folder, read_unit, symbol, unit_digest, write_unit
from trainer_cli.targets.cpu.program import Unit

_loaded: dict[str, Any] = {}
"""The engines of units by digest; their code lives as long as they do."""

Addresses = Mapping[tuple[Unit, str], int]
"""Of each exported function of units `(begin, end, rows, address of words)`, its address."""


def build(units: Iterable[Unit], *, use_cache: bool = True) -> tuple[Addresses, bool]:
    """The addresses of what units export, and whether none had to be compiled.

    A damaged or unwritable cache is worth one RuntimeWarning and a compilation.
    """
    folder = cache_folder() if use_cache else None
    trouble = None
    if use_cache and folder is None:
        trouble = "no folder for the plan cache can be written: every start compiles"
    digests = {unit: unit_digest(unit) for unit in units}
    places = {digest: folder / "kernels" / digest if folder is not None else None for digest in digests.values()}
    missing = {}
    for unit, digest in digests.items():
        engine, damage = _known(digest, places[digest], unit) if use_cache else (None, None)
        trouble = damage or trouble
        if engine is None:
            missing[digest] = unit
    if missing:
        # Importing the compiler takes time that a known plan does not need.
        from trainer_cli.targets.cpu.compilation import compile_units

        for digest, code in compile_units(missing).items():
            place = places[digest]
            if place is not None:
                try:
                    write_unit(place, code)
                except OSError as error:
                    trouble = f"the plan cache cannot be written: {error}"
            _loaded[digest] = load(code)
    addresses = {
        (unit, export.name): _address(_loaded[digest], symbol(export.name, digest))
        for unit, digest in digests.items()
        for export in unit.exports
    }
    if trouble is not None:
        warnings.warn(trouble, RuntimeWarning, stacklevel=2)
    return addresses, not missing


def _known(digest: str, place: Path | None, unit: Unit) -> tuple[Any, str | None]:
    """The engine of a unit from the cache, and what is wrong with the one there."""
    if place is None:
        return None, None
    try:
        code = read_unit(place)
        if code is None:
            return None, None
        if digest not in _loaded:
            engine = load(code)
            for export in unit.exports:
                _address(engine, symbol(export.name, digest))
            _loaded[digest] = engine
    except (ValueError, RuntimeError) as error:
        return None, f"the cached kernel {place} is damaged ({error}); compiling again"
    return _loaded[digest], None


def load(code: bytes) -> Any:
    """Load machine code into this process: the engine that holds it."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple().create_target_machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine


def _address(engine: Any, name: str) -> int:
    address = int(engine.get_function_address(name))
    if not address:
        raise RuntimeError(f"no function {name}")
    return address
