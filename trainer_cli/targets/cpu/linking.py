"""A Python function in, the same as native code out: `linked` marks what `lowering.py` turns into instructions.

A linked function is compiled for the types that it is called with, inside the native function that calls it. Called
from Python, with numbers, it becomes a root: a module of its own, compiled and loaded.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path
from typing import Any


class Linked:
    """A function in the part of Python that `lowering.py` knows."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__
        self._roots: dict[Any, Any] = {}

    @cached_property
    def tree(self) -> ast.FunctionDef:
        code = self.function.__code__
        return _functions(code.co_filename)[code.co_firstlineno]

    @property
    def place(self) -> str:
        return f"{Path(self.function.__code__.co_filename).name}: {self.__name__}"

    @cached_property
    def _free(self) -> dict[str, Any]:
        cells = zip(self.function.__code__.co_freevars, self.function.__closure__ or (), strict=True)
        return {name: cell.cell_contents for name, cell in cells}

    def free(self, name: str) -> Any:
        """What a name that is no local one stands for. Raises NameError."""
        for names in (self._free, self.function.__globals__, vars(builtins)):
            if name in names:
                return names[name]
        raise NameError(f"{self.place} names `{name}`, which is not defined")

    def default(self, name: str) -> Any:
        """The default of an argument. Raises TypeError if it has none."""
        names = [argument.arg for argument in self.tree.args.args]
        defaults = self.function.__defaults__ or ()
        place = names.index(name) - len(names) + len(defaults)
        if place < 0:
            raise TypeError(f"{self.place} needs its argument `{name}`")
        return defaults[place]

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


@cache
def _functions(filename: str) -> dict[int, ast.FunctionDef]:
    """The functions of a file by the line that they begin on, decorators included."""
    tree = ast.parse(Path(filename).read_text(encoding="utf-8"), filename)
    return {
        min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]): node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }
