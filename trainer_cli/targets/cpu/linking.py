"""A function for Numba comes in, one goes out that is optimised and turned into machine code only inside its callers.

Numba optimises and generates code for every jitted function by itself and then once more for each caller that it is
linked into. A kernel four calls deep would be compiled four times. What `linked` decorates is kept as plain LLVM code
until a function compiled by `numba.njit` itself, the root, takes it in. A linked function cannot be called from Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import LoweringPass, register_pass
from numba.core.typed_passes import NativeLowering

# Flags of all kernels. Without `arcp`, `afn` and `reassoc`: a result then has the same bits in a vector and alone.
OPTIONS: dict[str, Any] = {
    "error_model": "numpy",
    "nogil": True,
    "fastmath": {"contract", "nsz"},
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}


class _NoEngine:
    """Stands for the code generator of a library that never reaches the execution engine."""

    def set_env(self, name: str, env: Any) -> None:
        """The environment only serves exceptions, which linked functions never raise."""


class _LinkedLibrary(JITCodeLibrary):
    """A code library that others link in; itself it is neither optimised nor made executable."""

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def finalize(self) -> None:
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        self._ensure_finalized()
        return 0

    @property
    def codegen(self) -> Any:
        return _NoEngine()


@register_pass(mutates_CFG=False, analysis_only=False)
class _ChooseLibrary(LoweringPass):
    _name = "choose_linked_library"

    def __init__(self) -> None:
        LoweringPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        state.library = _LinkedLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return True


class _LinkedCompiler(CompilerBase):
    def define_pipelines(self) -> list[Any]:
        pipeline = DefaultPassBuilder.define_nopython_pipeline(self.state)
        pipeline.add_pass_after(_ChooseLibrary, _pass_before(pipeline, NativeLowering))
        pipeline.finalize()
        return [pipeline]


def _pass_before(pipeline: Any, which: Any) -> Any:
    passes = [entry[0] for entry in pipeline.passes]
    return passes[passes.index(which) - 1]


def linked(function: Callable[..., Any]) -> Any:
    """Compile a function for use inside other kernels alone."""
    return njit(pipeline_class=_LinkedCompiler, **OPTIONS)(function)
