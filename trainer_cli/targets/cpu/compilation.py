"""Compilation: the units that a plan lacks in, their machine code out, compiled by two processes where that is faster.

Numba compiles one function at a time. Of many units, a second process compiles every other one; it is this module, run
as a program, and gives what it made on its standard output.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trainer_cli.targets.cpu.cache import symbol
from trainer_cli.targets.cpu.program import Export, Unit
from trainer_cli.targets.cpu.threads import available_cores

# What machine code may refer to outside itself: the C mathematics library, memory functions, the scheduler.
_OUTSIDE = re.compile(
    r"^(llvm\..*|sched_yield|mem(cpy|set|move)|(exp|expm1|log|log1p|log2|exp2|sin|cos|tan|tanh|sqrt|floor|ceil|pow|"
    r"erf|fma|fmod|round|trunc|ldexp|sincos)f?)$"
)

MANY = 6
"""Units from which on a second process pays: it takes half a second to begin, a unit about a fifth."""


def compile_units(units: Mapping[str, Unit]) -> dict[str, bytes]:
    """The machine code of units by their digests. Raises RuntimeError as `compile_unit` does."""
    # The longest first, so that both processes end at about the same time.
    digests = sorted(units, key=lambda digest: -len(units[digest].text))
    if len(digests) < MANY or not _has_free_core():
        return {digest: compile_unit(units[digest], digest) for digest in digests}
    with _second_process({digest: units[digest] for digest in digests[1::2]}) as others:
        own = {digest: compile_unit(units[digest], digest) for digest in digests[::2]}
        known = own | others.result()
    # If the second process came to nothing, its share is done here.
    return known | {digest: compile_unit(units[digest], digest) for digest in digests if digest not in known}


def _has_free_core() -> bool:
    """Whether this process may use a core that nobody is using."""
    cores = available_cores()
    try:
        # This process is one of those that run; what runs now and then beside it counts less than a core.
        return cores > 1 and os.getloadavg()[0] < cores - 0.75
    except OSError:
        return cores > 1


@contextmanager
def _second_process(units: Mapping[str, Unit]) -> Iterator[Future[dict[str, bytes]]]:
    """What another process makes of the units; nothing if it fails. It ends with the block."""
    task = {
        digest: [unit.text, [[each.name, each.parameters] for each in unit.exports]] for digest, unit in units.items()
    }
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )

    def results() -> dict[str, bytes]:
        answer, _ = process.communicate(json.dumps(task).encode())
        try:
            return {digest: base64.b64decode(code) for digest, code in json.loads(answer).items()}
        except ValueError:
            return {}

    with ThreadPoolExecutor(1) as pool:
        try:
            yield pool.submit(results)
        finally:
            if process.poll() is None:
                process.kill()


def compile_unit(unit: Unit, digest: str) -> bytes:
    """Compile a unit's text to machine code. Raises RuntimeError if the code refers to something unexpected."""
    # Somebody's wish to run Numba's functions as Python must not reach kernels, which exist as native code alone.
    os.environ["NUMBA_DISABLE_JIT"] = "0"
    # Importing the compiler takes time that a known plan does not need.
    from trainer_cli.targets.cpu.native import lowered, optimized

    module = _import(unit.text)
    exports = {symbol(each.name, digest): (getattr(module, each.name), each.parameters) for each in unit.exports}
    code, machine = optimized(lowered(exports))
    outside = [function.name for function in code.functions if function.is_declaration]
    unexpected = sorted(name for name in outside if not _OUTSIDE.match(name))
    if unexpected:
        raise RuntimeError(f"the plan's code refers to {', '.join(unexpected)}")
    return bytes(machine.emit_object(code))


def _import(text: str) -> Any:
    """Import a unit's text as a module from a file of its own, so that errors in it show their line."""
    with tempfile.TemporaryDirectory(prefix="trainer-plan-") as folder:
        path = Path(folder) / "kernel.py"
        path.write_text(text, encoding="utf-8")
        spec = importlib.util.spec_from_file_location("trainer_kernel", path)
        if spec is None or spec.loader is None:
            raise RuntimeError(f"{path} cannot be imported")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for value in vars(module).values():
            # What is compiled later is read now: the file does not stay.
            getattr(value, "tree", None)
    return module


def main() -> None:
    """Compile what stands on standard input as `_second_process` writes it."""
    units = {
        digest: Unit(text, tuple(Export(name, parameters and tuple(parameters)) for name, parameters in exports))
        for digest, (text, exports) in json.load(sys.stdin).items()
    }
    made = {digest: base64.b64encode(compile_unit(unit, digest)).decode() for digest, unit in units.items()}
    json.dump(made, sys.stdout)


if __name__ == "__main__":
    main()
