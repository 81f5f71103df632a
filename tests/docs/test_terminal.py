"""The pages' picture of a terminal follows the controls that a growing table and a bar use."""

from __future__ import annotations

import importlib.util

import pytest


@pytest.fixture
def terminal(root):
    spec = importlib.util.spec_from_file_location("terminal", root / "docs" / "terminal.py")
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_bar_is_drawn_over_and_moved_down_by_rows(terminal):
    screen = terminal.Screen()
    screen.feed("start\r\nbar 1\r\x1b[2K")
    screen.feed("row 1\r\n\x1b[?25lbar 2\x1b[1m!")
    assert screen.lines == ["start", "row 1", "bar 2!"]
    screen.feed("\n\r\x1b[2K\x1b[1A\x1b[2Kx\rab")
    assert screen.lines == ["start", "row 1", "ab", ""]


def test_the_last_moment_with_the_sign_is_shown(terminal, tmp_path):
    command = "printf 'row\\nbar 5 steps/s'; sleep 0.3; printf '\\r\\033[2Kdone\\n'"
    assert terminal.recorded(command, tmp_path, {"PATH": "/usr/bin:/bin"}) == "row\nbar 5 steps/s"
    assert terminal.recorded("printf 'a\\nb\\n'", tmp_path, {"PATH": "/usr/bin:/bin"}) == "a\nb"
