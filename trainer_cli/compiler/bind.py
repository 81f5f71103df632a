"""The bind pass: a traced model, losses and metrics in, the graph with the loss and the sums of every metric out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from trainer_cli.compiler.restore import restored
from trainer_cli.compiler.trace import Trace
from trainer_cli.data.source import SAMPLE_WEIGHT, class_weight_name
from trainer_cli.data.target_scaling import TargetScaling
from trainer_cli.errors import ConfigError, Problem
from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import BATCH, Graph, Value
from trainer_cli.ir.primitive import IRError, Shape
from trainer_cli.parts.formulas import mean_per_sample, over_places
from trainer_cli.parts.loss import Finding, Loss, Prediction
from trainer_cli.parts.metric import Metric

TARGET = "target"
LOSS_TOTAL = "loss"

RESERVED = frozenset({LOSS_TOTAL, "phase", "epoch", "steps", "seconds", "learning_rate"})
VALIDATION = "val_"
"""Keys in the line of an epoch that no metric may have, and how those of validation begin."""

Path = tuple[str | int, ...]


class Objective(NamedTuple):
    """What is asked of one output: its loss with its weight in the sum, its metrics, and the places of both.

    `class_weighted`: in training, the data says how much each row or place counts by its class.
    """

    output: str
    loss: Loss
    weight: float
    metrics: Sequence[Metric]
    loss_path: Path
    metrics_path: Path
    class_weighted: bool = False
    scaling: TargetScaling | None = None  # metrics are in the units of the data, the loss in those trained on


class Counts(NamedTuple):
    """How much the places of an output count; None: all the same.

    `places`: 1, or 0 where a mask leaves out, in the shape of the output without its last axis; the mean of a loss is
    over these. `weights`: what the loss of a place is multiplied by, in the shape that the former's begins with.
    """

    places: Value | None = None
    weights: Value | None = None

    def together(self, prediction: Prediction) -> Value | None:
        """The product of both, in the shape of the output without its last axis."""
        if self.weights is None:
            return self.places
        shape = _places(prediction)
        wide = ir.broadcast_to(_with_axes(self.weights, len(shape)), shape)
        return wide if self.places is None else wide * self.places


class BoundMetric(NamedTuple):
    """A metric with its key in tables and files, and the names of the totals that hold its statistics."""

    key: str
    metric: Metric
    totals: dict[str, str]


class Binding(NamedTuple):
    """`mean_loss`: the scalar to minimise; `totals`: sums over the batch by name; `losses`: those of the outputs' own
    losses, by key, if there are several; `warnings`: doubtful pairings."""

    mean_loss: Value
    totals: dict[str, Value]
    losses: dict[str, str]
    metrics: list[BoundMetric]
    warnings: list[Problem]


def target_leaf(name: str) -> str:
    """What the graph calls a target, whose name is `target` or that of its output."""
    return name if name == TARGET else f"{TARGET}:{name}"


def bind(
    trace: Trace,
    objectives: Sequence[Objective],
    *,
    training: bool = False,
    sample_weights: bool = False,
    penalties: bool = True,
) -> Binding:
    """Write the losses and the statistics of the metrics behind the predictions.

    The total named `loss` is the mean over the batch times its rows, regularization included, so that its quotient by
    the number of samples is the epoch's loss; without `penalties` regularization is left out. Places that a mask leaves
    out count neither in the loss nor in a metric. `sample_weights`: the data has a number for each row that its loss is
    multiplied by. Weights of classes count in `training` alone. As in Keras, the mean is over the number of samples,
    not over the sum of the weights, and metrics heed the weights only if they are `weighted`. Raises ConfigError for
    pairings that cannot work.
    """
    graph, several = trace.graph, len(trace.predictions) > 1
    warnings: list[Problem] = []
    totals: dict[str, Value] = {}
    losses: dict[str, str] = {}
    targets: dict[str, Value] = {}
    counts: dict[str, Counts] = {}
    found: list[tuple[Value, Value]] = []
    for objective in objectives:
        name, loss = objective.output, objective.loss
        prediction = trace.predictions[name]
        warnings += _judge(loss.findings(prediction), objective.loss_path)
        targets[name] = _target(graph, target_leaf(name if several else TARGET), prediction, loss)
        with graph.layer("loss" if not several else f"{name}_loss"):
            by_row = graph.input(SAMPLE_WEIGHT, (BATCH,), "float") if sample_weights else None
            by_class = _class_weights(objective, prediction, several) if training and objective.class_weighted else None
            counts[name] = Counts(_mask(prediction), _product(by_row, by_class))
            total, mean = _mean(loss, targets[name], prediction, counts[name], objective.loss_path)
            if several:
                losses[f"{name}_loss"] = f"{name}_loss"
                totals[f"{name}_loss"] = total
            if objective.weight != 1.0:
                total, mean = total * objective.weight, mean * objective.weight
        found.append((total, mean))
    with graph.layer("loss"):
        total, mean = found[0]
        for further_total, further_mean in found[1:]:
            total, mean = total + further_total, mean + further_mean
        for penalty in [*_penalties(trace), *trace.losses] if penalties else ():
            total = total + penalty * graph.batch_size()
            mean = mean + penalty
    totals = {LOSS_TOTAL: total, **totals}
    bound: list[BoundMetric] = []
    for objective in objectives:
        name = objective.output
        prediction, prefix = trace.predictions[name], f"{name}_" if several else ""
        for index, given in enumerate(objective.metrics):
            path = (*objective.metrics_path, index)
            if not objective.loss.aligned:
                message = (
                    f"`{given.type}` compares targets place by place, and `{objective.loss.type}` has no such places"
                )
                raise ConfigError([Problem(message, path, "leave it out; the loss is shown")])
            metric = given.resolve(objective.loss, prediction)
            warnings += _judge(metric.findings(objective.loss.target, prediction), path)
            key = _key(given, prefix, {known.key for known in bound} | set(losses), path)
            with graph.layer(key):
                try:
                    form = objective.loss.target
                    counted = counts[name].together(prediction) if given.weighted else counts[name].places
                    true, answer = _in_units(targets[name], prediction, objective.scaling)
                    statistics = metric.statistics(true, answer, form, counted)
                except IRError as error:
                    message = f"{metric.type} does not fit an output of shape {prediction.value.shape[1:]}"
                    raise ConfigError([Problem(message, path, str(error).split(": ")[-1])]) from error
            names = {statistic: f"{key}/{statistic}" for statistic in statistics}
            totals.update({names[statistic]: value for statistic, value in statistics.items()})
            bound.append(BoundMetric(key, metric, names))
    for name, value in totals.items():
        if value.batched or value.dtype != "float":
            raise IRError(f"the statistic {name} must be a float sum over the batch, not {value!r}")
    return Binding(mean, totals, losses, bound, warnings)


def _penalties(trace: Trace) -> Iterator[Value]:
    """Those of the weights. As in Keras, weights that are not trained have none."""
    for spec in trace.weights.values():
        if spec.regularizer is not None and spec.trainable:
            yield spec.regularizer.penalty(trace.graph.weight(spec.name, spec.shape))


def _in_units(target: Value, prediction: Prediction, scaling: TargetScaling | None) -> tuple[Value, Prediction]:
    """A target and its prediction as metrics see them."""
    if scaling is None:
        return target, prediction
    return restored(target, scaling), prediction._replace(value=restored(prediction.value, scaling), logits=None)


def _places(prediction: Prediction) -> Shape:
    """The shape of an output without its last axis."""
    return prediction.value.shape[:-1] or prediction.value.shape


def _class_weights(objective: Objective, prediction: Prediction, several: bool) -> Value:
    """What the data says of each place by its class."""
    name = class_weight_name(objective.output if several else TARGET)
    return prediction.value.graph.input(name, _places(prediction), "float")


def _product(by_row: Value | None, by_place: Value | None) -> Value | None:
    if by_row is None or by_place is None:
        return by_place if by_row is None else by_row
    return over_places(by_row, by_place) * by_place


def _mask(prediction: Prediction) -> Value | None:
    """1 at each place of an output that is no padding, in the shape of the output without its last axis."""
    mask, value = prediction.mask, prediction.value
    places = value.shape[:-1]
    if mask is None or mask.rank > len(places):
        return None
    weights = ir.cast(mask, "float")
    return weights if mask.rank == len(places) else ir.broadcast_to(_with_axes(weights, len(places)), places)


def _with_axes(x: Value, rank: int) -> Value:
    return ir.reshape(x, (*x.shape, *(1,) * (rank - x.rank)))


def _mean(loss: Loss, target: Value, prediction: Prediction, counts: Counts, path: Path) -> tuple[Value, Value]:
    """A loss's mean over the batch, or what its `reduction` makes of it: times the rows, and as it is."""
    graph = target.graph
    if loss.reduction in ("sum", "mean_with_sample_weight") and loss.relates_rows(prediction.value.rank):
        message = f"`{loss.type}` is one number for all rows of a batch, of which there is no `{loss.reduction}`"
        raise ConfigError([Problem(message, (*path, "reduction"), "leave it out")])
    try:
        places = loss.per_place(target, prediction)
    except IRError as error:
        message = f"{loss.type} does not fit an output of shape {prediction.value.shape[1:]}"
        raise ConfigError([Problem(message, path, str(error).split(": ")[-1])]) from error
    if counts.weights is not None:
        places = places * over_places(counts.weights, places)
    counted = None if loss.relates_places else _product(counts.places, loss.counted(target))
    divisor = counted
    if loss.reduction == "mean_with_sample_weight":
        divisor = _product(counts.weights, counted)
    if loss.reduction != "sum" and divisor is None:
        total = ir.reduce_sum(mean_per_sample(places))
        return total, total / graph.batch_size()
    summed = ir.reduce_sum(places if counted is None else places * over_places(counted, places))
    if loss.reduction == "sum" or divisor is None:
        return summed * graph.batch_size(), summed
    # As in Keras, the mean is over the places of all samples together, so that long sequences count for more.
    count = ir.reduce_sum(over_places(divisor, places))
    present = ir.greater(count, 0.0)
    mean = ir.select(present, summed / ir.select(present, count, 1.0), 0.0)
    return mean * graph.batch_size(), mean


