"""A run of a shipped config in; the pictures of its HTML report that the pages show, taken by a headless browser, out.

Needs the package `playwright`, and its Chromium (`playwright install chromium`) or another named by `$CHROME`. The
command fails if the page logs anything, or asks for anything besides itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "pictures"
SIZE = {"width": 1240, "height": 1500}


def trainer(*arguments: str, folder: Path) -> None:
    """Run the real command, by the interpreter `$TRAINER_PYTHON` or this one."""
    python = os.environ.get("TRAINER_PYTHON", sys.executable)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([python, "-m", "trainer_cli", *arguments], cwd=folder, env=environment, check=True)


def photograph(chromium: Any, page: Path, picture: Path, scheme: str) -> None:
    """What a screen of a size shows of a page."""
    arguments = ["--no-sandbox", "--disable-gpu"]
    browser = chromium.launch(executable_path=os.environ.get("CHROME"), args=arguments)
    try:
        tab = browser.new_context(color_scheme=scheme, viewport=SIZE).new_page()
        said: list[str] = []
        asked: list[str] = []
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(page.as_uri())
        if said or asked != [page.as_uri()]:
            raise SystemExit(f"{page} said {said} and asked for {asked}")
        tab.screenshot(path=picture)
    finally:
        browser.close()


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        (folder / "configs").symlink_to(ROOT / "configs", target_is_directory=True)
        trainer("fit", "configs/digits.yaml", "--run-dir", "runs/digits/first", "--quiet", folder=folder)
        trainer("report", "runs/digits/first", "--quiet", folder=folder)
        for scheme in ("light", "dark"):
            picture = PICTURES / f"report-{scheme}.png"
            page = folder / "runs" / "digits" / "first" / "report.html"
            photograph(playwright.chromium, page, picture, scheme)
            print(f"wrote {picture.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
