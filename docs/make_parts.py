"""The parts' own docstrings and fields in; the reference pages `docs/parts/<family>.md` out.

`--check` writes nothing and fails if a page is not what would be written.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from trainer_cli.parts.families import FAMILIES  # noqa: E402
from trainer_cli.parts.left_out import ARGUMENTS, PARTS  # noqa: E402
from trainer_cli.reports import explanation, vocabulary  # noqa: E402

FOLDER = ROOT / "docs" / "parts"


def pages() -> dict[Path, str]:
    """Every page by its file; the first one lists the others."""
    found = {FOLDER / f"{vocabulary.plural(family)}.md": explanation.page(family) for family in FAMILIES}
    lines = ["# Parts", "", "Everything that a config can name under `type:`, made by `python docs/make_parts.py`.", ""]
    lines += [
        f"- [{vocabulary.plural(family)}]({vocabulary.plural(family)}.md): "
        + (", ".join(f"`{name}`" for name in family.names()) or "none yet")
        for family in FAMILIES
    ]
    lines += ["", "[What Keras and TensorFlow.js have that is not here](left-out.md), and what does its work."]
    lines += ["", "[How far they are from Keras and TensorFlow.js](agreement.md), part by part."]
    found[FOLDER / "left-out.md"] = "\n".join([*left_out(), ""])
    return {FOLDER / "README.md": "\n".join([*lines, ""]), **found}


def left_out() -> Iterator[str]:
    """The lines of the page of what libraries have and nothing here has."""
    yield "# Left out"
    yield ""
    yield "What Keras 3 and TensorFlow.js have and this program has not, made by `python docs/make_parts.py`."
    yield "A config that names any of it is refused with these words; a test goes through all of Keras's classes"
    yield "and their arguments."
    for title, entries in (
        ("Parts", {f"{noun} `{name}`": entry for (noun, name), entry in PARTS.items()}),
        ("Arguments", {f"`{name}`": entry for name, entry in ARGUMENTS.items()}),
    ):
        yield from ("", f"## {title}", "", "| name | why | instead |", "|---|---|---|")
        yield from (f"| {name} | {entry.reason} | {entry.hint} |" for name, entry in sorted(entries.items()))


def stale() -> list[Path]:
    """The pages that differ from what their parts say."""
    return [path for path, text in pages().items() if not path.is_file() or path.read_text(encoding="utf-8") != text]


def main() -> int:
    found = stale()
    if sys.argv[1:] == ["--check"]:
        for path in found:
            print(f"{path.relative_to(ROOT)} is not up to date: run python docs/make_parts.py")
        return 1 if found else 0
    FOLDER.mkdir(exist_ok=True)
    for path in found:
        path.write_text(pages()[path], encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
