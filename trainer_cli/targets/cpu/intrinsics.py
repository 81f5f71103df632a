"""Machine operations: addresses, words and floats inside native code in, single instructions out.

Everything here is callable from native code alone (`native.py`). Nothing raises, allocates or leaves a symbol
undefined, except `yield_processor` (libc's `sched_yield`).
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import types

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
    constant_intrinsic,
    intrinsic,
    typed_intrinsic,
)
from trainer_cli.targets.cpu.processor import features

CACHE_LINE = 64
_I32 = ir.IntType(32)
_I64 = ir.IntType(64)
_LLVM_TYPES = {
    types.uint8: ir.IntType(8),
    INT32: _I32,
    WORD: _I64,
    FLOAT: ir.FloatType(),
    DOUBLE: ir.DoubleType(),
}
# Flush to zero (bit 15) and denormals are zero (bit 6) in x86's MXCSR; FZ (bit 24) in ARM's FPCR.
_MXCSR_FLUSH = 0x8040
_FPCR_FLUSH = 1 << 24


def is_x86() -> bool:
    """Whether this is an x86 processor."""
    return llvm.get_process_triple().startswith(("x86_64", "i686", "i386"))


def is_arm() -> bool:
    """Whether this is a 64-bit ARM processor."""
    return llvm.get_process_triple().startswith(("aarch64", "arm64"))


def has_fused_multiply_add() -> bool:
    """Whether the processor multiplies and adds in one rounding (x86 without FMA3 would call libm for each)."""
    return is_arm() or (is_x86() and "fma" in features())


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
    # The first two arguments are Numba's own places for a result and an exception, which it marks itself.
    for argument in builder.function.args[2:]:
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


def _pointer_from_address(kind: Any, name: str) -> Any:
    llvm_type = _LLVM_TYPES[kind.dtype].as_pointer()

    def pointer(builder: Any, address: Any) -> Any:
        return builder.inttoptr(address, llvm_type)

    pointer.__name__ = pointer.__qualname__ = name
    pointer.__doc__ = f"The address (an integer) as a pointer to {kind.dtype}."
    return intrinsic(WORD, result=kind)(pointer)


float_pointer = _pointer_from_address(FLOAT_POINTER, "float_pointer")
double_pointer = _pointer_from_address(DOUBLE_POINTER, "double_pointer")
int_pointer = _pointer_from_address(INT_POINTER, "int_pointer")
byte_pointer = _pointer_from_address(BYTE_POINTER, "byte_pointer")
bool_pointer = _pointer_from_address(BYTE_POINTER, "bool_pointer")
word_pointer = _pointer_from_address(WORD_POINTER, "word_pointer")


@typed_intrinsic(lambda context, pointer: WORD(pointer) if isinstance(pointer, types.CPointer) else None, 1)
def address_of(builder: Any, pointer: Any) -> Any:
    """A pointer as an integer."""
    return builder.ptrtoint(pointer, _I64)


@typed_intrinsic(lambda context, kind, _: kind(kind, WORD) if isinstance(kind, types.CPointer) else None, 2)
def offset(builder: Any, pointer: Any, elements: Any) -> Any:
    """The pointer moved forward by a number of elements."""
    return builder.gep(pointer, [elements], inbounds=True)


@constant_intrinsic(FLOAT_POINTER)
def stack_floats(builder: Any, count: int) -> Any:
    """A float32 buffer on the stack, at the start of a cache line; `count` is a constant of the compilation.

    It is reserved once when the function begins, however often the call is reached.
    """
    # Numba's own `alloca_once` would also fill it with zeros, element by element.
    with builder.goto_entry_block():
        buffer = builder.alloca(ir.ArrayType(ir.FloatType(), count))
    buffer.align = CACHE_LINE
    return builder.bitcast(buffer, ir.FloatType().as_pointer())


@intrinsic(WORD, WORD, WORD, WORD, WORD_POINTER)
def call_address(builder: Any, address: Any, *arguments: Any) -> None:
    """Call the kernel at an address with `(begin, end, rows, words)`."""
    kind = ir.FunctionType(ir.VoidType(), [argument.type for argument in arguments])
    builder.call(builder.inttoptr(address, kind.as_pointer()), arguments)


# Threads -----------------------------------------------------------------------------------------------------------


@intrinsic(WORD_POINTER, WORD, result=WORD)
def atomic_add(builder: Any, word: Any, value: Any) -> Any:
    """Add to a shared word in one step and give what it held before."""
    return builder.atomic_rmw("add", word, value, "seq_cst")


@intrinsic(WORD_POINTER, result=WORD)
def atomic_load(builder: Any, word: Any) -> Any:
    """Read a shared word; everything written before its `atomic_store` is then visible."""
    return builder.load_atomic(word, "acquire", 8)


@intrinsic(WORD_POINTER, WORD)
def atomic_store(builder: Any, word: Any, value: Any) -> None:
    """Write a shared word, after everything that this thread wrote before."""
    builder.store_atomic(value, word, "release", 8)


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


@intrinsic(result=WORD)
def clock(builder: Any) -> Any:
    """The processor's counter of time: ticks that go on at an even rate on every core."""
    return call(builder, "llvm.readcyclecounter", _I64, [])


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


