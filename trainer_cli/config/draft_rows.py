"""The outline of rows that are no table in; the text of a commented config, ready to be fitted, out."""

from __future__ import annotations

from trainer_cli.config.draft_lines import (
    beginning,
    commented,
    heading,
    model,
    model_of_branches,
    scalar,
    split,
    target_scaling,
)
from trainer_cli.data.outline import Outline


def draft_rows(outline: Outline, *, name: str, schema: str | None = None) -> str:
    """The config as text; `schema` is named for editors."""
    wanted = outline.wanted
    keys = [
        commented(f"  {key}: {scalar(each.value)}", harmless_each(each.comment)) for key, each in outline.keys.items()
    ]
    whole = outline.kind in ("tokens", "text")
    # Padded rows cannot be scaled: the padding would change its value.
    scaled = outline.kind in ("vector", "sequence", "image") and "sequence" not in outline.keys
    declared = outline.kind == "tokens" and "vocabulary_size" not in outline.keys
    if outline.kind == "text":
        held_out = ["  split: {validation: 0.1, test: 0.1}    # the end of the text"]
    else:
        held_out = [*target_scaling(wanted.classes), *split(wanted.classes, _rarest(outline), outline.parts)]
    lines = [
        *heading(schema),
        f"# Predicts {outline.about}{'' if whole and outline.kind == 'text' else f', {outline.rows:,} rows'}.",
        *(f"# {note}." for note in outline.notes),
        *beginning(name, outline.source),
        *keys,
        *(_scaling(outline) if scaled else []),
        *held_out,
        "",
        *(
            model_of_branches(outline.branches, wanted, outline.rows)
            if outline.branches
            else model(outline.kind, outline.shape, wanted, outline.rows, outline.tokens, declared=declared)
        ),
    ]
    return "\n".join(lines) + "\n"


def _rarest(outline: Outline) -> int:
    """Rows are stratified by a class per row alone."""
    return 1 if outline.wanted.places else outline.wanted.rarest


def _scaling(outline: Outline) -> list[str]:
    if outline.bytes_:
        return [commented("  scaling: unit", "bytes become numbers from 0 to 1")]
    return [commented("  scaling: standardize", "mean 0 and deviation 1, as the training rows tell")]


def harmless_each(comment: str) -> str:
    """A comment may hold names from the data."""
    return "".join(letter if letter.isprintable() else " " for letter in comment)[:160]
