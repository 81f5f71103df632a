"""Build: the units of a plan in, the addresses of their functions out, from the cache where they are known.

Known units are loaded with llvmlite alone, all of a plan at once. A unit is loaded once in a process, however many
plans hold it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import llvmlite.binding as llvm

from trainer_cli.targets.cpu.cache import read_entry, symbol, write_entry
from trainer_cli.targets.cpu.plan_record import Exports

if TYPE_CHECKING:
    from trainer_cli.targets.cpu.program import Unit

_loaded: dict[str, Any] = {}
"""The engines of units by digest; their code lives as long as they do."""

Addresses = Mapping[tuple[str, str], int]
"""Of each exported function of units `(begin, end, rows, address of words)`, by the unit's digest and its name, its
address."""


def build(units: Mapping[str, Unit], folder: Path | None) -> tuple[bool, str | None]:
    """Load units by their digests, compiled where the cache in a folder lacks them.

    Returns whether none had to be compiled, and what was wrong with the cache. Without a folder all are compiled.
    """
    missing, trouble = list(units), None
    if folder is not None:
        exports = {digest: tuple(export.name for export in unit.exports) for digest, unit in units.items()}
        missing, trouble = load_known(exports, folder)
    if missing:
        # Importing the compiler takes time that a known plan does not need.
        from trainer_cli.targets.cpu.compilation import compile_units

        codes = compile_units({digest: units[digest] for digest in missing})
        for digest, code in codes.items():
            if folder is not None:
                try:
                    write_entry(_place(folder, digest), code)
                except OSError as error:
                    trouble = f"the plan cache cannot be written: {error}"
        engine = load(codes.values())
        _loaded.update(dict.fromkeys(codes, engine))
    return not missing, trouble


def load_known(exports: Exports, folder: Path) -> tuple[list[str], str | None]:
    """Load units from the cache in a folder: those that it lacks, and what is wrong with a file of theirs."""
    missing, trouble = [], None
    codes: dict[str, bytes] = {}
    for digest, names in exports.items():
        place = _place(folder, digest)
        try:
            code = read_entry(place)
            if code is None:
                missing.append(digest)
                continue
            _check_names(code, digest, names)
        except ValueError as error:
            missing.append(digest)
            trouble = _damage(place, error)
            continue
        if digest not in _loaded:
            codes[digest] = code
    try:
        if codes:
            engine = load(codes.values())
            for digest in codes:
                for name in exports[digest]:
                    _address(engine, symbol(name, digest))
            _loaded.update(dict.fromkeys(codes, engine))
    except RuntimeError as error:
        # Which one it is matters less than that it is rare.
        missing += codes
        trouble = _damage(_place(folder, next(iter(codes))), error)
    return missing, trouble


def addresses(exports: Exports) -> Addresses:
    """The addresses of what loaded units export."""
    return {
        (digest, name): _address(_loaded[digest], symbol(name, digest))
        for digest, names in exports.items()
        for name in names
    }


def load(codes: Iterable[bytes]) -> Any:
    """Load machine code into this process: the engine that holds it. An engine takes a millisecond, its code little."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple().create_target_machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target)
    for code in codes:
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine


def _place(folder: Path, digest: str) -> Path:
    return folder / "kernels" / digest


def _check_names(code: bytes, digest: str, names: Iterable[str]) -> None:
    """Raise ValueError for code without the names of a unit's functions: two of one name are not to be loaded."""
    for name in names:
        if symbol(name, digest).encode() not in code:
            raise ValueError(f"no function {symbol(name, digest)}")


def _damage(place: Path, error: Exception) -> str:
    return f"the cached kernel {place} is damaged ({error}); compiling again"


def _address(engine: Any, name: str) -> int:
    address = int(engine.get_function_address(name))
    if not address:
        raise RuntimeError(f"no function {name}")
    return address
