"""`--fail-if`, `--junit` and `--markdown` in; the exit code and the files that they ask of a command out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeAlias

from trainer_cli.cli import options
from trainer_cli.cli.declared import Option
from trainer_cli.errors import TrainerError

if TYPE_CHECKING:
    from trainer_cli.reports.continuous import Account
    from trainer_cli.training.gates import Gate

FailIfOption: TypeAlias = Annotated[
    list[str] | None,
    Option(
        "--fail-if",
        metavar="CONDITION",
        help='Leave with exit code 5 if this holds at the end, e.g. --fail-if "val_accuracy < 0.9". '
        "A value that was not measured fails too. May be given several times.",
    ),
]
JunitOption: TypeAlias = Annotated[
    Path | None, Option("--junit", metavar="FILE", help="Write what happened as JUnit XML: a test per gate.")
]
MarkdownOption: TypeAlias = Annotated[
    Path | None, Option("--markdown", metavar="FILE", help="Write a summary as Markdown.")
]


class GateOptions(NamedTuple):
    """What is to fail, and the files that tell of it."""

    fail_if: FailIfOption = None
    junit: JunitOption = None
    markdown: MarkdownOption = None

    def read(self) -> list[Gate]:
        """The gates, before anything else is done."""
        if not self.fail_if:
            return []
        from trainer_cli.training.gates import read_gates

        return read_gates(self.fail_if)


@contextmanager
def accounted(command: str, name: str, wanted: GateOptions) -> Iterator[Account]:
    """What the command puts into the account is written to the files when it ends, however it ends."""
    from trainer_cli.reports.continuous import Account

    account = Account(command, name)
    began = time.perf_counter()
    try:
        yield account
    except TrainerError as error:
        account.failure = error
        account.seconds = time.perf_counter() - began
        with suppress(TrainerError):  # the failure itself is what the user must see
            account.write(wanted.junit, wanted.markdown)
        raise
    account.seconds = time.perf_counter() - began
    account.write(wanted.junit, wanted.markdown)


def close(account: Account, gates: Sequence[Gate], values: dict[str, float | None], *, quiet: bool) -> None:
    """Judge the gates by the values and tell each. The failure itself is for `refuse`, when files are written."""
    from trainer_cli.training.gates import judge

    account.outcomes = judge(gates, values)
    marks = {True: "failed", False: "passed"}
    options.say((f"gate {outcome.words}: {marks[outcome.failed]}" for outcome in account.outcomes), quiet=quiet)


def refuse(account: Account) -> None:
    """Raise a GateError if a gate failed."""
    from trainer_cli.training.gates import refuse

    refuse(account.outcomes)
