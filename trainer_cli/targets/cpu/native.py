"""Native code: a linked function and the types of its arguments in, optimised machine code and calls of it out."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from numba.core import types

from trainer_cli.targets.cpu import hints, processor
from trainer_cli.targets.cpu.linking import Linked
from trainer_cli.targets.cpu.machine_types import (
    BOOL,
    BYTE_POINTER,
    DOUBLE,
    DOUBLE_POINTER,
    FLOAT,
    FLOAT_POINTER,
    INT32,
    INT_POINTER,
    WORD,
    WORD_POINTER,
)

_C_TYPES: dict[Any, Any] = {
    BOOL: ctypes.c_bool,
    types.uint8: ctypes.c_uint8,
    INT32: ctypes.c_int32,
    types.uint32: ctypes.c_uint32,
    types.uint64: ctypes.c_uint64,
    WORD: ctypes.c_int64,
    FLOAT: ctypes.c_float,
    DOUBLE: ctypes.c_double,
}

_NUMBERS: Mapping[Any, Any] = {
    np.float32: FLOAT,
    np.float64: DOUBLE,
    np.int32: INT32,
    np.int64: WORD,
    np.uint8: types.uint8,
    np.uint32: types.uint32,
    bool: BOOL,
    int: WORD,
    float: DOUBLE,
}


_PARAMETERS: Mapping[str, Any] = {
    "float*": FLOAT_POINTER,
    "double*": DOUBLE_POINTER,
    "int*": INT_POINTER,
    "byte*": BYTE_POINTER,
    "float": FLOAT,
    "double": DOUBLE,
    "int": WORD,
    "bool": BOOL,
}
"""The types of what units' parameters are called."""


@cache
def initialize() -> None:
    """Make LLVM ready for this machine's processor."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def _machine() -> Any:
    """The target machine for all instructions that this processor has."""
    initialize()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=processor.name(),
        features=processor.flags(),
        opt=3,
        reloc="static" if llvm.get_process_triple().startswith("x86") else "default",
        codemodel="jitdefault",
        jit=True,
    )


def lowered(exports: Mapping[str, tuple[Linked, tuple[str, ...] | None]]) -> str:
    """The LLVM text of a module that holds functions under these names, with all that they call.

    Beside each stand its parameters as `program.Export` has them.
    """
    wrapped = {}
    for name, (function, parameters) in exports.items():
        last = [WORD_POINTER] if parameters is None else [_PARAMETERS[kind] for kind in parameters]
        compiled = _compiled(function, (WORD, WORD, WORD, *last))
        wrapped[name] = compiled, _entry(name, compiled, parameters)
    return _linked_text(wrapped)


def _linked_text(wrapped: Mapping[str, tuple[Any, str]]) -> str:
    """The text of a module with functions in the way of C, given what Numba made and the text around it."""
    module = llvm.parse_assembly("")
    for compiled, wrapper in wrapped.values():
        # The wrapper first: what nothing refers to is left out.
        module.link_in(llvm.parse_assembly(wrapper))
        module.link_in(compiled.library._get_module_for_linking(), preserve=True)
    for known in (*module.functions, *module.global_variables):
        if not known.is_declaration and known.name not in wrapped:
            known.linkage = "internal"
    module.triple, module.data_layout = llvm.get_process_triple(), str(_machine().target_data)
    return hints.advised(str(module))


def _entry(name: str, compiled: Any, parameters: tuple[str, ...] | None) -> str:
    """A function `(begin, end, rows, words)` that gives its function the words as what they are."""
    given, lines = ["i64 %begin", "i64 %end", "i64 %rows"], []
    for place, kind in enumerate(parameters or ()):
        lines.append(f"  %p{place} = getelementptr i64, ptr %words, i64 {place}")
        if kind.endswith("*"):
            lines.append(f"  %w{place} = load ptr, ptr %p{place}")
            given.append(f"ptr %w{place}")
        elif kind == "float":
            lines.append(f"  %d{place} = load double, ptr %p{place}")
            lines.append(f"  %w{place} = fptrunc double %d{place} to float")
            given.append(f"float %w{place}")
        elif kind == "bool":
            lines.append(f"  %l{place} = load i64, ptr %p{place}")
            lines.append(f"  %b{place} = icmp ne i64 %l{place}, 0")
            lines.append(f"  %w{place} = zext i1 %b{place} to i8")
            given.append(f"i8 %w{place}")
        else:
            llvm_type = "double" if kind == "double" else "i64"
            lines.append(f"  %w{place} = load {llvm_type}, ptr %p{place}")
            given.append(f"{llvm_type} %w{place}")
    if parameters is None:
        given.append("ptr %words")
    return _wrapper(name, compiled, ["i64 %begin", "i64 %end", "i64 %rows", "ptr %words"], lines, given, "%slot")


def _wrapper(name: str, compiled: Any, taken: list[str], lines: list[str], given: list[str], result: str) -> str:
    """A function in the way of C around one in Numba's way, which takes places for a result and an exception first.

    There are no exceptions: what could raise one is not in the language.
    """
    inner = f'@"{compiled.fndesc.llvm_func_name}"'
    given = [f"ptr {result}", "ptr %slot", *given]
    return "\n".join(
        [
            f"declare i32 {inner}({', '.join(each.split()[0] for each in given)})",
            f"define void @{name}({', '.join(taken)}) nounwind {{",
            "  %slot = alloca ptr",
            *lines,
            f"  %status = call i32 {inner}({', '.join(given)})",
            "  ret void",
            "}",
        ]
    )


def _compiled(function: Linked, kinds: tuple[Any, ...]) -> Any:
    dispatcher = function.dispatcher
    dispatcher.compile(kinds)
    return dispatcher.overloads[kinds]


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

    def __init__(self, function: Linked, kinds: tuple[Any, ...]) -> None:
        compiled = _compiled(function, kinds)
        result = compiled.signature.return_type
        inner = compiled.library._get_module_for_linking().get_function(compiled.fndesc.llvm_func_name)
        given = [f"{argument.type} %a{place}" for place, argument in enumerate([*inner.arguments][2:])]
        taken, place = ([*given], "%slot") if result == types.none else ([*given, "ptr %place"], "%place")
        wrapper = _wrapper("root", compiled, taken, [], given, place)
        module, machine = optimized(_linked_text({"root": (compiled, wrapper)}))
        self.text = str(module)
        self._result = None if result == types.none else _C_TYPES[types.unliteral(result)]
        self._engine = llvm.create_mcjit_compiler(module, machine)
        self._engine.finalize_object()
        places = [_C_TYPES[kind] for kind in kinds] + [ctypes.c_void_p] * (self._result is not None)
        self._native = ctypes.CFUNCTYPE(None, *places)(self._engine.get_function_address("root"))

    def __call__(self, *arguments: Any) -> Any:
        given = [argument.item() if isinstance(argument, np.generic) else argument for argument in arguments]
        if self._result is None:
            return self._native(*given)
        place = self._result()
        self._native(*given, ctypes.addressof(place))
        return place.value


def number_type(value: Any) -> Any:
    """The type of a number that Python hands over."""
    return _NUMBERS[type(value)]
