"""A loaded config in; its layers, sizes, costs per step and generated source out, without training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trainer_cli.compiler.program import Program, build_program
from trainer_cli.compiler.trace import LayerRow
from trainer_cli.config.load import LoadedConfig
from trainer_cli.config.schema import phase_count, phase_settings
from trainer_cli.errors import ConfigError, DataError, Problem
from trainer_cli.targets import open_target
from trainer_cli.training.memory import check_memory
from trainer_cli.training.validate import known_inputs, unknown_input_reason


@dataclass(frozen=True)
class Compilation:
    """What the compiler made of one phase of a config.

    `description` is the target's: FLOPs and bytes per step, regions, barriers, arena. `source` is what it generated;
    empty on the reference target.
    """

    name: str
    phase: str
    layers: list[LayerRow]
    parameters: int
    trainable_parameters: int
    batch_size: int
    optimizer: str | None
    loss: str | None
    warnings: list[Problem] = field(default_factory=list)
    description: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""


def compile_phase(
    loaded: LoadedConfig, *, phase: int = 0, target: str = "cpu", threads: int | None = None
) -> Compilation:
    """Compile one phase (counted from 0) for a target; raises ConfigError, or DataError if shapes are not known."""
    config = loaded.config
    if not 0 <= phase < phase_count(config):
        raise ConfigError(f"the config has {phase_count(config)} phase(s), there is no phase {phase + 1}")
    settings = phase_settings(config, phase)
    program = model_program(loaded, phase)
    check_memory(program, settings.fit.batch_size)
    executable = open_target(target, threads=threads).compile(program, batch_size=settings.fit.batch_size)
    return Compilation(
        name=config.name,
        phase=settings.name,
        layers=program.layers,
        parameters=program.parameters,
        trainable_parameters=sum(program.weights[name].size for name in program.trainable_weights),
        batch_size=settings.fit.batch_size,
        optimizer=program.optimizer.type if program.optimizer else None,
        loss=", ".join(output.loss.type for output in program.outputs.values() if output.loss) or None,
        warnings=program.warnings,
        description=executable.description,
        source=executable.source,
    )


def model_program(loaded: LoadedConfig, phase: int = 0) -> Program:
    """The program of one phase, from what is known without reading the data. Raises DataError if that is too little."""
    specs = known_inputs(loaded)
    if specs is None:
        raise DataError(
            f"the shape of the model's input is not known: {unknown_input_reason(loaded)}",
            hint="begin the architecture with {type: input, shape: [...]}, or provide the data",
        )
    return build_program(loaded.config, specs, phase=phase)
