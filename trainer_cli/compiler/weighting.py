"""The class weights of a phase and what its losses take in; the weights of each output that has any out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trainer_cli.compiler.bind import Objective, Path
from trainer_cli.config.schema import PhaseSettings
from trainer_cli.data.weighting import ClassWeights
from trainer_cli.errors import ConfigError, Problem
from trainer_cli.parts.loss import Prediction


def class_weights(
    settings: PhaseSettings, predictions: Mapping[str, Prediction], objectives: Sequence[Objective]
) -> dict[str, tuple[ClassWeights, Path]]:
    """The weights with their places in the config, by the names of outputs.

    One mapping is meant for all outputs. An empty one, as a phase gives it, stands for no weights. Raises ConfigError
    where an output has no loss or its loss knows no classes.
    """
    given = settings.class_weight
    if not given:
        return {}
    found: dict[str, tuple[ClassWeights, Path]] = {}
    problems = []
    by_name = {objective.output: objective for objective in objectives}
    for name, weights, path in _by_output(given, list(predictions)):
        if name not in by_name:
            hint = f"outputs with a loss: {', '.join(by_name)}" if by_name else "give the model a `loss`"
            problems.append(Problem(f"there is no output `{name}` with a loss", path, hint))
            continue
        misfit = _misfit(by_name[name], predictions[name], weights)
        if misfit is not None:
            problems.append(Problem(misfit, path))
        elif weights:
            found[name] = weights, path
    if problems:
        raise ConfigError(problems)
    return found


def _by_output(
    given: ClassWeights | Mapping[str, ClassWeights], outputs: Sequence[str]
) -> list[tuple[str, ClassWeights, Path]]:
    if isinstance(given, str):
        return [(name, given, ("class_weight",)) for name in outputs]
    numbers = {name: each for name, each in given.items() if isinstance(each, float | int)}
    if len(numbers) == len(given):
        return [(name, numbers, ("class_weight",)) for name in outputs]
    return [(name, each, ("class_weight", name)) for name, each in given.items() if not isinstance(each, float | int)]


def _misfit(objective: Objective, prediction: Prediction, weights: ClassWeights) -> str | None:
    """Why the rows of an output have no classes that could be weighted."""
    loss, of_output = objective.loss, f"the loss of the output `{objective.output}`"
    if not loss.aligned:
        return f"classes have weights, but `{loss.type}` is of several classes at once"
    if loss.target == "values":
        return f"classes have weights, but {of_output}, `{loss.type}`, takes numbers for targets, not classes"
    if loss.target == "binary" and prediction.value.shape[-1] != 1:
        return f"classes have weights, but under `{loss.type}` every unit of the output is a yes or no of its own"
    if loss.relates_places and prediction.value.rank > 2:
        return f"classes have weights, but `{loss.type}` is of all places of a row at once, which differ in class"
    if weights == "balanced" and getattr(loss, "ignore_class", None) is not None:
        return "`balanced` would count the ignored class; give weights by class"
    if weights == "balanced" and prediction.mask is not None and prediction.mask.rank == prediction.value.rank - 1:
        return "`balanced` would count the padding among the classes; give weights by class"
    return None
