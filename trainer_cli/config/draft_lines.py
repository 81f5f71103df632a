"""What rows are and what is predicted of them in; the lines of a commented config that do it out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from trainer_cli.data.files import shown
from trainer_cli.data.outline import Branch, Kind, Wanted

_FEW_ROWS = 10_000
_PLAIN = re.compile(r"(?:\.{0,2}/)*[A-Za-z][A-Za-z0-9_]*(?:[ ./-][A-Za-z0-9_]+)*")
_KEYWORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
_COMMENTS_AT = 34
_STRATIFIED = 7
"""Rows of the rarest class from which on each of three parts has one."""


def heading(schema: str | None) -> list[str]:
    """The line by which editors know the config's keys."""
    return [f"# yaml-language-server: $schema={schema}"] if schema else []


def beginning(name: str, source: str) -> list[str]:
    """What every config begins with, up to the data source's own keys."""
    return [f"name: {scalar(name)}", "seed: 1", "", "data:", f"  type: {source}"]


def commented(line: str, comment: str) -> str:
    """A line and what it says in words, behind those of the lines around it."""
    return f"{line:<{_COMMENTS_AT - 1}} # {comment}" if comment else line


def target_scaling(classes: int | None) -> list[str]:
    """How a number to predict is scaled."""
    line = "  target_scaling: standardize     # as for numbers; metrics and predictions are in its own units"
    return [line] if classes is None else []


def split(classes: int | None, rarest: int = _STRATIFIED, parts: Sequence[str] = ()) -> list[str]:
    """The rows that are held out; `parts` have files of their own, and classes of a few rows are not divided."""
    shares = ", ".join(f"{part}: 0.15" for part in ("validation", "test") if part not in parts)
    if not shares:
        return []
    if classes is None or rarest < _STRATIFIED:
        return [f"  split: {{{shares}}}"]
    return [f"  split: {{{shares}, stratify: true}}    # the classes' proportions in every part"]


def model(
    kind: Kind, shape: tuple[int, ...], wanted: Wanted, rows: int, tokens: int | None = None, *, declared: bool = False
) -> list[str]:
    """Architecture, optimizer, loss, metrics and `fit`. `declared`: tokens come as numbers, which must be announced."""
    lines = ["architecture:"]
    if declared:
        lines.append(
            f"  - {{type: input, shape: {list(shape)}, dtype: int32}}    # whole numbers, which are not scaled"
        )
    layers = {"vector": _dense, "image": _image, "sequence": _sequence, "tokens": _tokens, "text": _tokens}[kind]
    lines += layers(shape, wanted, tokens or 0)
    lines.append(_last(kind, shape, wanted))
    return [*lines, *_training(kind, wanted, rows)]


def model_of_branches(branches: Mapping[str, Branch], wanted: Wanted, rows: int) -> list[str]:
    """The same for several inputs, each of which goes its own way before they are joined."""
    lines = ["architecture:", f"  inputs: [{', '.join(branches)}]", "  layers:"]
    lines.append("    # A layer takes the one above it unless `inputs` names others.")
    for name, branch in branches.items():
        layers = list({"image": _image, "sequence": _sequence}.get(branch.kind, _dense)(branch.shape, wanted, 0))
        layers[0] = re.sub(r"(type: \w+)", rf"\1, inputs: [{name}]", layers[0], count=1)
        layers[-1] = re.sub(r"(type: \w+)", rf"\1, name: {name}_code", layers[-1], count=1)
        lines += [f"  {layer}" for layer in layers]
    lines.append(f"    - {{type: concatenate, inputs: [{', '.join(f'{name}_code' for name in branches)}]}}")
    lines.append("    - {type: dense, units: 64, activation: relu}")
    lines.append("  " + _last("vector", (), wanted))
    return [*lines, *_training("vector", wanted, rows)]


