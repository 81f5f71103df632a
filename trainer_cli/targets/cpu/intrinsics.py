"""Machine operations that Numba lacks: addresses, words and floats inside a kernel in, single instructions out.

Everything here is callable from `@njit` code alone. Nothing raises, allocates from Numba's runtime or leaves a symbol
undefined, except `yield_processor` (libc's `sched_yield`), so an object built from it can be reloaded without Numba.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.registry import cpu_target
from numba.extending import intrinsic

FLOAT_POINTER = types.CPointer(types.float32)
DOUBLE_POINTER = types.CPointer(types.float64)
INT_POINTER = types.CPointer(types.int32)
BYTE_POINTER = types.CPointer(types.uint8)
WORD_POINTER = types.CPointer(types.intp)

CACHE_LINE = 64
_I32 = ir.IntType(32)
_I64 = ir.IntType(64)
# Flush to zero (bit 15) and denormals are zero (bit 6) in x86's MXCSR; FZ (bit 24) in ARM's FPCR.
_MXCSR_FLUSH = 0x8040
_FPCR_FLUSH = 1 << 24


def host_features() -> frozenset[str]:
    """Names of the instruction sets that Numba compiles for here, as LLVM spells them (`avx512f`, `fma`, `neon`)."""
    features = cpu_target.target_context.codegen().magic_tuple()[2]
    return frozenset(item[1:] for item in features.split(",") if item.startswith("+"))


def is_x86() -> bool:
    """Whether Numba compiles for an x86 processor."""
    return _is_x86(cpu_target.target_context.codegen().magic_tuple()[0])


def is_arm() -> bool:
    """Whether Numba compiles for a 64-bit ARM processor."""
    return _is_arm(cpu_target.target_context.codegen().magic_tuple()[0])


def _is_x86(triple: str) -> bool:
    return triple.startswith(("x86_64", "i686", "i386"))


def _is_arm(triple: str) -> bool:
    return triple.startswith(("aarch64", "arm64"))


def has_fused_multiply_add() -> bool:
    """Whether the processor multiplies and adds in one rounding (x86 without FMA3 would call libm for each)."""
    return is_arm() or (is_x86() and "fma" in host_features())


def _call(builder: Any, name: str, result: ir.Type, arguments: list[Any]) -> Any:
    function_type = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, function_type, name), arguments)


# Attributes of the function being generated ------------------------------------------------------------------------


def _mark_arguments(function: ir.Function) -> None:
    # The first two arguments are Numba's own return slot and exception slot, which it marks itself.
    for argument in function.args[2:]:
        if isinstance(argument.type, ir.PointerType):
            argument.add_attribute("noalias")


@intrinsic
def kernel_attributes(typingctx: Any) -> Any:
    """Promise that no two pointer arguments of the calling function overlap, and keep it out of its callers' bodies."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _mark_arguments(builder.function)
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def inline_attributes(typingctx: Any) -> Any:
    """Promise that no two pointer arguments of the calling function overlap, and place it into every caller's body."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _mark_arguments(builder.function)
        builder.function.attributes.add("alwaysinline")
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def out_of_line(typingctx: Any) -> Any:
    """Keep the calling function out of its callers' bodies, and promise nothing about its pointers."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), codegen


# Pointers ----------------------------------------------------------------------------------------------------------


