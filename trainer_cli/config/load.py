"""A config file, overrides and the environment in; the validated config with the place of every value out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError

from trainer_cli.config.references import apply_overrides, escape, resolve_references
from trainer_cli.config.scalars import resolve_scalar
from trainer_cli.config.schema import Config
from trainer_cli.config.source import Node, SourceTree, parse, read_file
from trainer_cli.errors import ConfigError, Place, Problem


class LoadedConfig(NamedTuple):
    """A config as the user wrote it and as it is meant.

    `resolved` holds the plain values after overrides and references, before defaults; `source` knows their places.
    """

    config: Config
    source: SourceTree
    path: Path
    resolved: dict[str, Any]

    @property
    def folder(self) -> Path:
        """The folder that paths in the config are relative to."""
        return self.path.parent

    def dump(self) -> dict[str, Any]:
        """The config with everything filled in, as plain values; data paths are absolute, so any folder can hold it."""
        return plain_config(self.config, self.folder)

    def dump_yaml(self) -> str:
        """`dump` as YAML that loads to an equal config."""
        return to_yaml(self.dump())


def load(path: str | Path, overrides: Sequence[str] = (), environ: Mapping[str, str] = os.environ) -> LoadedConfig:
    """Read, override, resolve and validate a config. Raises a ConfigError with all problems of the first step that
    fails, each with its place."""
    path = Path(path)
    return load_text(read_file(path), path, overrides, environ)


def load_text(
    text: str, path: Path, overrides: Sequence[str] = (), environ: Mapping[str, str] = os.environ
) -> LoadedConfig:
    """`load` for a text that is already read; `path` names it and places its relative paths."""
    try:
        root = parse(text, str(path))
        _check_top_level(root, str(path))
        apply_overrides(root, overrides)
        resolve_references(root, environ)
    except ConfigError as error:
        from trainer_cli.config.messages import in_order

        raise ConfigError(in_order(error.problems)) from None
    tree = SourceTree(root, str(path))
    resolved = tree.values()
    try:
        config = Config.model_validate({"name": _default_name(path), **resolved})
    except ValidationError as error:
        from trainer_cli.config.messages import problems_of

        raise ConfigError(problems_of(error, tree, Config)) from None
    return LoadedConfig(config, tree, path, resolved)


def read_config(values: Mapping[str, Any], origin: str) -> Config:
    """The config of plain values that stand in no YAML file, such as a checkpoint's; `origin` names them in errors."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        from trainer_cli.config.messages import problems_of

        place = Place(origin, 0, 0)
        raise ConfigError(problems_of(error, SourceTree(_node(values, place), origin), Config)) from None


def _node(value: Any, place: Place) -> Node:
    if isinstance(value, Mapping):
        return Node({str(key): _node(item, place) for key, item in value.items()}, place, place)
    if isinstance(value, (list, tuple)):
        return Node([_node(item, place) for item in value], place, place)
    return Node(value, place, place)


def _check_top_level(root: Node, file: str) -> None:
    if root.value is None:
        raise ConfigError(f"{file}: the config is empty", hint="`trainer init` writes one to begin with")
    if not isinstance(root.value, dict):
        from trainer_cli.config.messages import show_value

        message = f"a config is a mapping such as `architecture: [...]`, this is {show_value(root.value)}"
        raise ConfigError([Problem(message, place=root.place)])


def _default_name(path: Path) -> str:
    return path.stem if path.stem.strip(".") else "config"


def plain_config(config: Config, folder: Path) -> dict[str, Any]:
    """A config as plain values that validate to an equal one; `folder` is what its data paths are relative to."""
    if config.data is not None:
        config = config.model_copy(update={"data": config.data.anchored(folder)})
    values = config.model_dump(mode="json")
    architecture = values["architecture"]
    if architecture["inputs"] is None and architecture["outputs"] is None:
        values["architecture"] = architecture["layers"]
    for phase, plain in zip(config.phases, values["phases"], strict=True):
        if phase.fit is not None:  # a default written out here would override the config's own `fit`
            plain["fit"] = {key: item for key, item in plain["fit"].items() if key in phase.fit.model_fields_set}
    values["phases"] = [{key: item for key, item in plain.items() if item is not None} for plain in values["phases"]]
    return {key: item for key, item in values.items() if item is not None}


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes what this package's loader reads: PyYAML's own knows `1e-3` for a text and would leave it unquoted."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=None if _reads_as_text(text) else "'")  # type: ignore[no-any-return]

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(str, _Dumper.represent_text)


def _reads_as_text(text: str) -> bool:
    try:
        return isinstance(resolve_scalar(text), str)
    except ValueError:
        return False


def _escaped(value: Any) -> Any:
    """The values with every text written so that nothing in it is a reference; in keys nothing is one."""
    if isinstance(value, Mapping):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(item) for item in value]
    return escape(value) if isinstance(value, str) else value


def to_yaml(values: Mapping[str, Any]) -> str:
    """Plain values as YAML 1.2; texts keep their type and floats their last digit."""
    text: str = yaml.dump(
        _escaped(values), Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=110, allow_unicode=True
    )
    return text