def _training(kind: Kind, wanted: Wanted, rows: int) -> list[str]:
    """Optimizer, loss, metrics and `fit`."""
    rate, epochs, patience = {"vector": ("2e-3", 200, 20), "text": ("2e-3", 30, 3)}.get(kind, ("1e-3", 50, 6))
    classes = "categorical_crossentropy" if wanted.indicators else "sparse_categorical_crossentropy"
    return [
        "",
        f"optimizer: {{type: adam, learning_rate: {rate}}}",
        f"loss: {'mse' if wanted.classes is None else classes}",
        f"metrics: [{'mae' if wanted.classes is None else 'accuracy'}]",
        "",
        "fit:",
        f"  epochs: {epochs:<24}# at most: training stops when the validation loss no longer falls",
        f"  batch_size: {32 if rows < _FEW_ROWS else 256 if kind == 'vector' else 64}",
        f"  early_stopping: {{monitor: val_loss, patience: {patience}, restore_best: true}}",
    ]


def _dense(shape: tuple[int, ...], wanted: Wanted, tokens: int) -> Iterator[str]:
    if len(shape) > 1:
        yield "  - {type: flatten}"
    yield "  - {type: dense, units: 64, activation: relu}"
    yield "  - {type: dense, units: 32, activation: relu}"


def _image(shape: tuple[int, ...], wanted: Wanted, tokens: int) -> Iterator[str]:
    """Convolutions, with fewer and fewer places as far as the image goes; all of them where each place is a class."""
    height, width = shape[:2]
    if len(shape) == 2:
        yield f"  - {{type: reshape, target_shape: [{height}, {width}, 1]}}    # a channel for the pixels"
    for filters in (16, 32, 64):
        yield f"  - {{type: conv2d, filters: {filters}, kernel_size: 3, padding: same, activation: relu}}"
        if min(height, width) >= 8 and not wanted.places:
            yield "  - {type: max_pooling2d}"
            height, width = height // 2, width // 2
    if not wanted.places:
        yield commented("  - {type: flatten}", "where in the image something is tells as much as what it is")
        yield "  - {type: dropout, rate: 0.3}"


def _sequence(shape: tuple[int, ...], wanted: Wanted, tokens: int) -> Iterator[str]:
    if len(shape) == 1:
        yield f"  - {{type: reshape, target_shape: [{shape[0]}, 1]}}    # a number per step"
    yield from _recurrent(wanted)


def _tokens(shape: tuple[int, ...], wanted: Wanted, tokens: int) -> Iterator[str]:
    yield f"  - {{type: embedding, input_dim: {tokens}, output_dim: 32, mask_zero: true}}    # 0 is padding"
    yield from _recurrent(wanted)


def _recurrent(wanted: Wanted) -> Iterator[str]:
    more = ", return_sequences: true" if wanted.places else ""
    yield f"  - {{type: lstm, units: 64{more}}}"
    yield "  - {type: dropout, rate: 0.2}"


def _last(kind: Kind, shape: tuple[int, ...], wanted: Wanted) -> str:
    if wanted.classes is None:
        return f"  - {{type: dense, units: {wanted.width}}}"
    if kind == "image" and wanted.places:
        layer, of_what = f"conv2d, filters: {wanted.classes}, kernel_size: 1", "class, for every pixel"
    else:
        layer, of_what = f"dense, units: {wanted.classes}", "class"
        if wanted.places:
            of_what = "character, for every place" if kind == "text" else "class, for every step"
    return f"  - {{type: {layer}, activation: softmax}}    # a probability per {of_what}"


def scalar(value: object) -> str:
    """A value as YAML on one line; texts are plain where nothing can mistake them."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{scalar(key)}: {scalar(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(scalar, value))}]"
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _KEYWORDS:
        return value
    return json.dumps(value.replace("${", "$${"), ensure_ascii=False)


def harmless(text: str) -> str:
    """A text from the data, safe and short enough for a comment."""
    return shown(text)[1:-1]
