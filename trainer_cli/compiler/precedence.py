"""Precedence: kernels, and those that each must run behind, in; an order of all of them out."""

from __future__ import annotations

from trainer_cli.compiler.kernels import Kernel


def depends(kernel: Kernel, on: Kernel, after: dict[Kernel, set[Kernel]]) -> bool:
    """Whether a kernel can only run behind another one."""
    seen: set[Kernel] = set()
    stack = [kernel]
    while stack:
        current = stack.pop()
        if current is on:
            return True
        if current not in seen:
            seen.add(current)
            stack.extend(after.get(current, ()))
    return False


def ordered(kernels: list[Kernel], after: dict[Kernel, set[Kernel]]) -> list[Kernel]:
    """A topological order that keeps the given order where it can."""
    found: list[Kernel] = []
    done: set[Kernel] = set()

    def visit(kernel: Kernel) -> None:
        stack = [(kernel, iter(sorted(after[kernel], key=kernels.index)))]
        done.add(kernel)
        while stack:
            current, pending = stack[-1]
            following = next((other for other in pending if other not in done), None)
            if following is None:
                found.append(current)
                stack.pop()
            else:
                done.add(following)
                stack.append((following, iter(sorted(after[following], key=kernels.index))))

    for kernel in kernels:
        if kernel not in done:
            visit(kernel)
    return found
