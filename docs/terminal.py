"""A command in; what a terminal shows while it runs, as plain text, out."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from contextlib import suppress
from pathlib import Path

WIDTH, HEIGHT = 110, 50
_CONTROL = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|[\r\n]|[^\x1b\r\n]+|\x1b")


class Screen:
    """As much of a terminal as a growing table above a bar needs: lines, returns, cursor up, erased lines."""

    def __init__(self) -> None:
        self.lines = [""]
        self.row = self.column = 0

    def feed(self, text: str) -> None:
        for match in _CONTROL.finditer(text):
            piece = match.group()
            if match.group(2):
                self._control(match.group(1), match.group(2))
            elif piece == "\r":
                self.column = 0
            elif piece == "\n":
                self.row += 1
                if self.row == len(self.lines):
                    self.lines.append("")
            elif piece != "\x1b":
                line = self.lines[self.row].ljust(self.column)
                self.lines[self.row] = line[: self.column] + piece + line[self.column + len(piece) :]
                self.column += len(piece)

    def _control(self, arguments: str, letter: str) -> None:
        if letter == "A":
            self.row = max(0, self.row - int(arguments or 1))
        elif letter == "K":
            self.lines[self.row] = "" if arguments == "2" else self.lines[self.row][: self.column]


def recorded(command: str, folder: Path, environment: dict[str, str], sign: str = "steps/s") -> str:
    """The screen at the last moment at which a line with `sign` was on it, or at the end if there was none."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    environment = {name: value for name, value in environment.items() if name not in ("CI", "COLUMNS", "LINES")}
    environment |= {"TERM": "xterm", "NO_COLOR": "1"}
    process = subprocess.Popen(
        command, shell=True, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    screen, shown = Screen(), ""
    pending = b""
    with suppress(OSError):  # Linux says so when the other end is closed
        while piece := os.read(ours, 1 << 16):
            pending += piece
            try:
                screen.feed(pending.decode())
            except UnicodeDecodeError:
                continue  # a character is cut in two
            pending = b""
            text = "\n".join(line.rstrip() for line in screen.lines).rstrip()
            if sign in text.rpartition("\n")[2]:
                shown = text
    os.close(ours)
    process.wait()
    return shown or "\n".join(line.rstrip() for line in screen.lines).rstrip()
