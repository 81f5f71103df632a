"""The entry point: arguments in, an exit code out, and every failure told in words on stderr."""

from __future__ import annotations

import atexit
import errno
import os
import signal
import sys
import warnings
from contextlib import suppress

from trainer_cli.cli import quick_start
from trainer_cli.cli.declared import Misuse
from trainer_cli.cli.plain import plain
from trainer_cli.errors import ConfigError, TrainerError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
"""What the operating system says where a disk is full or broken."""


def main() -> None:
    """Run the command line and leave the process with the exit code that it deserves."""
    quick_start.leave_out_searches()
    if hasattr(signal, "SIGPIPE"):
        # The reader of a pipe (`trainer … | head`) has gone: leave without a word, like other commands.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    warnings.showwarning = _show_warning
    try:
        _obey()
    except TrainerError as error:
        tell(explain(error))
        leave(error.exit_code)
    except KeyboardInterrupt:
        tell("interrupted")
        leave(130)
    except MemoryError as error:
        tell(f"error: not enough memory{f': {error}' if str(error) else ''}\n  hint: a smaller `fit.batch_size` helps")
        leave(6)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _FULL:
            tell(f"error: cannot write {error.filename or 'the results'}: {error.strerror}")
            _forget_output()
            leave(6)
        import traceback

        traceback.print_exc()
        tell("\nThis is a bug in trainer, not in your config. Please report it with the lines above and the config.")
        leave(1)


def _obey() -> None:
    try:
        ready = plain(sys.argv[1:])
        if ready is not None:
            with suppress(Misuse):
                ready()
                leave(0)
        from trainer_cli.cli.app import run

        run(sys.argv[1:])
    finally:
        sys.stdout.flush()  # here, where a failure still has an exit code


def _forget_output() -> None:
    """What could not be written is not tried again at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


@quick_start.with_room
def start() -> None:
    """`main` as a process of its own, which ends without clearing memory up.

    Python would take every module and object apart: a tenth of the time that a command takes which has only looked, and
    20 ms where NumPy was used. What is registered for the end is done; while other threads are at work, Python waits.
    """
    try:
        main()
    except SystemExit as leaving:
        threading = sys.modules.get("threading")
        if not isinstance(leaving.code, int) or (threading is not None and threading.active_count() > 1):
            raise
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(leaving.code)


def explain(error: TrainerError) -> str:
    """The words for an expected failure: the problems of a config with their lines, or the message and its hint."""
    if isinstance(error, ConfigError):
        from trainer_cli.config.messages import render

        words = render(error.problems)
        if not any(problem.place for problem in error.problems):
            words = f"error: {words}"
        hint = error.hint if all(problem.hint != error.hint for problem in error.problems) else None
    else:
        words, hint = f"error: {error.message}", error.hint
    return f"{words}\n  hint: {hint}" if hint else words


def tell(words: str) -> None:
    """Write to stderr."""
    print(words, file=sys.stderr, flush=True)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Without the line of source that Python adds, which is ours and not the user's."""
    tell(f"warning: {message}")


def leave(code: int) -> None:
    """Exit with a code."""
    raise SystemExit(code)


if __name__ == "__main__":
    start()
