"""A name of NumPy in, NumPy's own object out: `np` here is NumPy, imported when something of it is first used.

Importing NumPy takes as long as checking a config does from beginning to end, and a check computes with no array. So
everything outside `targets` takes `np` and its types from here, and uses them inside functions and annotations only.
"""

from __future__ import annotations

import sys
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
    """NumPy without the help texts of its functions in C, which `python -OO` leaves out too: 10 ms."""
    if "numpy" in sys.modules:
        return
    texts = ("numpy._core._add_newdocs", "numpy._core._add_newdocs_scalars")
    for name in texts:
        sys.modules[name] = ModuleType(name)
    try:
        import_module("numpy")
    finally:
        for name in texts:
            sys.modules.pop(name, None)
