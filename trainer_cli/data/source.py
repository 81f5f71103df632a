"""The contract of a data source: a config's `data:` section in, a table of raw arrays (or only its signature) out.

A source knows one file format and nothing of training: it neither splits, scales nor encodes. That is `prepare`'s work.
"""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trainer_cli.data.files import matching
from trainer_cli.data.target_scaling import TargetMode
from trainer_cli.lazy import np
from trainer_cli.parts.families import SOURCES, PartField, Refusal, refusal
from trainer_cli.parts.part import Part

if TYPE_CHECKING:
    from trainer_cli.data.raw_column import RawColumn

INPUT = "input"
"""The input's name in sources that have one."""
TARGET = "target"
"""The target's name in sources that have one."""

SAMPLE_WEIGHT = "/sample_weight"
"""The name of the numbers that say how much each row counts; no input or target has a slash in its name."""


def class_weight_name(target: str) -> str:
    """The name of the numbers that say how much each row counts by its class of a target."""
    return f"/class_weight/{target}"


ScalingMode: TypeAlias = Literal["none", "unit", "standardize", "min_max"]
"""`none` leaves values alone, `unit` divides bytes by 255, `standardize` gives each feature mean 0 and deviation 1,
`min_max` gives each feature the range 0 to 1. Statistics come from the training split alone."""

SCALING = "how inputs are scaled: none, unit (divided by 255), standardize or min_max (per feature)"
"""The description of `scaling`, for sources with a default of their own."""

SAMPLE_WEIGHTS = "what says how much each row counts: its loss is multiplied by this number of at least 0"
"""The beginning of the description of `sample_weight`."""

BYTE_SCALE = 1.0 / 255.0

Missing: TypeAlias = Literal["refuse", "mean", "median", "zero", "indicator"]
"""What becomes of a cell that holds nothing: an error; the training rows' mean or median (of categories: the most
frequent); 0 (of categories: none); the mean, and a further number that tells that it is missing."""

PartName: TypeAlias = Literal["train", "validation", "test"]


class SplitSpec(BaseModel):
    """Which fractions of the rows are held out, and how: drawn by lot, class by class (`stratify`), in whole groups
    (`group`), or from the end of the time (`time`)."""

    # Validators are built when first used: most models are only inherited from, or part of another.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)

    validation: float = Field(default=0.0, ge=0.0, lt=1.0, description="fraction of the rows held out for validation")
    test: float = Field(default=0.0, ge=0.0, lt=1.0, description="fraction of the rows held out for the final test")
    stratify: bool = Field(default=False, description="give every part the same proportions of the classes")
    group: str | None = Field(
        default=None, min_length=1, description="the column of a group: all rows of one value are in the same part"
    )
    time: str | None = Field(
        default=None,
        min_length=1,
        description="the column of a time: the last rows are tested on, those before them validated on",
    )

    @property
    def column(self) -> str | None:
        """The column that decides which rows are held out."""
        return self.group if self.group is not None else self.time

    @model_validator(mode="after")
    def _leave_rows_to_train_on(self) -> Self:
        chosen = [name for name in ("stratify", "group", "time") if getattr(self, name)]
        if len(chosen) > 1:
            message = f"rows are held out in one way, and both `{chosen[0]}` and `{chosen[1]}` are given"
            raise refusal([Refusal("split_twice", message, "leave one of them out", (chosen[1],))])
        if self.column is not None and not self.validation + self.test:
            message = f"`{chosen[0]}` says how rows are held out, and none are"
            raise refusal([Refusal("split_of_nothing", message, "give `validation` or `test`", (chosen[0],))])
        if self.validation + self.test >= 1.0:
            message = f"validation ({self.validation:g}) and test ({self.test:g}) leave no rows to train on"
            raise refusal([Refusal("split_too_large", message, "their sum must be below 1")])
        return self


class InputSignature(NamedTuple):
    """One input as the model will see it: the shape of a row, the element type in memory ("float32", "uint8" or
    "int32") and what elements are multiplied by when a batch is gathered."""

    shape: tuple[int, ...]
    dtype: str = "float32"
    scale: float = 1.0


def input_signature(shape: tuple[int, ...], dtype: str, scaling: ScalingMode) -> InputSignature:
    """The signature of rows that a source reads as `dtype`. Bytes stay bytes unless their scaling is per feature."""
    if dtype != "uint8" or scaling in ("standardize", "min_max"):
        return InputSignature(shape)
    return InputSignature(shape, "uint8", BYTE_SCALE if scaling == "unit" else 1.0)


class Signature(NamedTuple):
    """What the headers of the files tell: the inputs by name, and the target's column names (empty: no target)."""

    inputs: dict[str, InputSignature]
    targets: tuple[str, ...] = ()


