"""The files of a data source in, those of each part out; the tokens of sources that read text, checked, beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeAlias

from pydantic import Field, model_validator

from trainer_cli.data.files import digest, expand, shown
from trainer_cli.data.source import Source, SplitSpec
from trainer_cli.parts.families import Refusal, refusal

Name: TypeAlias = Annotated[str, Field(min_length=1)]
Names: TypeAlias = Annotated[list[Name], Field(min_length=1)]


class FileSource(Source):
    """A source whose rows stand in files of one kind, one after the other; parts may have files of their own."""

    path_fields: ClassVar[tuple[str, ...]] = ("path", "validation_path", "test_path")

    path: Name | Names = Field(description="the file, or several, or patterns such as `days/*`; `.gz` is unpacked")
    validation_path: Name | Names | None = Field(default=None, description="files of their own for the validation data")
    test_path: Name | Names | None = Field(default=None, description="files of their own for the test data")

    @property
    def own_parts(self) -> tuple[str, ...]:
        given = (("validation", self.validation_path), ("test", self.test_path))
        return tuple(name for name, path in given if path is not None)

    def reading(self, file: Path, learned: Mapping[str, Any], with_target: bool) -> Self:
        update: dict[str, Any] = {
            "path": str(file),
            "target": getattr(self, "target", None) if with_target else None,
            "split": SplitSpec(),
            "validation_path": None,
            "test_path": None,
        }
        if self.weighted and not (with_target and self._is_weighted(file)):
            update["sample_weight"] = None
        return self.informed(learned).model_copy(update=update)

    def _is_weighted(self, file: Path) -> bool:
        """Whether a file of new data says how much its rows count; it need not."""
        return self.weighted

    def files(self, folder: Path) -> dict[str, list[Path]]:
        files = {"train": expand(folder, self.path)}
        for name in self.own_parts:
            files[name] = expand(folder, getattr(self, f"{name}_path"))
        return files

    def _paths_by_part(self, folder: Path) -> tuple[dict[str, list[Path]], str]:
        """The files of "train" and of the parts that have their own, and the digest of all of them."""
        files = self.files(folder)
        return files, digest([path for paths in files.values() for path in paths])


class TokenSource(FileSource):
    """A source whose rows may be tokens, numbered by a vocabulary that is given or learned."""

    vocabulary_size: int | None = Field(
        default=None,
        ge=3,
        le=1 << 24,
        description="the most tokens that are told apart, padding and unknown among them; default: all",
    )
    vocabulary: Names | None = Field(
        default=None, description="the tokens from number 2 on, in order; default: learned from the training part"
    )

    @model_validator(mode="after")
    def _name_each_token_once(self) -> Self:
        if found := refused_vocabulary(self.vocabulary, self.vocabulary_size):
            raise refusal(found)
        return self


def refused_vocabulary(vocabulary: list[str] | None, size: int | None) -> list[Refusal]:
    """What is wrong with a vocabulary that a config gives."""
    if vocabulary is None:
        return []
    if size is not None and size < len(vocabulary) + 2:
        message = f"the vocabulary has {len(vocabulary)} tokens, and two more are padding and unknown"
        return [Refusal("vocabulary_too_large", message, where=("vocabulary_size",))]
    seen: set[str] = set()
    for token in vocabulary:
        if token in seen:
            return [Refusal("token_named_twice", f"the token {shown(token)} is named twice", where=("vocabulary",))]
        seen.add(token)
    return []
