"""Markdown pages in; the same pages out, with the output of the commands they show written anew by running them.

A page marks a command so, and everything up to the end mark is replaced:

    <!-- run: trainer validate configs/iris.yaml -->
    <!-- end -->

`<!-- run [3 … 5]: … -->` shows only the first 3 and the last 5 lines, `<!-- show: FILE -->` a file, and
`<!-- terminal: … -->` a terminal while the command runs, shortly before its end. The commands of a page run one after
the other in an empty folder that holds `configs/`, so that a later one finds the runs of an earlier.
Paths of the machine that made a page are shown as those of a user with a home folder.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
MARKED = re.compile(
    r"<!-- (?P<kind>run|terminal)(?: \[(?P<first>\d+) … (?P<last>\d+)\])?: (?P<command>.+?) -->\n"
    r"(?P<old>.*?)<!-- end -->",
    re.DOTALL,
)
SHOWN = re.compile(r"<!-- show: (?P<file>\S+) -->\n.*?<!-- end -->", re.DOTALL)


def output_of(command: str, folder: Path, *, drawn: bool = False) -> str:
    """What a user sees in a terminal that cannot draw, or in one that can; a failing command is shown as it fails."""
    with tempfile.TemporaryDirectory() as name:
        program = Path(name) / "trainer"
        program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m trainer_cli "$@"\n')
        program.chmod(0o755)
        environment = os.environ | {"PATH": f"{name}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}
        if drawn:
            from terminal import recorded

            return at_home(recorded(command, folder, environment), folder)
        done = subprocess.run(
            command,
            shell=True,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    return at_home(done.stdout.rstrip("\n"), folder)


def at_home(text: str, folder: Path) -> str:
    """The text with the paths of this machine replaced."""
    cache = os.environ.get("TRAINER_CACHE_DIR")
    places = {str(folder): "/home/me/work", sys.prefix: "/home/me/trainer/.venv", str(ROOT): "/home/me/trainer"}
    if cache:
        places[cache] = "/home/me/.cache/trainer"
    for path in sorted(places, key=len, reverse=True):
        text = text.replace(path, places[path])
    return text.replace(str(Path.home()), "/home/me")


def shortened(text: str, first: int | None, last: int | None) -> str:
    lines = text.splitlines()
    if first is None or last is None or len(lines) <= first + last + 1:
        return text
    return "\n".join([*lines[:first], "…", *lines[len(lines) - last :]])


def rewritten(page: str, folder: Path) -> str:
    """The page with every marked command run."""

    def replace(match: re.Match[str]) -> str:
        first, last = (int(match[name]) if match[name] else None for name in ("first", "last"))
        text = shortened(output_of(match["command"], folder, drawn=match["kind"] == "terminal"), first, last)
        bounds = f" [{first} … {last}]" if first is not None else ""
        block = f"```console\n$ {match['command']}\n{text}\n```\n"
        return f"<!-- {match['kind']}{bounds}: {match['command']} -->\n{block}<!-- end -->"

    def show(match: re.Match[str]) -> str:
        path = ROOT / match["file"]
        text = path.read_text(encoding="utf-8").rstrip("\n")
        return f"<!-- show: {match['file']} -->\n```{path.suffix[1:]}\n{text}\n```\n<!-- end -->"

    return MARKED.sub(replace, SHOWN.sub(show, page))


def main() -> None:
    pages = [Path(name) for name in sys.argv[1:]] or [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    for path in pages:
        page = path.read_text(encoding="utf-8")
        if MARKED.search(page) or SHOWN.search(page):
            with tempfile.TemporaryDirectory() as name:
                (Path(name) / "configs").symlink_to(ROOT / "configs", target_is_directory=True)
                path.write_text(rewritten(page, Path(name)), encoding="utf-8")
            print(f"wrote {path}")


if __name__ == "__main__":
    main()
