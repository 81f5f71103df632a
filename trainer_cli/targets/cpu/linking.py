"""A Python function in, a function for Numba out that becomes machine code only inside a root.

Numba optimises and generates code for every jitted function by itself and then once more for each caller that it is
linked into. A kernel four calls deep would be compiled four times. What `linked` marks is kept as plain LLVM code until
a root takes it in (`native.py`). Called from Python, with numbers, a linked function becomes a root of its own.
"""

from __future__ import annotations

import ast
import builtins
import copy
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from pathlib import Path
from types import CellType, CodeType, FunctionType
from typing import Any

from numba import njit
from numba.core import typed_passes, untyped_passes
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase
from numba.core.compiler_machinery import LoweringPass, PassManager, register_pass

from trainer_cli.targets.cpu import hints, intrinsics
from trainer_cli.targets.cpu.rewriting import OPERATIONS, PREFIX, rewrite

# Flags of all kernels. Without `arcp`, `afn`, `reassoc` and `contract`: a result then has the same bits in a vector and
# alone.
OPTIONS: Mapping[str, Any] = {
    "error_model": "numpy",
    "nogil": True,
    "fastmath": {"nsz"},
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}

_OPERATIONS = {PREFIX + name: hints.advise if name == "advise" else getattr(intrinsics, name) for name in OPERATIONS}


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
    """Numba's passes without those for what kernels never hold: arrays, closures, `with`, exceptions, literal loops."""

    def define_pipelines(self) -> list[Any]:
        passes = PassManager("linked")
        for each in (
            untyped_passes.TranslateByteCode,
            untyped_passes.FixupArgs,
            untyped_passes.IRProcessing,
            untyped_passes.RewriteSemanticConstants,
            untyped_passes.DeadBranchPrune,
            untyped_passes.ReconstructSSA,
            typed_passes.NopythonTypeInference,
            typed_passes.PreLowerStripPhis,
            typed_passes.IRLegalization,
            _ChooseLibrary,
            typed_passes.NativeLowering,
            typed_passes.NoPythonBackend,
        ):
            passes.add_pass(each, each.__name__)
        passes.finalize()
        return [passes]


class Linked:
    """A function in the part of Python that kernels need, for use inside native code."""

    def __init__(self, function: Callable[..., Any], constants: Mapping[str, int] | None = None) -> None:
        self.function = function
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__
        # Of parameters that are constants of the compilation, their values.
        self.constants = dict(constants or {})
        self._roots: dict[Any, Any] = {}
        self._variants: dict[tuple[tuple[str, int], ...], Linked] = {}

    @cached_property
    def tree(self) -> ast.FunctionDef:
        """The function as it was written. The file is read when this is first asked for."""
        code = self.function.__code__
        return _functions(code.co_filename)[code.co_firstlineno]

    def fixed(self, constants: Mapping[int, int]) -> Linked:
        """The same function, whose parameters of these places, from 0 on, have these values, whatever is given.

        A loop over a constant is better code than one over an argument.
        """
        names = [argument.arg for argument in self.tree.args.args]
        chosen = {names[place]: value for place, value in constants.items()}
        key = tuple(sorted(chosen.items()))
        if key not in self._variants:
            self._variants[key] = Linked(self.function, chosen)
        return self._variants[key]

    @cached_property
    def dispatcher(self) -> Any:
        """The function for Numba, rewritten; what it calls is made ready with it."""
        return njit(pipeline_class=_LinkedCompiler, **OPTIONS)(self._rewritten())

    def _rewritten(self) -> FunctionType:
        function = self.function
        tree = copy.deepcopy(self.tree)
        if self.constants:
            tree = _Constants(self.constants).visit(tree)
        rewrite(tree, self._free)
        free = function.__code__.co_freevars
        maker = ast.FunctionDef("make", _arguments(free), [tree], [], lineno=1)
        module = ast.fix_missing_locations(ast.Module([maker], []))
        code = _inner(_inner(compile(module, function.__code__.co_filename, "exec"), "make"), function.__name__)
        names = {name: _for_numba(self._free(name)) for name in code.co_names if self._free(name) is not None}
        cells = tuple(CellType(_for_numba(self._free(name))) for name in code.co_freevars)
        return FunctionType(code, {**names, **_OPERATIONS}, function.__name__, function.__defaults__, cells)

    @cached_property
    def _cells(self) -> dict[str, Any]:
        cells = zip(self.function.__code__.co_freevars, self.function.__closure__ or (), strict=True)
        return {name: cell.cell_contents for name, cell in cells}

    def _free(self, name: str) -> Any:
        """What a name that is no local one stands for; None if nothing has it."""
        for names in (self._cells, self.function.__globals__, vars(builtins)):
            if name in names:
                return names[name]
        return None

    def __call__(self, *arguments: Any) -> Any:
        """Run it as a root of its own, compiled for the types of these numbers."""
        from trainer_cli.targets.cpu.native import Root, number_type

        types = tuple(map(number_type, arguments))
        root = self._roots.get(types)
        if root is None:
            root = self._roots[types] = Root(self, types)
        return root(*arguments)

    def llvm(self) -> str:
        """The optimised code of the root that was compiled last."""
        return str(list(self._roots.values())[-1].text)


def linked(function: Callable[..., Any]) -> Any:
    """Mark a function for use in native code."""
    return Linked(function)


def _for_numba(value: Any) -> Any:
    return value.dispatcher if isinstance(value, Linked) else value


def _arguments(names: tuple[str, ...]) -> ast.arguments:
    return ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, [])


def _inner(code: CodeType, name: str) -> CodeType:
    """The code of a function that is defined in other code."""
    return next(each for each in code.co_consts if isinstance(each, CodeType) and each.co_name == name)


class _Constants(ast.NodeTransformer):
    """Puts constants in the place of parameters, which stay as names that nothing reads."""

    def __init__(self, constants: Mapping[str, int]) -> None:
        self.constants = constants

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(f"unused_{node.arg}" if node.arg in self.constants else node.arg, lineno=node.lineno)

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in self.constants:
            return node
        return ast.copy_location(ast.Constant(self.constants[node.id]), node)


@cache
def _functions(filename: str) -> dict[int, ast.FunctionDef]:
    """The functions of a file by the line that they begin on, decorators included."""
    tree = ast.parse(Path(filename).read_text(encoding="utf-8"), filename)
    return {
        min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]): node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }
