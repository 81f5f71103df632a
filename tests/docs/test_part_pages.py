"""The reference pages in docs/parts say what the parts' files say."""

from __future__ import annotations

import subprocess
import sys


def test_the_pages_are_up_to_date(root):
    done = subprocess.run(
        [sys.executable, "docs/make_parts.py", "--check"], cwd=root, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
