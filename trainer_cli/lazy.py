"""A name of NumPy in, NumPy's own object out: `np` here is NumPy, imported when something of it is first used.

Importing NumPy takes as long as checking a config does from beginning to end, and a check computes with no array. So
everything outside `targets` takes `np` and its types from here, and uses them inside functions and annotations only.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__all__ = ["DTypeLike", "NDArray", "np"]


class _Later(ModuleType):
    """Stands for a module until an attribute is asked for; keeps what it was asked for, so that it is asked once."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(import_module(self.__name__), name)
        setattr(self, name, value)
        return value


if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import DTypeLike, NDArray
else:
    np = _Later("numpy")
    DTypeLike = NDArray = object  # for annotations, which are never evaluated
