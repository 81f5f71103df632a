"""The bind pass: a traced model, a loss and metrics in, the graph with the loss and the sums of every metric out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from trainer_cli.compiler.trace import Trace
from trainer_cli.errors import ConfigError, Problem
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.ir.primitive import IRError
from trainer_cli.parts.loss import Finding, Loss, TargetForm
from trainer_cli.parts.metric import Metric

TARGET = "target"
LOSS_TOTAL = "loss"

RESERVED = frozenset({LOSS_TOTAL, "phase", "epoch", "steps", "seconds", "learning_rate"})
VALIDATION = "val_"
"""Keys in the line of an epoch that no metric may have, and how those of validation begin."""


class BoundMetric(NamedTuple):
    """A metric with its key in tables and files, and the names of the totals that hold its statistics."""

    key: str
    metric: Metric
    totals: dict[str, str]


class Binding(NamedTuple):
    """`mean_loss`: the scalar to minimise; `totals`: sums over the batch by name; `warnings`: doubtful pairings."""

    mean_loss: Value
    totals: dict[str, Value]
    metrics: list[BoundMetric]
    warnings: list[Problem]


def bind(trace: Trace, loss: Loss, metrics: Sequence[Metric]) -> Binding:
    """Write the loss and the statistics of the metrics behind the prediction.

    The total named `loss` is the sum over the samples, the regularization counted once per sample, so that its
    quotient by the number of samples is the epoch's loss. Raises ConfigError for pairings that cannot work.
    """
    graph, prediction = trace.graph, trace.prediction
    warnings = _judge(loss.findings(prediction), ("loss",))
    target = _target(trace, loss.target)
    with graph.layer("loss"):
        try:
            per_sample = loss.per_sample(target, prediction)
        except IRError as error:
            shape = prediction.value.shape[1:]
            message = f"{loss.type} does not fit an output of shape {shape}"
            raise ConfigError([Problem(message, ("loss",), str(error).split(": ")[-1])]) from error
        total = ir.reduce_sum(per_sample)
        mean = total / graph.batch_size()
        for spec in trace.weights.values():
            # As in Keras, weights that are not trained have no penalty.
            if spec.regularizer is not None and spec.trainable:
                penalty = spec.regularizer.penalty(graph.weight(spec.name, spec.shape))
                total = total + penalty * graph.batch_size()
                mean = mean + penalty
    totals = {LOSS_TOTAL: total}
    bound: list[BoundMetric] = []
    for index, given in enumerate(metrics):
        metric = given.resolve(loss, prediction)
        warnings += _judge(metric.findings(loss.target, prediction), ("metrics", index))
        key = _key(given, {known.key for known in bound}, ("metrics", index, "name"))
        with graph.layer(key):
            try:
                statistics = metric.statistics(target, prediction, loss.target)
            except IRError as error:
                shape = prediction.value.shape[1:]
                message = f"{metric.type} does not fit an output of shape {shape}"
                raise ConfigError([Problem(message, ("metrics", index), str(error).split(": ")[-1])]) from error
        names = {name: f"{key}/{name}" for name in statistics}
        totals.update({names[name]: value for name, value in statistics.items()})
        bound.append(BoundMetric(key, metric, names))
    for name, value in totals.items():
        if value.batched or value.dtype != "float":
            raise IRError(f"the statistic {name} must be a float sum over the batch, not {value!r}")
    return Binding(mean, totals, bound, warnings)


def _key(metric: Metric, taken: set[str], path: tuple[str | int, ...]) -> str:
    """The name that the config gives, or the type, numbered where it stands twice."""
    if metric.name is not None:
        key = metric.name
        if key in taken:
            raise ConfigError([Problem(f"two metrics are called `{key}`", path, "give one another `name`")])
        if key in RESERVED or key.startswith(VALIDATION):
            message = f"a metric cannot be called `{key}`: the line of an epoch has another value of that name"
            raise ConfigError([Problem(message, path, "give it another `name`")])
        return key
    key, number = metric.type, 1
    while key in taken:
        number += 1
        key = f"{metric.type}_{number}"
    return key


def _target(trace: Trace, form: TargetForm) -> Value:
    shape = trace.prediction.value.shape
    if form == "labels":
        return trace.graph.input(TARGET, shape[:-1] if len(shape) > 1 else shape, "int")
    return trace.graph.input(TARGET, shape, "float")


def _judge(findings: Sequence[Finding], path: tuple[str | int, ...]) -> list[Problem]:
    """Doubtful findings as warnings; raises ConfigError for impossible ones."""
    problems = [(finding, Problem(finding.message, path, finding.hint)) for finding in findings]
    impossible = [problem for finding, problem in problems if finding.severity == "impossible"]
    if impossible:
        raise ConfigError(impossible)
    return [problem for _, problem in problems]
