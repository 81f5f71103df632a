"""Build: a plan's text in, a native function to call out, from the cache where it is known.

A known plan is loaded with llvmlite alone; numba is imported only to compile a new one.
"""

from __future__ import annotations

import ctypes
import importlib.util
import re
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

from trainer_cli.targets.cpu.cache import StoredPlan, cache_folder, plan_digest, read_plan, write_plan

# What machine code may refer to outside itself: the C mathematics library, memory functions, the scheduler.
_OUTSIDE = re.compile(
    r"^(llvm\..*|sched_yield|mem(cpy|set|move)|(exp|expm1|log|log1p|log2|exp2|sin|cos|tan|tanh|sqrt|floor|ceil|pow|"
    r"erf|fma|fmod|round|trunc|ldexp|sincos)f?)$"
)

_engines: list[Any] = []

Entry = Callable[[int, int, int], None]
"""`run(thread, threads, address of the table)`; lets other Python threads run meanwhile."""


def build(text: str, *, use_cache: bool = True) -> tuple[Entry, bool]:
    """The entry point of a plan, and whether it came from the cache.

    A damaged or unwritable cache is worth one RuntimeWarning and a compilation.
    """
    if not use_cache:
        return load(compile_plan(text)), False
    trouble = None
    folder = cache_folder()
    place = folder / "plans" / plan_digest(text) if folder is not None else None
    if place is None:
        trouble = "no folder for the plan cache can be written: every start compiles"
    else:
        try:
            known = read_plan(place)
            if known is not None:
                return load(known), True
        except (ValueError, RuntimeError) as error:
            trouble = f"the cached plan {place} is damaged ({error}); compiling again"
    plan = compile_plan(text)
    if place is not None:
        try:
            write_plan(place, text, plan)
        except OSError as error:
            trouble = f"the plan cache cannot be written: {error}"
    if trouble is not None:
        warnings.warn(trouble, RuntimeWarning, stacklevel=2)
    return load(plan), False


def compile_plan(text: str) -> StoredPlan:
    """Compile a plan's text to machine code. Raises RuntimeError if the code refers to something unexpected."""
    module = _import(text)
    dispatcher = module.run
    signature = dispatcher.nopython_signatures[0]
    compiled = dispatcher.overloads[signature.args]
    library = compiled.library
    outside = {f.name for f in library._final_module.functions if f.is_declaration}
    unexpected = sorted(name for name in outside if not _OUTSIDE.match(name))
    if unexpected:
        raise RuntimeError(f"the plan's code refers to {', '.join(unexpected)}")
    _, kind, payload = library.serialize_using_object_code()
    if kind != "object":
        raise RuntimeError(f"unexpected form of machine code: {kind}")
    return StoredPlan(payload[0], compiled.fndesc.llvm_func_name)


def _import(text: str) -> Any:
    """Import a plan's text as a module from a file of its own, so that errors in it show their line."""
    with tempfile.TemporaryDirectory(prefix="trainer-plan-") as folder:
        path = Path(folder) / "plan.py"
        path.write_text(text, encoding="utf-8")
        spec = importlib.util.spec_from_file_location("trainer_plan", path)
        if spec is None or spec.loader is None:
            raise RuntimeError(f"{path} cannot be imported")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def load(plan: StoredPlan) -> Entry:
    """Load machine code into this process. Raises RuntimeError if it has no entry point of the given name."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple().create_target_machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target)
    engine.add_object_file(llvm.ObjectFileRef.from_data(plan.code))
    engine.finalize_object()
    address = engine.get_function_address(plan.symbol)
    if not address:
        raise RuntimeError(f"no function {plan.symbol}")
    # The code lives as long as its engine.
    _engines.append(engine)
    # Numba's convention: a place for the result and one for an exception come first, the status is returned.
    native = ctypes.CFUNCTYPE(
        ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_ssize_t, ctypes.c_void_p
    )(address)

    def run(thread: int, threads: int, table: int) -> None:
        places = (ctypes.c_int64 * 2)()
        status = native(ctypes.addressof(places), ctypes.addressof(places) + 8, thread, threads, table)
        if status != 0:
            raise RuntimeError(f"the plan ended with status {status}")

    return run
