"""NumPy's `.npy` files in, a table of their arrays out, one file's rows after the other's; nothing is unpickled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field

from trainer_cli.data.array_files import ArrayFiles
from trainer_cli.data.array_source import ROLES, ArraySource
from trainer_cli.data.file_source import Name, Names
from trainer_cli.data.files import expand
from trainer_cli.data.source import SAMPLE_WEIGHTS, SplitSpec, each_text
from trainer_cli.errors import DataError

WAYS = ("group", "time")

Files = Name | Names
NamedFiles = Files | Annotated[dict[Name, Files], Field(min_length=1)]


class Npy(ArraySource):
    """An array per file, with rows along the first axis: one of inputs, one of targets. Bytes stay bytes in memory.

    Each may be several files, by a list or a pattern such as `days/x_*.npy`, whose rows follow each other in the order
    of the list, and of the names that a pattern matches. For a model with several inputs or outputs it is a mapping of
    their names to files. `target` may be left out. `validation_*` and `test_*` name files of their own for these parts,
    and `group` or `time` of `split` one as well, with a value per row.
    """

    path_fields: ClassVar[tuple[str, ...]] = tuple(
        f"{part}{role}" for part in ("", "validation_", "test_") for role in ROLES
    )

    input: NamedFiles = Field(description="the file of inputs, or several; by input name if there are several inputs")
    target: NamedFiles | None = Field(default=None, description="the file of targets, or null")
    sample_weight: Files | None = Field(default=None, description=f"{SAMPLE_WEIGHTS}; a file with one number per row")
    validation_input: NamedFiles | None = Field(default=None, description="file of inputs for validation alone")
    validation_target: NamedFiles | None = Field(default=None, description="file of their targets")
    validation_sample_weight: Files | None = Field(default=None, description="file of the weights of these rows")
    test_input: NamedFiles | None = Field(default=None, description="file of inputs to test on")
    test_target: NamedFiles | None = Field(default=None, description="file of their targets")
    test_sample_weight: Files | None = Field(default=None, description="file of the weights of these rows")

    @property
    def paths(self) -> dict[str, tuple[str, ...]]:
        split = {} if self.split.column is None else {"split": (self.split.column,)}
        return {**super().paths, **split}

    def anchored(self, folder: Path) -> Self:
        found = super().anchored(folder)
        if self.split.column is None:
            return found
        way = "time" if self.split.group is None else "group"
        split = self.split.model_copy(update={way: str((folder / self.split.column).absolute())})
        return found.model_copy(update={"split": split})

    def shaping(self, folder: Path) -> Any:
        found = super().shaping(folder)
        names = {way: None if path is None else Path(path).name for way, path in found["split"].items() if way in WAYS}
        return {**found, "split": {**found["split"], **names}}

    def files(self, folder: Path) -> dict[str, list[Path]]:
        return {
            part: [path for key in self._keys(part).each for path in expand(folder, key)]
            for part in ("train", *self.own_parts)
        }

    @contextmanager
    def _open(self, folder: Path) -> Iterator[ArrayFiles]:
        yield ArrayFiles(folder)

    def reading(self, file: Path, learned: Mapping[str, Any], with_target: bool) -> Self:
        """New data is a file of inputs, with that of the targets beside it under a name that differs as those trained
        on do; or a folder with files of the names trained on."""
        update: dict[str, Any] = dict.fromkeys(self.path_fields)
        update |= {"input": self._like(file, self.input), "split": SplitSpec()}
        if with_target:
            update["target"] = self._like(file, self.target)
            weights = self._like(file, self.sample_weight) if self.weighted else []
            # New data need not say how much its rows count.
            if weights and all(Path(path).exists() for path in each_text(weights)):
                update["sample_weight"] = weights
        return self.model_copy(update=update)

    def _like(self, new: Path, given: Any) -> Any:
        """The files of new data in the place of those that the config gives. Raises DataError."""
        if isinstance(given, dict):
            return {name: self._like(new, each) for name, each in given.items()}
        if isinstance(given, list):
            return [self._like(new, each) for each in given]
        if given is None:
            return None
        trained = list(each_text(self.input))
        if new.is_dir():
            found = new / Path(given).name
        elif len(trained) > 1:
            raise DataError(
                f"{new}: the model was trained on several files of inputs, and this is one",
                hint="name a folder that holds files of the same names",
            )
        else:
            found = new.with_name(_renamed(new.name, Path(trained[0]).name, Path(given).name))
        if given not in trained and Path(given).name in (Path(each).name for each in trained):
            raise DataError(f"{new}: inputs and `{Path(given).name}` cannot be told apart by their names")
        return str(found)


def _renamed(new: str, trained: str, other: str) -> str:
    """The name that differs from `new` as `other` does from `trained`: `y_new` of `x_new` as `y_old` of `x_old`."""
    if trained == other:
        return new
    same = _alike(trained, other)
    tail = _alike(trained[same:][::-1], other[same:][::-1])
    mine, theirs = trained[same : len(trained) - tail], other[same : len(other) - tail]
    if not mine:
        begin = len(new) - tail if new.endswith(trained[len(trained) - tail :]) else new.rfind(".")
        return new[:begin] + theirs + new[begin:]
    begin = same if new[: same + len(mine)] == trained[: same + len(mine)] else new.find(mine)
    return new if begin < 0 else new[:begin] + theirs + new[begin + len(mine) :]


def _alike(one: str, other: str) -> int:
    """How many letters two names begin with together."""
    return next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
