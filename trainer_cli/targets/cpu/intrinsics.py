"""Machine operations: addresses, words and floats inside native code in, single instructions out.

Everything here is callable from native code alone (`native.py`). Nothing raises, allocates or leaves a symbol
undefined, except `yield_processor` (libc's `sched_yield`).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from trainer_cli.targets.cpu.machine_types import (
    BYTE_POINTER,
    DOUBLE,
    DOUBLE_POINTER,
    FLOAT,
    FLOAT_POINTER,
    INT32,
    INT_POINTER,
    WORD,
    WORD_POINTER,
    PointerType,
    Type,
    Typed,
    intrinsic,
)

CACHE_LINE = 64
_I32 = ir.IntType(32)
_I64 = ir.IntType(64)
# Flush to zero (bit 15) and denormals are zero (bit 6) in x86's MXCSR; FZ (bit 24) in ARM's FPCR.
_MXCSR_FLUSH = 0x8040
_FPCR_FLUSH = 1 << 24


@cache
def host_features() -> frozenset[str]:
    """Names of the instruction sets that this processor has, as LLVM spells them (`avx512f`, `fma`, `neon`)."""
    return frozenset(name for name, present in llvm.get_host_cpu_features().items() if present)


def is_x86() -> bool:
    """Whether this is an x86 processor."""
    return llvm.get_process_triple().startswith(("x86_64", "i686", "i386"))


def is_arm() -> bool:
    """Whether this is a 64-bit ARM processor."""
    return llvm.get_process_triple().startswith(("aarch64", "arm64"))


def has_fused_multiply_add() -> bool:
    """Whether the processor multiplies and adds in one rounding (x86 without FMA3 would call libm for each)."""
    return is_arm() or (is_x86() and "fma" in host_features())


def declared(module: Any, name: str, function_type: Any) -> Any:
    """The function of that name in a module, declared if it is not."""
    known = module.globals.get(name)
    return known if known is not None else ir.Function(module, function_type, name)


def call(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    """Call a function by its name."""
    function_type = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(declared(builder.module, name, function_type), arguments)


# Attributes of the function being generated ------------------------------------------------------------------------


def _mark(builder: Any, attribute: str) -> None:
    builder.function.attributes.add(attribute)
    for argument in builder.function.args:
        if isinstance(argument.type, ir.PointerType):
            argument.add_attribute("noalias")


@intrinsic()
def kernel_attributes(builder: Any) -> None:
    """Promise that no two pointer arguments of the calling function overlap, and keep it out of its callers' bodies."""
    _mark(builder, "noinline")


@intrinsic()
def inline_attributes(builder: Any) -> None:
    """Promise that no two pointer arguments of the calling function overlap, and place it into every caller's body."""
    _mark(builder, "alwaysinline")


# Pointers ----------------------------------------------------------------------------------------------------------


def _pointer_from_address(kind: PointerType, name: str) -> Any:
    def pointer(builder: Any, address: Typed) -> Typed:
        return Typed(kind, builder.inttoptr(address.value, kind.llvm))

    pointer.__name__ = pointer.__qualname__ = name
    pointer.__doc__ = f"The address (an integer) as a pointer to {kind.name}."
    return intrinsic(WORD)(pointer)


float_pointer = _pointer_from_address(FLOAT_POINTER, "float_pointer")
double_pointer = _pointer_from_address(DOUBLE_POINTER, "double_pointer")
int_pointer = _pointer_from_address(INT_POINTER, "int_pointer")
byte_pointer = _pointer_from_address(BYTE_POINTER, "byte_pointer")
bool_pointer = _pointer_from_address(BYTE_POINTER, "bool_pointer")
word_pointer = _pointer_from_address(WORD_POINTER, "word_pointer")


@intrinsic(None)
def address_of(builder: Any, pointer: Typed) -> Typed:
    """A pointer as an integer."""
    return Typed(WORD, builder.ptrtoint(pointer.value, _I64))


@intrinsic(None, WORD)
def offset(builder: Any, pointer: Typed, elements: Typed) -> Typed:
    """The pointer moved forward by a number of elements."""
    return Typed(pointer.type, builder.gep(pointer.value, [elements.value], inbounds=True))


@intrinsic(None)
def stack_floats(builder: Any, count: Typed) -> Typed:
    """A float32 buffer on the stack, at the start of a cache line; `count` is a constant of the compilation.

    It is reserved once when the function begins, however often the call is reached.
    """
    if count.known is None:
        raise TypeError("the size of a buffer on the stack is a constant of the compilation")
    with builder.goto_entry_block():
        buffer = builder.alloca(ir.ArrayType(ir.FloatType(), count.known))
    buffer.align = CACHE_LINE
    return Typed(FLOAT_POINTER, builder.bitcast(buffer, ir.FloatType().as_pointer()))


@intrinsic(WORD, WORD, WORD, WORD, WORD_POINTER)
def call_address(builder: Any, address: Typed, begin: Typed, end: Typed, rows: Typed, words: Typed) -> None:
    """Call the kernel at an address."""
    arguments = [begin.value, end.value, rows.value, words.value]
    kind = ir.FunctionType(ir.VoidType(), [argument.type for argument in arguments])
    builder.call(builder.inttoptr(address.value, kind.as_pointer()), arguments)


# Threads -----------------------------------------------------------------------------------------------------------


