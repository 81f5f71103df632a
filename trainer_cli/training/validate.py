"""A config file in; everything that is wrong or doubtful about it, found without training, out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from trainer_cli.compiler.program import InputSpec
from trainer_cli.compiler.trace import declared_input, nodes_of
from trainer_cli.config.load import LoadedConfig, load
from trainer_cli.config.schema import phase_count, phase_settings
from trainer_cli.data.source import Signature
from trainer_cli.errors import ConfigError, DataError, Problem, ResourceError
from trainer_cli.training.compiled import check_compiled
from trainer_cli.training.data_cache import data_cache
from trainer_cli.training.memory import check_memory
from trainer_cli.training.preparation import compile_phases, input_specs, phase_path, weighed

if TYPE_CHECKING:
    from trainer_cli.data.prepare import Dataset


@dataclass
class Validation:
    """What a check found. `problems` make the config unusable, `warnings` are doubts, `notes` say what was left out."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    exit_code: int = 0

    @property
    def ok(self) -> bool:
        return self.exit_code == 0


def validate(
    path: Path,
    overrides: Sequence[str] = (),
    *,
    environ: Mapping[str, str] = os.environ,
    read_data: bool = False,
    strict: bool = False,
) -> Validation:
    """Check schema, shapes, the agreement of loss and output, and monitored names, for every phase.

    Shapes need the input's shape: from the data's header if the file is there, else from an `input` layer. With
    `read_data` the data is read and encoded as `fit` would do it, and a missing file is an error. With `strict`
    warnings are problems.
    """
    try:
        loaded = load(path, overrides, environ)
    except ConfigError as error:
        return Validation(problems=list(error.problems), exit_code=error.exit_code)
    found = check(loaded, read_data=read_data)
    if strict:
        found.problems += found.warnings
        found.warnings = []
    if found.problems and found.ok:
        found.exit_code = ConfigError.exit_code
    return found


def check(loaded: LoadedConfig, *, read_data: bool = False) -> Validation:
    """Check a config that was loaded; problems and warnings carry their places."""
    found = Validation()
    try:
        _check_phases(loaded, read_data, found)
    except DataError as error:
        found.problems.append(Problem(error.message, ("data",), error.hint))
        found.exit_code = error.exit_code
    except ConfigError as error:
        found.problems += error.problems
    for problems in (found.problems, found.warnings):
        placed = [problem if problem.place else problem.at(loaded.source.place(problem.path)) for problem in problems]
        problems[:] = dict.fromkeys(placed)  # phases share an architecture, and so its problems
    if found.problems and found.ok:
        found.exit_code = ConfigError.exit_code
    return found


def _check_phases(loaded: LoadedConfig, read_data: bool, found: Validation) -> None:
    config = loaded.config
    for position in range(phase_count(config)):
        setting = phase_settings(config, position)
        try:
            check_compiled(setting.optimizer, setting.loss, config, phase_path(config, position))
        except ConfigError as error:
            found.notes += [problem.message for problem in error.problems if problem.message not in found.notes]
    specs = known_inputs(loaded, read_data=read_data)
    if specs is None:
        found.notes.append(f"shapes were not checked: {unknown_input_reason(loaded)}")
        return
    has_validation = config.data is None or config.data.has_validation
    programs = compile_phases(config, specs, has_validation, _signature(loaded, read_data))
    for position, program in enumerate(programs):
        found.warnings += program.warnings
        try:
            check_memory(program, phase_settings(config, position).fit.batch_size)
        except ResourceError as error:
            # The machine that checks a config need not be the one that trains.
            found.warnings.append(Problem(error.message, ("architecture",), error.hint))
    if read_data and config.data is not None:
        from trainer_cli.data.prepare import prepare

        datasets: dict[object, Dataset] = {}
        for program in programs:
            key = tuple(program.targets.items())
            if key not in datasets:
                datasets[key] = prepare(
                    config.data, loaded.folder, program.targets, config.seed, program.tokens, data_cache(config.data)
                )
            weighed(datasets[key], program)


def known_inputs(loaded: LoadedConfig, *, read_data: bool = False) -> dict[str, InputSpec] | None:
    """The model's inputs as far as they can be known without reading the data: from its header, or `input` layers.

    None if neither tells. Raises DataError if the header is damaged, and with `read_data` if it is not there, and
    ConfigError for an architecture that cannot be.
    """
    signature = _signature(loaded, read_data)
    if signature is not None:
        return input_specs(signature)
    nodes = nodes_of(loaded.config.architecture)
    declared = {name: declared_input(nodes, name) for name in nodes.inputs}
    known = {name: spec for name, spec in declared.items() if spec is not None}
    return known if len(known) == len(declared) else None


def _signature(loaded: LoadedConfig, read_data: bool) -> Signature | None:
    """What the data's headers tell; None without data, or while its files are not there and need not be."""
    source = loaded.config.data
    if source is None or (_missing_files(loaded) and not read_data):
        return None
    return source.signature(loaded.folder)


def _missing_files(loaded: LoadedConfig) -> list[Path]:
    source = loaded.config.data
    return [] if source is None else source.absent(loaded.folder)


def unknown_input_reason(loaded: LoadedConfig) -> str:
    """Why `known_input` gave nothing."""
    missing = _missing_files(loaded)
    if missing:
        return f"{missing[0]} is not there, and no `input` layer says the shape"
    return "there is no `data`, and no `input` layer says the shape"