def _key(metric: Metric, prefix: str, taken: set[str], path: Path) -> str:
    """The name that the config gives, or the type behind the output's name, numbered where it stands twice."""
    if metric.name is not None:
        key = metric.name
        if key in taken:
            raise ConfigError([Problem(f"two metrics are called `{key}`", (*path, "name"), "give one another `name`")])
        if key in RESERVED or key.startswith(VALIDATION):
            message = f"a metric cannot be called `{key}`: the line of an epoch has another value of that name"
            raise ConfigError([Problem(message, (*path, "name"), "give it another `name`")])
        return key
    kind = f"weighted_{metric.type}" if metric.weighted else metric.type
    key, number = prefix + kind, 1
    while key in taken:
        number += 1
        key = f"{prefix}{kind}_{number}"
    return key


def _target(graph: Graph, leaf: str, prediction: Prediction, loss: Loss) -> Value:
    batch, *row = prediction.value.shape
    shape = (batch, *loss.target_row(tuple(int(extent) for extent in row)))
    if loss.target == "labels":
        return graph.input(leaf, shape[:-1] if len(shape) > 1 else shape, "int")
    return graph.input(leaf, shape, "float")


def _judge(findings: Sequence[Finding], path: Path) -> list[Problem]:
    """Doubtful findings as warnings; raises ConfigError for impossible ones."""
    problems = [(finding, Problem(finding.message, path, finding.hint)) for finding in findings]
    impossible = [problem for finding, problem in problems if finding.severity == "impossible"]
    if impossible:
        raise ConfigError(impossible)
    return [problem for _, problem in problems]
