"""One layer by itself for tests: its arguments and arrays in, what it computes on the reference or refuses out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.golden_layers import read_layer
from tests.scopes import LayerScope
from trainer_cli.errors import ConfigError, Problem
from trainer_cli.ir.graph import BATCH, Graph
from trainer_cli.targets.reference.interpreter import evaluate


def run(
    arguments: dict[str, Any], *inputs: Any, training: bool = False, step: int = 0, seed: int = 0
) -> tuple[NDArray[Any], LayerScope]:
    """The layer's output with the first values of its weights, and the scope that it used."""
    graph = Graph()
    scope = LayerScope(graph, training)
    arrays = {f"x{index}": np.asarray(x) for index, x in enumerate(inputs)}
    values = [
        graph.input(name, (BATCH, *x.shape[1:]), "int" if x.dtype.kind == "i" else "float")
        for name, x in arrays.items()
    ]
    result = read_layer(arguments).trace(scope, *values)
    bound = {**arrays, **scope.values, "step": step, "seed": seed}
    return evaluate([result], bound, len(arrays["x0"]))[0], scope


def refusal(arguments: dict[str, Any], *shapes: tuple[int, ...]) -> Problem:
    """What the layer says of inputs whose rows have these shapes."""
    with pytest.raises(ConfigError) as caught:
        run(arguments, *(np.zeros((2, *shape)) for shape in shapes))
    (problem,) = caught.value.problems
    return problem
