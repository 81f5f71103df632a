"""Functions in, what becomes of their operators before Numba reads them out."""

from __future__ import annotations

import ast

import pytest

from trainer_cli.targets.cpu.rewriting import PREFIX, rewrite

CONSTANTS = {"LONG": 28, "SHORT": 3}


def _rewritten(body: str) -> str:
    source = "def f(p, q, x, n):\n" + "\n".join(f"    {line}" for line in body.splitlines())
    (tree,) = ast.parse(source).body
    assert isinstance(tree, ast.FunctionDef)
    lines = ast.unparse(rewrite(tree, CONSTANTS.get)).splitlines()[1:]
    return "\n".join(line[4:] for line in lines).replace(PREFIX, "")


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("y = n // 4", "y = quotient(n, 4)"),
        ("y = n % 4 + 1", "y = remainder(n, 4) + 1"),
        ("y = x if n > 1 else 0", "y = choose(n > 1, x, 0)"),
        ("y = n > 1 and x > 2 and x < 9", "y = both(both(n > 1, x > 2), x < 9)"),
        ("y = n > 1 or not x", "y = either(n > 1, not x)"),
        ("y = x * q + p", "y = product_plus(x, q, p)"),
        ("y = p - x * q", "y = minus_product(x, q, p)"),
        ("y = x * q - p * n", "y = product_minus(x, q, p * n)"),
        ("y = n * 28 + x", "y = n * 28 + x"),
        ("y = n * LONG + x", "y = n * LONG + x"),
        ("y = 1\ny += x * q", "y = 1\ny = product_plus(x, q, y)"),
        ("p[n] += x * q", "p[n] = product_plus(x, q, p[n])"),
        ("y = x * q\nz = y + p", "y = x * q\nz = product_plus(x, q, p)"),
    ],
)
def test_operators_become_operations(body: str, wanted: str) -> None:
    assert _rewritten(body) == wanted


@pytest.mark.parametrize(
    "body",
    [
        "y = x * q\nz = y + y",
        "y = x * q\nx = n\nz = y + p",
        "y = x * q\nif n:\n    z = y + p",
        "y = x * q\ny = y + p",
        "y = p[n] * q\np[n] = x\nz = y + x",
    ],
)
def test_a_product_whose_factors_may_be_others_or_that_is_read_twice_stays(body: str) -> None:
    assert "product" not in _rewritten(body)


def test_long_loops_over_constants_that_stand_alone_are_advised() -> None:
    assert "advise(28)" in _rewritten("for i in range(LONG):\n    p[i] = x")
    assert "advise(16)" in _rewritten("for i in range(4, 20):\n    p[i] = x")
    for body in (
        "for i in range(SHORT):\n    p[i] = x",
        "for i in range(n):\n    p[i] = x",
        "for i in range(0, LONG, 2):\n    p[i] = x",
        "for i in range(LONG):\n    x += p[i]",
    ):
        assert "advise" not in _rewritten(body)
