"""Workloads in, contestants out: one module per framework, each with `begin(workload, x, y, threads)`.

A contestant trains epochs over the rows x with the labels y, in random order and full batches.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from workloads import connected

MODULES = {
    "trainer": "ours",
    "PyTorch": "pytorch",
    "JAX": "jax_scan",
    "Keras on JAX": "keras_fit",
    "Keras on TensorFlow": "keras_fit",
    "scikit-learn": "scikit",
}
"""The contestants by the name that tables show, and the module that makes each."""

NEEDS = {
    "trainer": ("trainer_cli",),
    "PyTorch": ("torch",),
    "JAX": ("jax",),
    "Keras on JAX": ("keras", "jax"),
    "Keras on TensorFlow": ("keras", "tensorflow"),
    "scikit-learn": ("sklearn",),
}
"""What must be importable for each."""


class Contestant(NamedTuple):
    """`epoch(number)` trains an epoch and gives its mean loss, `scores(x)` the classes' scores of rows.

    `parameters` are those that are trained. `facts` is what a contestant tells of itself besides.
    """

    epoch: Callable[[int], float]
    scores: Callable[[Any], Any]
    parameters: int
    facts: dict[str, Any] = {}


def suits(name, workload) -> bool:
    """Whether a framework has such networks: scikit-learn's have dense layers alone."""
    return name != "scikit-learn" or all(layer.type == "dense" for layer in connected(workload.layers))


def begin(name, workload, x, y, threads) -> Contestant:
    """Make the contestant of that name."""
    return import_module(f"peers.{MODULES[name]}").begin(workload, x, y, threads)
