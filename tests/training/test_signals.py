"""The first signal is remembered, a second Ctrl-C acts at once, and handlers are put back."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from trainer_cli.errors import Interrupted
from trainer_cli.training.signals import SignalFlag


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_the_first_signal_sets_the_flag(number):
    before = signal.getsignal(number)
    with SignalFlag() as flag:
        assert flag.number is None
        os.kill(os.getpid(), number)
        assert flag.number == number
    assert signal.getsignal(number) is before


def test_a_second_interrupt_acts_at_once():
    with SignalFlag() as flag:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert flag.number == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_where_nothing_is_to_be_saved_the_first_signal_acts_at_once():
    with SignalFlag() as flag:
        with pytest.raises(Interrupted, match="while compiling") as caught, flag.at_once("compiling", "a hint"):
            signal.raise_signal(signal.SIGTERM)
        assert (caught.value.exit_code, caught.value.hint) == (143, "a hint")
        with pytest.raises(Interrupted), flag.at_once("compiling again"):
            pytest.fail("a signal that came before stops it, too")


def test_another_thread_leaves_the_handlers_alone():
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def enter():
        with SignalFlag():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [before]
