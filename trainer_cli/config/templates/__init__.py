"""The name of a kind of model in; the commented config that stands for it, a file of this folder, out."""

from __future__ import annotations

from pathlib import Path

from trainer_cli.config.draft_lines import heading, scalar

_FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The templates that there are: a template is a YAML file of this folder."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def template(kind: str, *, name: str, schema: str | None = None) -> str:
    """The text of a template under a name; `schema` is named for editors."""
    text = (_FOLDER / f"{kind}.yaml").read_text(encoding="utf-8")
    return "\n".join([*heading(schema), text.replace("seed: 1\n", f"name: {scalar(name)}\nseed: 1\n", 1)])
