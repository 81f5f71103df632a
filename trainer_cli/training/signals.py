"""Signals in, a flag out: the loop looks at it between slices, saves its state and stops."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from trainer_cli.errors import Interrupted

WATCHED = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name))


class SignalFlag:
    """While entered, the first signal is remembered in `number`; a second SIGINT raises KeyboardInterrupt at once.

    Checkpoints are written to a temporary file and renamed, so even that leaves the last one whole. Python delivers
    signals to the main thread alone; elsewhere this does nothing.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._previous: dict[int, Any] = {}
        self._at_once: tuple[str, str | None] | None = None

    def __enter__(self) -> SignalFlag:
        if threading.current_thread() is threading.main_thread():
            for number in WATCHED:
                self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            # A handler that was not installed from Python reads as None and cannot be put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._previous.clear()

    @contextmanager
    def at_once(self, doing: str, hint: str | None = None) -> Iterator[None]:
        """While entered, even the first signal stops the run at once: there is nothing to save."""
        self._at_once = (doing, hint)
        try:
            if self.number is not None:
                self._stop(self.number)
            yield
        finally:
            self._at_once = None

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        if self.number is None:
            self.number = number
            # Should someone swallow what is raised here, the flag still stops the run at the next look at it.
            self._stop(number)

    def _stop(self, number: int) -> None:
        if self._at_once is not None:
            doing, hint = self._at_once
            raise Interrupted(number, f"interrupted while {doing}", hint=hint)
