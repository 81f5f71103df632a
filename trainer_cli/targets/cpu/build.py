"""Build: the units of a plan in, the addresses of their functions out, from the cache where they are known.

A known unit is loaded with llvmlite alone. A unit is loaded once in a process, however many plans hold it.
"""

from __future__ import annotations

import importlib.util
import re
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

from trainer_cli.targets.cpu.cache import cache_folder, read_unit, unit_digest, write_unit
from trainer_cli.targets.cpu.program import Unit

# What machine code may refer to outside itself: the C mathematics library, memory functions, the scheduler.
_OUTSIDE = re.compile(
    r"^(llvm\..*|sched_yield|mem(cpy|set|move)|(exp|expm1|log|log1p|log2|exp2|sin|cos|tan|tanh|sqrt|floor|ceil|pow|"
    r"erf|fma|fmod|round|trunc|ldexp|sincos)f?)$"
)

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
    addresses: dict[tuple[Unit, str], int] = {}
    from_cache = True
    for unit in units:
        digest = unit_digest(unit)
        engine, place = None, folder / "kernels" / digest if folder is not None else None
        if use_cache:
            engine, damage = _known(digest, place, unit)
            trouble = damage or trouble
        if engine is None:
            from_cache = False
            code = compile_unit(unit, digest)
            if place is not None:
                try:
                    write_unit(place, code)
                except OSError as error:
                    trouble = f"the plan cache cannot be written: {error}"
            engine = _loaded[digest] = load(code)
        for name in unit.exports:
            addresses[unit, name] = _address(engine, symbol(name, digest))
    if trouble is not None:
        warnings.warn(trouble, RuntimeWarning, stacklevel=2)
    return addresses, from_cache


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
            for name in unit.exports:
                _address(engine, symbol(name, digest))
            _loaded[digest] = engine
    except (ValueError, RuntimeError) as error:
        return None, f"the cached kernel {place} is damaged ({error}); compiling again"
    return _loaded[digest], None


def symbol(name: str, digest: str) -> str:
    """The name of an exported function in machine code."""
    return f"{name}_{digest[:32]}"


def compile_unit(unit: Unit, digest: str) -> bytes:
    """Compile a unit's text to machine code. Raises RuntimeError if the code refers to something unexpected."""
    # Importing the compiler takes time that a known plan does not need.
    from trainer_cli.targets.cpu.machine_types import WORD, WORD_POINTER
    from trainer_cli.targets.cpu.native import lowered, optimized

    module = _import(unit.text)
    exports = {symbol(name, digest): getattr(module, name) for name in unit.exports}
    text = lowered(exports, (WORD, WORD, WORD, WORD_POINTER))
    code, machine = optimized(text)
    outside = [function.name for function in code.functions if function.is_declaration]
    unexpected = sorted(name for name in outside if not _OUTSIDE.match(name))
    if unexpected:
        raise RuntimeError(f"the plan's code refers to {', '.join(unexpected)}")
    return bytes(machine.emit_object(code))


def _import(text: str) -> Any:
    """Import a unit's text as a module from a file of its own, so that errors in it show their line."""
    with tempfile.TemporaryDirectory(prefix="trainer-plan-") as folder:
        path = Path(folder) / "kernel.py"
        path.write_text(text, encoding="utf-8")
        spec = importlib.util.spec_from_file_location("trainer_kernel", path)
        if spec is None or spec.loader is None:
            raise RuntimeError(f"{path} cannot be imported")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for value in vars(module).values():
            # What is compiled later is read now: the file does not stay.
            getattr(value, "tree", None)
    return module


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
