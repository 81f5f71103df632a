"""A name of NumPy in, NumPy's own object out: `np` here is NumPy, imported when something of it is first used.

Importing NumPy takes as long as checking a config does from beginning to end, and a check computes with no array. So
everything outside `targets` takes `np` and its types from here, and uses them inside functions and annotations only.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__all__ = ["DTypeLike", "Later", "NDArray", "import_numpy", "np"]


class Later(ModuleType):
    """Stands for a module until an attribute is asked for; keeps what it was asked for, so that it is asked once."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        value = getattr(import_module(self.__name__), name)
        setattr(self, name, value)
        return value


if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import DTypeLike, NDArray
else:
    np = Later("numpy")
    DTypeLike = NDArray = object  # for annotations, which are never evaluated


def import_numpy() -> None:
    """NumPy without the help texts of its functions in C and without its types for annotations: 25 of 80 ms.

    `python -OO` leaves out the texts too. Of the types it imports one, for the annotations of four named tuples; who
    imports them later gets them.
    """
    if "numpy" not in sys.modules:
        with _standing_in("numpy._core._add_newdocs", "numpy._core._add_newdocs_scalars", "numpy._typing"):
            import_module("numpy")


@contextmanager
def _standing_in(*names: str) -> Iterator[None]:
    """Modules of these names that hold nothing but types for annotations, in the place of the real ones for a while."""
    for name in names:
        sys.modules[name] = _Empty(name)
    try:
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)


class _Empty(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return list  # takes anything in brackets, as `NDArray` does
