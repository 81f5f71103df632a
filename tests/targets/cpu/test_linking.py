"""Linked functions in, one root out: it holds their code, and they never become machine code of their own."""

from __future__ import annotations

import numpy as np
from numba import njit

from trainer_cli.targets.cpu.intrinsics import float_pointer, kernel_attributes
from trainer_cli.targets.cpu.linking import linked


def test_code_of_linked_functions_is_in_the_root_alone() -> None:
    @linked
    def innermost(x):
        return x * np.float32(3)

    @linked
    def triple_all(x, count):
        kernel_attributes()
        for i in range(count):
            x[i] = innermost(x[i])

    @njit(error_model="numpy", nogil=True)
    def root(address: int, count: int) -> None:
        triple_all(float_pointer(address), count)
        triple_all(float_pointer(address), count // 2)

    x = np.ones(100, np.float32)
    root(x.ctypes.data, 100)
    assert x[:50].tolist() == [9.0] * 50
    assert x[50:].tolist() == [3.0] * 50
    text = root.inspect_llvm(root.signatures[0])
    assert any(line.startswith("define") and "triple_all" in line for line in text.splitlines())
    # Unoptimised, a variable is still a place on the stack; in the root it is not.
    alone = triple_all.overloads[triple_all.signatures[0]].library
    assert "alloca" in str(alone._final_module)
    definition = text[text.index("define linkonce_odr") :]
    assert "alloca" not in definition[: definition.index("\n}")]
    assert "x float>" in definition[: definition.index("\n}")], "the loop is not vectorised"
