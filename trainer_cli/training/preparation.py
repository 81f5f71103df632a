"""A config and its folder in; its data and one program per phase out, all checked before the first step is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from trainer_cli.compiler.bind import VALIDATION
from trainer_cli.compiler.program import InputSpec, Program, build_program
from trainer_cli.config.load import LoadedConfig
from trainer_cli.config.schema import Config, Fit, PhaseSettings, phase_count, phase_settings
from trainer_cli.data.source import Signature
from trainer_cli.errors import ConfigError, Problem
from trainer_cli.parts.numerics import Numerics
from trainer_cli.parts.optimizer import Optimizer
from trainer_cli.training.compiled import check_compiled
from trainer_cli.training.data_cache import data_cache
from trainer_cli.training.memory import check_memory
from trainer_cli.training.monitor import Direction, check_monitors, default_monitor, direction
from trainer_cli.training.plateau import misfit

if TYPE_CHECKING:
    from trainer_cli.data.encoding import Encoding
    from trainer_cli.data.prepare import Dataset
    from trainer_cli.data.source import Split
    from trainer_cli.data.targets import TargetSpec


class PhasePlan(NamedTuple):
    """All that is known of a phase before it starts."""

    position: int  # counted from 0
    name: str | None  # None where the config has no phases
    optimizer: Optimizer
    loss: Any  # as plain values, for comparison
    fit: Fit
    program: Program
    dataset: Dataset
    monitor: str  # of the `best` checkpoint
    directions: Mapping[str, Direction]
    numerics: Numerics = "keras"

    @property
    def best_mode(self) -> Direction:
        return direction(self.monitor, self.fit.checkpoint.mode, self.directions)


def plan_phases(config: Config, folder: Path) -> list[PhasePlan]:
    """Compile every phase and read the data; raises ConfigError with the problems of all phases, or DataError.

    Programs come first, from the files' headers, so that no large file is read for a config that cannot work.
    """
    from trainer_cli.data.prepare import prepare

    settings = [phase_settings(config, position) for position in range(phase_count(config))]
    for setting in settings:
        check_compiled(setting.optimizer, setting.loss, config, phase_path(config, setting.position))
    if config.data is None:
        raise ConfigError(
            [
                Problem(
                    "there is no `data` to train on", hint="add to the config:\ndata: {type: csv, path: …, target: …}"
                )
            ]
        )
    signature = config.data.signature(folder)
    programs = compile_phases(config, input_specs(signature), config.data.has_validation, signature)
    for setting, program in zip(settings, programs, strict=True):
        check_memory(program, setting.fit.batch_size)
    datasets: dict[tuple[tuple[str, TargetSpec], ...], Dataset] = {}
    plans = []
    for setting, program in zip(settings, programs, strict=True):
        key = tuple(program.targets.items())
        if key not in datasets:
            datasets[key] = prepare(
                config.data, folder, program.targets, config.seed, program.tokens, data_cache(config.data)
            )
        dataset = weighed(datasets[key], program)
        found, scalings = specs_in_memory(dataset.train, dataset.encoding), dataset.encoding.target_scalings
        if found != program.inputs or scalings:
            program = build_program(config, found, phase=setting.position, scalings=scalings)
        plans.append(_plan(config, setting, program, dataset))
    return plans


def weighed(dataset: Dataset, program: Program) -> Dataset:
    """The data with the weights of classes on its training rows. Raises ConfigError for unknown classes."""
    from trainer_cli.data.weighting import with_class_weights

    train = with_class_weights(dataset.train, program.class_weights, dataset.encoding.targets)
    return replace(dataset, train=train)


def compile_phases(
    config: Config, inputs: Mapping[str, InputSpec], has_validation: bool, signature: Signature | None = None
) -> list[Program]:
    """One program per phase; raises ConfigError with the problems of all of them, monitored names included.

    With the signature of the data, it is asked for the targets that the losses need.
    """
    from trainer_cli.data.targets import check_targets

    programs: list[Program] = []
    problems: list[Problem] = []
    for position in range(phase_count(config)):
        try:
            program = build_program(config, inputs, phase=position)
            if signature is not None:
                check_targets(program.targets, signature.targets)
        except ConfigError as error:
            problems += [_in_phase(problem, config, position) for problem in error.problems]
            continue
        programs.append(program)
        keys = [*program.losses, *(bound.key for bound in program.metrics)]
        path = (*phase_path(config, position), "fit")
        fit = phase_settings(config, position).fit
        problems += check_monitors(fit, keys, has_validation, path)
        unreducible = misfit(fit.reduce_learning_rate_on_plateau, program.optimizer, path)
        problems += [] if unreducible is None else [unreducible]
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))  # phases share an architecture, and so its problems
    return programs


def _in_phase(problem: Problem, config: Config, position: int) -> Problem:
    """A problem of a key that the phase gives itself stands there, and not at the config's key of that name."""
    own = config.phases[position].model_fields_set if config.phases else set()
    return problem.under("phases", position) if problem.path and problem.path[0] in own else problem


def phase_path(config: Config, position: int) -> tuple[str | int, ...]:
    """Where a phase's own settings stand in the config."""
    return ("phases", position) if config.phases else ()


def with_more_epochs(loaded: LoadedConfig, epochs: int) -> LoadedConfig:
    """The config with a last phase that trains for so many epochs more."""
    config = loaded.config
    last = phase_count(config) - 1
    total = phase_settings(config, last).fit.epochs + epochs
    if config.phases:
        phase = config.phases[last]
        section = phase.fit.model_copy(update={"epochs": total}) if phase.fit is not None else Fit(epochs=total)
        phases = [*config.phases[:last], phase.model_copy(update={"fit": section})]
        config = config.model_copy(update={"phases": phases})
    else:
        config = config.model_copy(update={"fit": config.fit.model_copy(update={"epochs": total})})
    return loaded._replace(config=config)


def input_specs(signature: Signature) -> dict[str, InputSpec]:
    """The inputs as the headers of the files announce them."""
    return {name: InputSpec(*given) for name, given in signature.inputs.items()}


def specs_in_memory(split: Split, encoding: Encoding) -> dict[str, InputSpec]:
    """The inputs as a program finds them in memory."""
    return {
        name: InputSpec(values.shape[1:], values.dtype.name, encoding.inputs[name].input_scale)
        for name, values in split.inputs.items()
    }


def losses_as_json(program: Program) -> Any:
    """The losses as plain values, by output if there are several."""
    losses = {
        name: None if output.loss is None else output.loss.model_dump(mode="json")
        for name, output in program.outputs.items()
    }
    return losses if len(losses) > 1 else next(iter(losses.values()))


def _compared(program: Program, monitor: str) -> Any:
    """What must stay the same for two values of a monitored key to compare: the losses, and what weighs them."""
    losses = losses_as_json(program)
    weights = {name: given for name, (given, _) in program.class_weights.items()}
    return {"loss": losses, "class_weight": weights} if weights and not monitor.startswith(VALIDATION) else losses


def _plan(config: Config, setting: PhaseSettings, program: Program, dataset: Dataset) -> PhasePlan:
    assert program.optimizer is not None
    monitor = setting.fit.checkpoint.monitor or default_monitor(dataset.validation is not None)
    return PhasePlan(
        position=setting.position,
        name=setting.name if config.phases else None,
        optimizer=program.optimizer,
        loss=_compared(program, monitor),
        fit=setting.fit,
        program=program,
        dataset=dataset,
        monitor=monitor,
        directions={bound.key: bound.metric.direction for bound in program.metrics},
        numerics=config.numerics,
    )