@intrinsic(WORD_POINTER, WORD)
def atomic_add(builder: Any, word: Typed, value: Typed) -> Typed:
    """Add to a shared word in one step and give what it held before."""
    return Typed(WORD, builder.atomic_rmw("add", word.value, value.value, "seq_cst"))


@intrinsic(WORD_POINTER)
def atomic_load(builder: Any, word: Typed) -> Typed:
    """Read a shared word; everything written before its `atomic_store` is then visible."""
    return Typed(WORD, builder.load_atomic(word.value, "acquire", 8))


@intrinsic(WORD_POINTER, WORD)
def atomic_store(builder: Any, word: Typed, value: Typed) -> None:
    """Write a shared word, after everything that this thread wrote before."""
    builder.store_atomic(value.value, word.value, "release", 8)


@intrinsic()
def pause(builder: Any) -> None:
    """Tell the processor that this is a waiting loop."""
    if is_x86():
        call(builder, "llvm.x86.sse2.pause", ir.VoidType(), [])
    elif is_arm():
        # `isb sy` waits about as long as x86's `pause`; `yield` does nothing on most ARM cores.
        call(builder, "llvm.aarch64.isb", ir.VoidType(), [ir.Constant(_I32, 15)])


@intrinsic()
def yield_processor(builder: Any) -> None:
    """Let another thread run on this core."""
    windows = "windows" in llvm.get_process_triple()
    call(builder, "SwitchToThread" if windows else "sched_yield", _I32, [])


@intrinsic()
def clock(builder: Any) -> Typed:
    """The processor's counter of time: ticks that go on at an even rate on every core."""
    return Typed(WORD, call(builder, "llvm.readcyclecounter", _I64, []))


# Floating-point state ----------------------------------------------------------------------------------------------


def _place_on_stack(builder: Any) -> Any:
    with builder.goto_entry_block():
        return builder.alloca(_I32)


def _read_state(builder: Any) -> Any:
    if is_x86():
        slot = _place_on_stack(builder)
        call(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), [builder.bitcast(slot, ir.IntType(8).as_pointer())])
        return builder.zext(builder.load(slot), _I64)
    if is_arm():
        return call(builder, "llvm.aarch64.get.fpcr", _I64, [])
    return ir.Constant(_I64, 0)


def _write_state(builder: Any, state: Any) -> None:
    if is_x86():
        slot = _place_on_stack(builder)
        builder.store(builder.trunc(state, _I32), slot)
        call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), [builder.bitcast(slot, ir.IntType(8).as_pointer())])
    elif is_arm():
        call(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), [state])


@intrinsic()
def flush_subnormals(builder: Any) -> Typed:
    """Make this thread treat numbers below the normal range as zero; gives the state for `restore_float_state`."""
    state = _read_state(builder)
    flush = _MXCSR_FLUSH if is_x86() else _FPCR_FLUSH
    _write_state(builder, builder.or_(state, ir.Constant(_I64, flush)))
    return Typed(WORD, state)


@intrinsic(WORD)
def restore_float_state(builder: Any, state: Typed) -> None:
    """Put back the state that `flush_subnormals` gave."""
    _write_state(builder, state.value)


# Bits and fused arithmetic -----------------------------------------------------------------------------------------


def _bit_cast(source: Type, result: Type, name: str) -> Any:
    def cast(builder: Any, value: Typed) -> Typed:
        return Typed(result, builder.bitcast(value.value, result.llvm))

    cast.__name__ = cast.__qualname__ = name
    cast.__doc__ = f"The bits of a {source.name} read as {result.name}."
    return intrinsic(source)(cast)


float_bits = _bit_cast(FLOAT, INT32, "float_bits")
bits_float = _bit_cast(INT32, FLOAT, "bits_float")
double_bits = _bit_cast(DOUBLE, WORD, "double_bits")
bits_double = _bit_cast(WORD, DOUBLE, "bits_double")


def multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Emit a·b + c for scalars or vectors: one rounding where the processor can, two everywhere else."""
    if not has_fused_multiply_add():
        return builder.fadd(builder.fmul(a, b), c)
    vector = isinstance(a.type, ir.VectorType)
    element = a.type.element if vector else a.type
    width = "f64" if isinstance(element, ir.DoubleType) else "f32"
    name = f"llvm.fma.v{a.type.count}{width}" if vector else f"llvm.fma.{width}"
    return call(builder, name, a.type, [a, b, c])


@intrinsic(None, None, None)
def fma(builder: Any, a: Typed, b: Typed, c: Typed) -> Typed:
    """a·b + c in one rounding, in the type of `a` (two roundings on a processor that has no such instruction)."""
    return Typed(a.type, multiply_add(builder, a.value, b.value, c.value))


@intrinsic(FLOAT, FLOAT)
def add_up(builder: Any, total: Typed, item: Typed) -> Typed:
    """total + item, for a sum along a row that a loop makes: LLVM may sum up several parts of the row side by side.

    Which ones depends on the length of the row and the processor alone, since every row is summed up by the same code.
    """
    return Typed(FLOAT, builder.fadd(total.value, item.value, flags=("nsz", "reassoc")))


@intrinsic(FLOAT, FLOAT)
def larger(builder: Any, left: Typed, right: Typed) -> Typed:
    """The larger of two numbers; if one is NaN, any number, which the caller does not use."""
    function = declared(builder.module, "llvm.maxnum.f32", ir.FunctionType(FLOAT.llvm, [FLOAT.llvm] * 2))
    return Typed(FLOAT, builder.call(function, [left.value, right.value], fastmath=("nnan", "nsz")))