def _pointer_from_address(pointer_type: Any, name: str) -> Any:
    def pointer(typingctx: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.inttoptr(args[0], context.get_value_type(pointer_type))

        return pointer_type(types.intp), codegen

    pointer.__name__ = pointer.__qualname__ = name
    pointer.__doc__ = f"The address (an integer) as a pointer to {pointer_type.dtype}."
    return intrinsic(pointer)


float_pointer = _pointer_from_address(FLOAT_POINTER, "float_pointer")
double_pointer = _pointer_from_address(DOUBLE_POINTER, "double_pointer")
int_pointer = _pointer_from_address(INT_POINTER, "int_pointer")
byte_pointer = _pointer_from_address(BYTE_POINTER, "byte_pointer")
bool_pointer = _pointer_from_address(BYTE_POINTER, "bool_pointer")
word_pointer = _pointer_from_address(WORD_POINTER, "word_pointer")


@intrinsic
def offset(typingctx: Any, pointer: Any, elements: Any) -> Any:
    """The pointer moved forward by a number of elements."""
    if not isinstance(pointer, types.CPointer):
        return None

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.gep(args[0], [args[1]], inbounds=True)

    return pointer(pointer, types.intp), codegen


@intrinsic(prefer_literal=True)
def stack_floats(typingctx: Any, count: Any) -> Any:
    """A float32 buffer on the stack, at the start of a cache line; `count` is a constant of the compilation.

    It is reserved once when the function begins, however often the call is reached.
    """
    if not isinstance(count, types.IntegerLiteral):
        return None
    shape = ir.ArrayType(ir.FloatType(), count.literal_value)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        # Numba's own `alloca_once` would also fill it with zeros, element by element.
        with builder.goto_entry_block():
            buffer = builder.alloca(shape)
        buffer.align = CACHE_LINE
        return builder.bitcast(buffer, ir.FloatType().as_pointer())

    return FLOAT_POINTER(count), codegen


# Threads -----------------------------------------------------------------------------------------------------------


@intrinsic
def atomic_add(typingctx: Any, word: Any, value: Any) -> Any:
    """Add to a shared word in one step and give what it held before."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", args[0], args[1], "seq_cst")

    return types.intp(WORD_POINTER, types.intp), codegen


@intrinsic
def atomic_load(typingctx: Any, word: Any) -> Any:
    """Read a shared word; everything written before its `atomic_store` is then visible."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(args[0], "acquire", 8)

    return types.intp(WORD_POINTER), codegen


@intrinsic
def atomic_store(typingctx: Any, word: Any, value: Any) -> Any:
    """Write a shared word, after everything that this thread wrote before."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store_atomic(args[1], args[0], "release", 8)
        return context.get_dummy_value()

    return types.void(WORD_POINTER, types.intp), codegen


@intrinsic
def pause(typingctx: Any) -> Any:
    """Tell the processor that this is a waiting loop."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if _is_x86(builder.module.triple):
            _call(builder, "llvm.x86.sse2.pause", ir.VoidType(), [])
        elif _is_arm(builder.module.triple):
            # `isb sy` waits about as long as x86's `pause`; `yield` does nothing on most ARM cores.
            _call(builder, "llvm.aarch64.isb", ir.VoidType(), [ir.Constant(_I32, 15)])
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def yield_processor(typingctx: Any) -> Any:
    """Let another thread run on this core."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        windows = "windows" in builder.module.triple
        name = "SwitchToThread" if windows else "sched_yield"
        _call(builder, name, _I32, [])
        return context.get_dummy_value()

    return types.void(), codegen


# Floating-point state ----------------------------------------------------------------------------------------------


def _read_state(builder: Any) -> Any:
    if _is_x86(builder.module.triple):
        slot = cgutils.alloca_once(builder, _I32)
        _call(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), [builder.bitcast(slot, ir.IntType(8).as_pointer())])
        return builder.zext(builder.load(slot), _I64)
    if _is_arm(builder.module.triple):
        return _call(builder, "llvm.aarch64.get.fpcr", _I64, [])
    return ir.Constant(_I64, 0)


def _write_state(builder: Any, state: Any) -> None:
    if _is_x86(builder.module.triple):
        slot = cgutils.alloca_once(builder, _I32)
        builder.store(builder.trunc(state, _I32), slot)
        _call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), [builder.bitcast(slot, ir.IntType(8).as_pointer())])
    elif _is_arm(builder.module.triple):
        _call(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), [state])


@intrinsic
def flush_subnormals(typingctx: Any) -> Any:
    """Make this thread treat numbers below the normal range as zero; gives the state for `restore_float_state`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        state = _read_state(builder)
        flush = _MXCSR_FLUSH if _is_x86(builder.module.triple) else _FPCR_FLUSH
        _write_state(builder, builder.or_(state, ir.Constant(_I64, flush)))
        return state

    return types.int64(), codegen


@intrinsic
def restore_float_state(typingctx: Any, state: Any) -> Any:
    """Put back the state that `flush_subnormals` gave."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _write_state(builder, args[0])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


# Bits and fused arithmetic -----------------------------------------------------------------------------------------


def _bit_cast(source: Any, result: Any, name: str) -> Any:
    def cast(typingctx: Any, value: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.bitcast(args[0], context.get_value_type(result))

        return result(source), codegen

    cast.__name__ = cast.__qualname__ = name
    cast.__doc__ = f"The bits of a {source} read as {result}."
    return intrinsic(cast)


float_bits = _bit_cast(types.float32, types.int32, "float_bits")
bits_float = _bit_cast(types.int32, types.float32, "bits_float")
double_bits = _bit_cast(types.float64, types.int64, "double_bits")
bits_double = _bit_cast(types.int64, types.float64, "bits_double")


def multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Emit a·b + c for scalars or vectors: one rounding where the processor can, two everywhere else."""
    if not has_fused_multiply_add():
        return builder.fadd(builder.fmul(a, b), c)
    vector = isinstance(a.type, ir.VectorType)
    element = a.type.element if vector else a.type
    width = "f64" if isinstance(element, ir.DoubleType) else "f32"
    name = f"llvm.fma.v{a.type.count}{width}" if vector else f"llvm.fma.{width}"
    return _call(builder, name, a.type, [a, b, c])


@intrinsic
def fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """a·b + c in one rounding, in the type of `a` (two roundings on a processor that has no such instruction)."""
    if a not in (types.float32, types.float64):
        return None

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return multiply_add(builder, *args)

    return a(a, a, a), codegen
