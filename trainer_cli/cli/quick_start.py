"""A process that begins in; one whose libraries take less time to import out, in a command line alone.

They are as they were for whoever uses them: what is left out is searches, and modules that nothing asks for.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

from trainer_cli.lazy import Later

FRAMES = 40_000
"""Words that the frame of `main.start` asks for."""


def with_room(function: Callable[[], None]) -> Callable[[], None]:
    """The same function, whose frame brings room for the frames of all that it calls.

    Python keeps frames in pieces of 16 kB, and gives a piece back to the system when the last frame in it ends. At a
    depth where a piece is full, every call asks for one and every return gives it back: 3,200 times in a short `fit`,
    which takes 10 ms. A frame too large for a piece gets a larger one, of which this leaves 190 kB to others.
    """
    assert isinstance(function, FunctionType)
    function.__code__ = function.__code__.replace(co_stacksize=FRAMES)
    return function


def leave_out_searches() -> None:
    """Half of the time of a short command.

    Imports make many objects and no garbage. pydantic would search every installed package for plugins. NumPy's BLAS
    would start a thread per core, and networks do their products elsewhere.
    """
    gc.disable()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # Disabled or not, pydantic imports what it would search with. One that has no such module takes no notice.
    no_plugins: Any = ModuleType("pydantic.plugin._loader")
    no_plugins.get_plugins = tuple
    sys.modules.setdefault(no_plugins.__name__, no_plugins)
    # For comparisons of secrets and for arrays of objects; with what these import 6 ms.
    for name in ("secrets", "pickle"):
        sys.modules.setdefault(name, Later(name))