class Origin(NamedTuple):
    """Where the rows of a table come from, for messages: the file, and how its rows are counted there.

    `names`: every row has a file of its own. `pieces`: the rows come from several files, each with the number of its
    first row here.
    """

    file: str
    word: str = "row"
    first: int = 0
    lines: np.ndarray | None = None
    names: Sequence[str] | None = None
    pieces: tuple[tuple[int, Origin], ...] = ()

    def at(self, row: int) -> str:
        """`data/iris.csv, line 12`."""
        if self.names is not None:
            return self.names[row]
        if self.pieces:
            begin, origin = self.pieces[bisect_right(self.pieces, row, key=lambda piece: piece[0]) - 1]
            return origin.at(row - begin)
        number = self.first + row if self.lines is None else int(self.lines[row])
        return f"{self.file}, {self.word} {number}"


def joined(origins: Sequence[tuple[int, Origin]]) -> Origin:
    """The origin of the rows of several files one after the other, given with the files' numbers of rows."""
    if len(origins) == 1:
        return origins[0][1]
    files = dict.fromkeys(origin.file for _, origin in origins)
    pieces, total = [], 0
    for rows, origin in origins:
        pieces.append((total, origin))
        total += rows
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return Origin(f"{origins[0][1].file}{more}", pieces=tuple(pieces))


class Words(NamedTuple):
    """What the codes of an input of tokens stand for, and how many tokens (padding and unknown among them) are to be
    told apart at most; `vocabulary`: the tokens from number 2 on, where the config gives them."""

    names: Sequence[str]
    most: int | None = None
    vocabulary: tuple[str, ...] | None = None


class InputArray(NamedTuple):
    """All rows of one input, rows first: finite floats, uint8 or whole numbers; `features` are its columns' names.

    `whole`: the elements are whole numbers such as tokens, which are never scaled; `tokens`: how many different ones
    there can be, where the source knows. With `words` they are codes of tokens that are given as text, -1 for padding.
    `columns`: these are to be encoded column by column, and NaN is a missing value.
    """

    values: np.ndarray
    origin: Origin
    features: tuple[str, ...] | None = None
    whole: bool = False
    tokens: int | None = None
    words: Words | None = None
    columns: tuple[RawColumn, ...] | None = None


class TargetArray(NamedTuple):
    """All rows of one target: finite numbers or text, `(rows,)` or `(rows, …)`.

    `columns` are its names in the file; `named`: a place in a row is a column of the file. `classes`: what the class
    numbers stand for, where the source knows.
    """

    values: np.ndarray
    origin: Origin
    columns: tuple[str, ...] = ()
    named: bool = False
    classes: tuple[str, ...] | None = None


class Table(NamedTuple):
    """Everything that a source's files hold, an array per input and target.

    `digest` is the sha256 of the files' bytes, empty for a block of their rows. `parts` holds the tables of
    "validation" and "test" where these have their own files. `learned` is what the source must know to read new
    data alike, as plain values for JSON. `split_by` is the column that `split` names, `(rows,)`: texts as they stand
    in the file, or numbers, equal in a group and ascending in time. `sample_weights`: how much each row counts,
    `(rows,)`, numbers of at least 0.
    """

    inputs: dict[str, InputArray]
    targets: dict[str, TargetArray]
    digest: str
    parts: Mapping[str, Table] = MappingProxyType({})
    learned: Mapping[str, Any] = MappingProxyType({})
    split_by: Sequence[str] | np.ndarray | None = None
    sample_weights: np.ndarray | None = None

    @property
    def rows(self) -> int:
        return len(next(iter(self.inputs.values())).values)

    @property
    def file(self) -> str:
        """The file of the first input, for messages."""
        return next(iter(self.inputs.values())).origin.file


class Split(NamedTuple):
    """Rows ready for a plan: C-contiguous float32, uint8 or int32 inputs, and the targets as the losses want them.

    Targets are int32 for labels, float32 otherwise; there are none where only predictions are wanted. `weights` say how
    much rows count, float32: `SAMPLE_WEIGHT` and the `class_weight_name` of targets, as far as there are any.
    """

    inputs: dict[str, np.ndarray]
    targets: dict[str, np.ndarray]
    rows: int
    weights: Mapping[str, np.ndarray] = MappingProxyType({})

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Inputs, targets and weights by name; a model's inputs and outputs have different names."""
        return {**self.inputs, **self.targets, **self.weights}


