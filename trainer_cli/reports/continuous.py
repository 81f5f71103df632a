"""What a command measured and whether its gates failed in; JUnit XML and Markdown for continuous integration out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trainer_cli.errors import TrainerError
from trainer_cli.reports import text
from trainer_cli.training.checkpoints import write_atomically
from trainer_cli.training.gates import Outcome

_NOT_IN_XML = "[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


@dataclass
class Account:
    """What is known of a command when it ends: `failure` is what ended it before its time."""

    command: str
    name: str
    seconds: float = 0.0
    facts: dict[str, str] = field(default_factory=dict)
    measured: dict[str, float | None] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    failure: TrainerError | None = None

    @property
    def failed(self) -> bool:
        return self.failure is not None or any(outcome.failed for outcome in self.outcomes)

    def write(self, junit_file: Path | None, markdown_file: Path | None) -> None:
        """Write the files that were asked for. Raises ResourceError."""
        if junit_file is not None:
            write_atomically(junit_file, junit(self))
        if markdown_file is not None:
            write_atomically(markdown_file, markdown(self).encode())


def junit(account: Account) -> bytes:
    """A test suite: the command itself is a test case, and so is each gate; what was measured stands in properties."""
    from xml.etree import ElementTree

    failures = sum(outcome.failed for outcome in account.outcomes)
    suite = ElementTree.Element(
        "testsuite",
        name=_plain(f"trainer {account.command} {account.name}"),
        tests=str(1 + len(account.outcomes)),
        failures=str(failures),
        errors=str(int(account.failure is not None)),
        skipped="0",
        time=f"{account.seconds:.3f}",
    )
    properties = ElementTree.SubElement(suite, "properties")
    for key, value in {**account.facts, **account.measured}.items():
        shown = "" if value is None else value if isinstance(value, str) else repr(value)
        ElementTree.SubElement(properties, "property", name=_plain(key), value=_plain(shown))
    case = ElementTree.SubElement(
        suite,
        "testcase",
        classname=_plain(f"trainer.{account.name}"),
        name=account.command,
        time=f"{account.seconds:.3f}",
    )
    if account.failure is not None:
        kind = type(account.failure).__name__
        error = ElementTree.SubElement(case, "error", type=kind, message=_plain(account.failure.message))
        error.text = _plain(account.failure.hint or "")
    for outcome in account.outcomes:
        case = ElementTree.SubElement(
            suite, "testcase", classname=_plain(f"trainer.{account.name}"), name=_plain(outcome.gate.text), time="0"
        )
        if outcome.failed:
            failure = ElementTree.SubElement(case, "failure", type="gate", message=_plain(outcome.words))
            failure.text = _plain(f"--fail-if {outcome.words}")
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True) + b"\n"


def _plain(words: str) -> str:
    """Without the characters that XML cannot hold at all."""
    return re.sub(_NOT_IN_XML, "�", words)


def markdown(account: Account) -> str:
    """A heading that says how it ended, the gates, what was measured, and the facts."""
    return "\n".join(_lines(account)) + "\n"


def _lines(account: Account) -> Iterator[str]:
    from trainer_cli.reports.explanation import markdown_table

    mark = "❌" if account.failed else "✅"
    yield f"## {mark} trainer {account.command}: {_quoted(account.name)}"
    if account.failure is not None:
        yield ""
        yield f"**{type(account.failure).__name__}**: {_quoted(account.failure.message)}"
    if account.outcomes:
        yield ""
        yield from markdown_table(
            ("fails if", "measured", ""),
            (
                (f"`{outcome.gate.text}`", _number(outcome.measured), "❌ failed" if outcome.failed else "✅ passed")
                for outcome in account.outcomes
            ),
        )
    if account.measured:
        yield ""
        yield from markdown_table(("measured", "value"), _rows(account.measured))
    if account.facts:
        yield ""
        yield from markdown_table(("", ""), ((key, _quoted(value)) for key, value in account.facts.items()))


def _rows(measured: Mapping[str, float | None]) -> Iterator[tuple[str, str]]:
    for key, value in measured.items():
        yield _quoted(key), _number(value)


def _number(value: float | None) -> str:
    return "no value" if value is None else text.number(value)


def _quoted(words: str) -> str:
    """Words whose characters mean nothing to Markdown or HTML."""
    return re.sub(r"([\\`*_{}\[\]<>#])", r"\\\1", " ".join(words.split()))
