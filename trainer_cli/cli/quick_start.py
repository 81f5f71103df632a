"""Nothing in; libraries that take less time to import out, in the process of a command line alone.

They are as they were for whoever uses them: what is left out is searches, words of help and methods that nobody calls.
Where a library or Python has changed so that something here finds nothing to do, it does nothing.
"""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
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


def put_off_methods() -> None:
    """Dataclasses get their methods but `__init__` when these are first called.

    Each method is made from text, for which Python starts its compiler: 0.1 ms. Of the 237 that are made of libraries'
    dataclasses while a config is checked, five are called. From Python 3.13 on a class is compiled at once.
    """
    import dataclasses

    create: Any = getattr(dataclasses, "_create_fn", None)
    if create is not None:

        def put_off(name: str, *form: Any, **more: Any) -> Any:
            make = partial(create, name, *form, **more)
            return make() if name == "__init__" else _later(name, make)

        dataclasses._create_fn = put_off  # type: ignore[attr-defined]


def _later(name: str, make: Callable[[], Any]) -> Callable[..., Any]:
    """A method that is made when it is called, and then stands in its class in the place of this one."""
    made: list[Any] = []

    def method(*given: Any) -> Any:
        if not made:
            made.append(make())
            made[0].__qualname__ = method.__qualname__
            for each in type(given[0]).__mro__:
                if each.__dict__.get(name) is method:
                    setattr(each, name, made[0])
        return made[0](*given)

    method.__name__ = name
    return method


def import_models() -> None:
    """pydantic's core, whose 88 kinds of schema are plain dictionaries.

    They are declared with types for each of their 600 keys, which nothing reads while programs run, and Python compiles
    each: 10 ms.
    """
    if "pydantic_core" in sys.modules:
        return
    import typing

    import typing_extensions

    kinds: tuple[Any, ...] = (typing, typing_extensions)
    before = [module.TypedDict for module in kinds]
    for module in kinds:
        module.TypedDict = _TypedDict()
    try:
        import_module("pydantic_core")
    finally:
        for module, kind in zip(kinds, before, strict=True):
            module.TypedDict = kind


class _Dictionary(dict[str, Any]):
    def __init_subclass__(cls, **options: Any) -> None:
        """Takes the options of a TypedDict."""


class _TypedDict:
    """Stands for `TypedDict` as a base."""

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return (_Dictionary,)


def import_yaml() -> None:
    """PyYAML, whose patterns are compiled when they are used: 6 of 11 ms. Its parser in C needs none of them."""
    compile_now = re.compile
    re.compile = _Pattern  # type: ignore[assignment, misc]
    try:
        import_module("yaml")
    finally:
        re.compile = compile_now  # type: ignore[misc]


class _Pattern:
    """Stands for a pattern, which is compiled when something is asked of it."""

    def __init__(self, *form: Any) -> None:
        self._form = form

    def __getattr__(self, name: str) -> Any:
        value = getattr(re.compile(*self._form), name)
        setattr(self, name, value)
        return value