@intrinsic(result=WORD)
def flush_subnormals(builder: Any) -> Any:
    """Make this thread treat numbers below the normal range as zero; gives the state for `restore_float_state`."""
    state = _read_state(builder)
    flush = _MXCSR_FLUSH if is_x86() else _FPCR_FLUSH
    _write_state(builder, builder.or_(state, ir.Constant(_I64, flush)))
    return state


@intrinsic(WORD)
def restore_float_state(builder: Any, state: Any) -> None:
    """Put back the state that `flush_subnormals` gave."""
    _write_state(builder, state)


# Bits and fused arithmetic -----------------------------------------------------------------------------------------


def _bit_cast(source: Any, result: Any, name: str) -> Any:
    def cast(builder: Any, value: Any) -> Any:
        return builder.bitcast(value, _LLVM_TYPES[result])

    cast.__name__ = cast.__qualname__ = name
    cast.__doc__ = f"The bits of a {source} read as {result}."
    return intrinsic(source, result=result)(cast)


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


def _real(context: Any, *given: Any) -> Any:
    """The signature of floats that all have the type of the first one."""
    return given[0](*[given[0]] * len(given)) if all(kind in (FLOAT, DOUBLE) for kind in given) else None


@typed_intrinsic(_real, 3)
def fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a·b + c in one rounding, in the type of `a` (two roundings on a processor that has no such instruction)."""
    return multiply_add(builder, a, b, c)


@intrinsic(FLOAT, FLOAT, result=FLOAT)
def add_up(builder: Any, total: Any, item: Any) -> Any:
    """total + item, for a sum along a row that a loop makes: LLVM may sum up several parts of the row side by side.

    Which ones depends on the length of the row and the processor alone, since every row is summed up by the same code.
    """
    return builder.fadd(total, item, flags=("nsz", "reassoc"))


@intrinsic(FLOAT, FLOAT, result=FLOAT)
def larger(builder: Any, left: Any, right: Any) -> Any:
    """The larger of two numbers; if one is NaN, any number, which makes no difference to the caller."""
    kind = ir.FloatType()
    function = declared(builder.module, "llvm.maxnum.f32", ir.FunctionType(kind, [kind] * 2))
    return builder.call(function, [left, right], fastmath=("nnan", "nsz"))


# What `rewriting.py` writes in place of operators ------------------------------------------------------------------


def _common(context: Any, *given: Any) -> Any:
    """The type that numbers or pointers have together, None if there is none."""
    plain = [types.unliteral(kind) for kind in given]
    kind = context.unify_types(*plain)
    return kind if isinstance(kind, (types.Number, types.Boolean, types.CPointer)) else None


def _choice(context: Any, condition: Any, left: Any, right: Any) -> Any:
    kind = _common(context, left, right)
    return None if kind is None else kind(BOOL, kind, kind)


@typed_intrinsic(_choice, 3)
def choose(builder: Any, condition: Any, left: Any, right: Any) -> Any:
    """left where the condition holds, else right; both are computed."""
    return builder.select(condition, left, right)


@intrinsic(BOOL, BOOL, result=BOOL)
def both(builder: Any, left: Any, right: Any) -> Any:
    """Whether two conditions hold; both are computed."""
    return builder.and_(left, right)


@intrinsic(BOOL, BOOL, result=BOOL)
def either(builder: Any, left: Any, right: Any) -> Any:
    """Whether one of two conditions holds; both are computed."""
    return builder.or_(left, right)


@intrinsic(WORD, WORD, result=WORD)
def quotient(builder: Any, number: Any, divisor: Any) -> Any:
    """The whole part of a quotient of numbers that are not negative, which LLVM can compute in vectors."""
    return builder.udiv(number, divisor)


@intrinsic(WORD, WORD, result=WORD)
def remainder(builder: Any, number: Any, divisor: Any) -> Any:
    """What a division of numbers that are not negative leaves."""
    return builder.urem(number, divisor)


def _sum_of_product(context: Any, *given: Any) -> Any:
    kind = _common(context, *given)
    if kind is None or isinstance(kind, types.CPointer):
        return None
    if isinstance(kind, (types.Integer, types.Boolean)):
        kind = WORD
    return kind(kind, kind, kind)


def _is_float(value: Any) -> bool:
    return isinstance(value.type, (ir.FloatType, ir.DoubleType))


@typed_intrinsic(_sum_of_product, 3)
def product_plus(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a·b + c, of floats in one rounding. Left to LLVM, the choice could be another one in a vector than alone."""
    if _is_float(a):
        return multiply_add(builder, a, b, c)
    return builder.add(builder.mul(a, b, flags=["nsw"]), c, flags=["nsw"])


@typed_intrinsic(_sum_of_product, 3)
def product_minus(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a·b - c, of floats in one rounding."""
    if _is_float(a):
        return multiply_add(builder, a, b, builder.fneg(c))
    return builder.sub(builder.mul(a, b, flags=["nsw"]), c, flags=["nsw"])


@typed_intrinsic(_sum_of_product, 3)
def minus_product(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """c - a·b, of floats in one rounding."""
    if _is_float(a):
        return multiply_add(builder, builder.fneg(a), b, c)
    return builder.sub(c, builder.mul(a, b, flags=["nsw"]), flags=["nsw"])
