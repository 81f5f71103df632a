"""Native code: a linked function and the types of its arguments in, optimised machine code and calls of it out."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from trainer_cli.targets.cpu.arithmetic import NUMBERS
from trainer_cli.targets.cpu.linking import Linked
from trainer_cli.targets.cpu.lowering import ModuleWriter
from trainer_cli.targets.cpu.machine_types import BOOL, DOUBLE, FLOAT, INT32, UINT8, UINT32, VOID, WORD, Type

_C_TYPES: dict[Type, Any] = {
    BOOL: ctypes.c_bool,
    UINT8: ctypes.c_uint8,
    INT32: ctypes.c_int32,
    UINT32: ctypes.c_uint32,
    WORD: ctypes.c_int64,
    FLOAT: ctypes.c_float,
    DOUBLE: ctypes.c_double,
}


@cache
def initialize() -> None:
    """Make LLVM ready for this machine's processor."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def _machine() -> Any:
    """The target machine for all instructions that this processor has."""
    initialize()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="static" if llvm.get_process_triple().startswith("x86") else "default",
        codemodel="jitdefault",
        jit=True,
    )


def lowered(functions: Mapping[str, Linked], types: tuple[Type, ...]) -> str:
    """The LLVM text of a module that holds functions of the same types under these names, with all that they call."""
    writer = _writer()
    for name, function in functions.items():
        writer.function(function, types, name)
    return writer.text


def _writer() -> ModuleWriter:
    initialize()
    return ModuleWriter(llvm.get_process_triple(), str(_machine().target_data))


def optimized(text: str) -> Any:
    """The parsed and optimised module of an LLVM text, and the machine that it is meant for."""
    machine = _machine()
    module = llvm.parse_assembly(text)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = True
    options.slp_vectorization = False
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    return module, machine


class Root:
    """A linked function as a root of its own."""

    def __init__(self, function: Linked, types: tuple[Type, ...]) -> None:
        writer = _writer()
        _, result = writer.function(function, types, "root")
        module, machine = optimized(writer.text)
        self.text = str(module)
        self._result = None if result is VOID else _C_TYPES[result]
        self._engine = llvm.create_mcjit_compiler(module, machine)
        self._engine.finalize_object()
        kinds = [_C_TYPES[kind] for kind in types] + [ctypes.c_void_p] * (self._result is not None)
        self._native = ctypes.CFUNCTYPE(None, *kinds)(self._engine.get_function_address("root"))

    def __call__(self, *arguments: Any) -> Any:
        given = [argument.item() if isinstance(argument, np.generic) else argument for argument in arguments]
        if self._result is None:
            return self._native(*given)
        place = self._result()
        self._native(*given, ctypes.addressof(place))
        return place.value


def number_type(value: Any) -> Type:
    """The type of a number that Python hands over."""
    return NUMBERS[type(value)]
