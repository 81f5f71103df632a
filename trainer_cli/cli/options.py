"""Options that several commands share, and what they have in common: the config in, its problems placed and told."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeAlias

from trainer_cli.cli.declared import Argument, Misuse, Option
from trainer_cli.errors import ConfigError, Problem
from trainer_cli.lazy import import_numpy

if TYPE_CHECKING:
    from trainer_cli.config.load import LoadedConfig
    from trainer_cli.config.source import SourceTree


class Target(StrEnum):
    """What runs the network: native code, or NumPy in float64 as the definition of what is right."""

    CPU = "cpu"
    REFERENCE = "reference"


class Progress(StrEnum):
    """How progress is shown."""

    AUTO = "auto"
    PLAIN = "plain"
    RICH = "rich"
    NONE = "none"


class Part(StrEnum):
    """A part of the data."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


ConfigArgument: TypeAlias = Annotated[
    Path | None, Argument(metavar="CONFIG", show_default=False, help="The YAML file.")
]
ConfigOption: TypeAlias = Annotated[
    Path | None, Option("--config", metavar="FILE", help="The YAML file, instead of as an argument.")
]
ModelArgument: TypeAlias = Annotated[
    Path | None,
    Argument(
        metavar="MODEL",
        show_default=False,
        help="A run directory or a checkpoint; or a config, whose newest run (or --weights) is taken.",
    ),
]
DataOption: TypeAlias = Annotated[
    Path | None, Option("--data", metavar="FILE", help="Rows of a new file, instead of the config's data.")
]
PartOption: TypeAlias = Annotated[
    Part | None,
    Option("--part", help="Rows of a part of the config's data [default: test, else validation, else train]."),
]
SetOption: TypeAlias = Annotated[
    list[str] | None,
    Option(
        "--set",
        metavar="PATH=VALUE",
        help="Override a key of the config, e.g. --set optimizer.learning_rate=1e-2 or "
        "--set 'architecture[0].units=32'; VALUE is YAML. May be given several times.",
    ),
]
RunDirectoryOption: TypeAlias = Annotated[
    Path | None,
    Option("--run-dir", metavar="FOLDER", help="Where the run's files go [default: runs/<name>/<UTC time>]."),
]
ThreadsOption: TypeAlias = Annotated[
    int | None,
    Option(
        "--threads", min=1, metavar="N", help="Threads at most [default: all cores]; any number gives the same bits."
    ),
]
TargetOption: TypeAlias = Annotated[
    Target, Option("--target", help="cpu: compiled native code; reference: NumPy in float64, slow.")
]
WeightsOption: TypeAlias = Annotated[
    Path | None,
    Option(
        "--weights",
        metavar="FILE",
        help="Weights by name, <layer>/<weight>: a checkpoint, a run directory or any safetensors file.",
    ),
]
JsonOption: TypeAlias = Annotated[bool, Option("--json", help="Machine-readable output on stdout.")]
ProgressOption: TypeAlias = Annotated[
    Progress, Option("--progress", help="auto: a live table and bar on a terminal, plain lines elsewhere.")
]
StrictOption: TypeAlias = Annotated[bool, Option("--strict", help="Treat warnings as errors.")]
QuietOption: TypeAlias = Annotated[bool, Option("--quiet", "-q", help="Only results, warnings and errors.")]


def chosen(argument: Path | None, option: Path | None, what: str = "config") -> Path:
    """The file that was given as an argument or with `--config`; exactly one of the two."""
    if argument is not None and option is not None and argument != option:
        raise Misuse(f"two files were given, `{argument}` and `{option}`", param_hint="--config")
    path = argument or option
    if path is None:
        raise Misuse(f"give the {what}: a YAML file", param_hint="CONFIG")
    return path


class ChosenModel(NamedTuple):
    """Which model the user named: a file or folder of weights, a config, or both."""

    path: Path | None
    config: Path | None
    overrides: tuple[str, ...]

    def load(self) -> tuple[Path, LoadedConfig | None]:
        """Where the weights are, and the config that is to replace theirs. Raises ConfigError."""
        from trainer_cli.config.load import load
        from trainer_cli.training.run_directory import latest_run

        loaded = load(self.config, self.overrides) if self.config else None
        if self.path is not None:
            return self.path, loaded
        assert loaded is not None
        return latest_run(loaded.config.name), loaded

    def describe(self, path: Path) -> str:
        return f"{self.config} with the weights of {path}" if self.config else str(path)


def choose_model(
    model: Path | None, config: Path | None, weights: Path | None, overrides: Sequence[str] | None
) -> ChosenModel:
    """The model that arguments and options name: `MODEL` is a config if it is a YAML file."""
    if model is not None and model.suffix.lower() in (".yaml", ".yml") and not model.is_dir():
        model, config = None, chosen(model, config)
    if model is not None and weights is not None and model != weights:
        raise Misuse(f"weights are in `{model}` already", param_hint="--weights")
    path = model or weights
    if path is None and config is None:
        raise Misuse("give a run directory, a checkpoint or a config", param_hint="MODEL")
    if config is None and overrides:
        config = path / "config.yaml" if path is not None else None
        if config is None or not config.is_file():
            raise Misuse("a checkpoint's config is as it is; give a config too", param_hint="--set")
    return ChosenModel(path, config, tuple(overrides or ()))


def placed(problems: Iterable[Problem], source: SourceTree) -> list[Problem]:
    """The problems with the lines and columns of the keys that they are about."""
    return [
        problem if problem.place or not problem.path else problem.at(source.place(problem.path)) for problem in problems
    ]


@contextmanager
def places_from(source: SourceTree | None) -> Iterator[None]:
    """Give the problems of a ConfigError raised within, long after the text was read, their lines and columns."""
    try:
        yield
    except ConfigError as error:
        if source is None:
            raise
        raise ConfigError(placed(error.problems, source), hint=error.hint) from error


def begin_work() -> None:
    """Collect garbage again, which `main` stopped while modules are imported, and never look at those objects.

    Until training begins, what follows makes some 50,000 objects too and little garbage: at Python's own threshold of
    700 new ones they would be looked through sixty times, which takes 13 ms. Called when a config is known to be right:
    one with mistakes needs no NumPy.
    """
    import_numpy()
    gc.freeze()
    gc.set_threshold(100_000)
    gc.enable()


def say(lines: Iterable[str], *, quiet: bool = False) -> None:
    """Messages go to stderr: stdout is for data."""
    if not quiet:
        for line in lines:
            print(line, file=sys.stderr, flush=True)


def warn(problems: Sequence[Problem]) -> None:
    """Show warnings."""
    from trainer_cli.reports import text

    say(text.warning(problem) for problem in problems)