class Source(Part):
    """A kind of data file. `scaling` has its own default in each source."""

    path_fields: ClassVar[tuple[str, ...]] = ()
    """The fields that hold paths, or lists of them, which are relative to the config's folder."""

    holds_out: ClassVar[bool] = False
    """Whether `read` itself holds out what `split` says, because the rows are no sample to draw from."""

    has_columns: ClassVar[bool] = False
    """Whether `split` can name a column of the file."""

    memory: Literal["loaded", "mapped"] = Field(
        default="loaded",
        description="where rows are while they are trained on: loaded into memory; or mapped: converted once into "
        "files that may be larger than memory, and shuffled in blocks",
    )
    split: SplitSpec = Field(default_factory=lambda: SplitSpec(), description="which rows are held out")
    scaling: ScalingMode = Field(default="none", description=SCALING)
    target_scaling: TargetMode | dict[str, TargetMode] = Field(
        default="none",
        description="how targets that are numbers are scaled for training: none, standardize, min_max, log or log1p "
        "(the logarithm, then standardized); by target name if there are several",
    )

    @abstractmethod
    def signature(self, folder: Path) -> Signature:
        """Read the files' headers only. Raises DataError."""

    @abstractmethod
    def read(self, folder: Path) -> Table:
        """Read everything. Raises DataError."""

    @abstractmethod
    def reading(self, file: Path, learned: Mapping[str, Any], with_target: bool) -> Source:
        """This source for new data: another file of the same format, all of it in one part.

        `learned` is that of the table trained on; without `with_target` the target may be missing.
        """

    def blocks(self, most: int) -> Iterator[Table]:
        """The rows of what `reading` gave without a target, `most` at a time, however many there are.

        Raises DataError.
        """
        return self.part_blocks(Path(), "train", most)

    @abstractmethod
    def files(self, folder: Path) -> Mapping[str, Sequence[Path]]:
        """The files of "train" and of the parts that have their own, in the order of their digest. Raises DataError."""

    def shaping(self, folder: Path) -> Any:
        """What decides the rows beside the files' bytes, as plain values for JSON: of paths the names alone."""
        found = self.model_dump(mode="json")
        return {**found, **{name: changed(found[name], _last_name) for name in self.path_fields}}

    def part_blocks(self, folder: Path, part: str, most: int) -> Iterator[Table]:
        """What `read` gives of one part of `files`, in tables of at most so many rows. Raises DataError."""
        raise NotImplementedError(f"{self.type} stores its rows itself")

    def stored(self, folder: Path, scratch: Path) -> Table | None:
        """What `read` gives without its digest, in files below `scratch` that the arrays are mapped from.

        None, where `part_blocks` gives it in blocks. Raises DataError.
        """
        return None

    def informed(self, learned: Mapping[str, Any]) -> Self:
        """This source for the data that it names, read by what was learned in training rather than learned anew."""
        return self

    @property
    def weighted(self) -> bool:
        """Whether the config says how much each row counts."""
        return getattr(self, "sample_weight", None) is not None

    @property
    def own_parts(self) -> tuple[str, ...]:
        """Those of "validation" and "test" for which the config names files of their own."""
        return ()

    @property
    def has_validation(self) -> bool:
        """Whether there will be validation data, as far as the config alone can tell."""
        return self.split.validation > 0 or "validation" in self.own_parts

    @property
    def paths(self) -> dict[str, tuple[str, ...]]:
        """The paths that the config gives, by their field."""
        given = ((name, getattr(self, name)) for name in self.path_fields)
        return {name: tuple(each_text(value)) for name, value in given if value is not None}

    def target_mode(self, target: str) -> TargetMode:
        """How a target is scaled."""
        given = self.target_scaling
        return given.get(target, "none") if isinstance(given, dict) else given

    def absent(self, folder: Path) -> list[Path]:
        """The paths that lead to nothing."""
        return [folder / path for paths in self.paths.values() for path in paths if not matching(folder / path)]

    def anchored(self, folder: Path) -> Self:
        """The same source with absolute paths, so that it can be read from any folder."""
        return self.model_copy(
            update={name: changed(getattr(self, name), partial(_anchored, folder)) for name in self.path_fields}
        )

    @model_validator(mode="after")
    def _hold_out_each_part_once(self) -> Self:
        if self.split.column is not None and not self.has_columns:
            way = "time" if self.split.group is None else "group"
            message = f"rows of `{self.type}` have no columns by which they could be split"
            raise refusal([Refusal("split_without_column", message, where=("split", way))])
        for name in self.own_parts:
            if getattr(self.split, name) > 0:
                message = f"the {name} data is given by itself, and a split would hold out a second one"
                raise refusal([Refusal("part_given_twice", message, f"leave `split.{name}` out", ("split", name))])
        return self


def each_text(given: Any) -> Iterator[str]:
    """Every text in nested lists and mappings."""
    if isinstance(given, str):
        yield given
        return
    for each in given.values() if isinstance(given, Mapping) else given:
        yield from each_text(each)


def changed(given: Any, change: Callable[[str], str]) -> Any:
    """The same lists and mappings with every text changed."""
    if isinstance(given, Mapping):
        return {name: changed(each, change) for name, each in given.items()}
    if given is None or isinstance(given, str):
        return given if given is None else change(given)
    return [changed(each, change) for each in given]


def _anchored(folder: Path, path: str) -> str:
    return str((folder / path).absolute())


def _last_name(path: str) -> str:
    return Path(path).name


SourceField: TypeAlias = Annotated[Source, PartField(SOURCES)]
