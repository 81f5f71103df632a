"""Every command and every option is typed by a test that runs the real command: found in the source of the tests.

A string counts only where it is an argument of a call that starts the process: of `project.run`, `.start` or `.fit`, of
a call with `-m trainer_cli`, or of a function of the test's module that hands its `*arguments` on to one. Names are
followed to what they were assigned, and to the values of `pytest.mark.parametrize`; words elsewhere, such as those of
an expected message, are not.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator

import pytest
import typer

from trainer_cli.cli import app

GROUP = typer.main.get_command(app.application(app.COMMANDS))
STARTING = ("run", "start", "fit")
"""The methods of `conftest.Project` that start a process."""


def strings(node: ast.AST | None) -> Iterator[str]:
    """All texts within some source."""
    for each in ast.walk(node) if node is not None else ():
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


class Names:
    """What the names in a function stand for: assignments there and in the module, loops, parametrized values."""

    def __init__(self, module: ast.Module, function: ast.FunctionDef) -> None:
        self._found: dict[str, list[ast.expr]] = defaultdict(list)
        for node in [*module.body, *ast.walk(function)]:
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    self._assign(target, [node.value])
            elif isinstance(node, ast.For | ast.comprehension):
                self._assign(node.target, self._each(node.iter))
        for mark in function.decorator_list:
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.parametrize":
                names, values = mark.args[:2]
                listed = [name.strip() for text in strings(names) for name in text.split(",")]
                target: ast.expr = (
                    ast.Tuple([ast.Name(name) for name in listed]) if len(listed) > 1 else ast.Name(*listed)
                )
                self._assign(target, self._each(values))

    def _each(self, values: ast.expr) -> list[ast.expr]:
        """What a loop goes over."""
        if isinstance(values, ast.Name) and len(self._found[values.id]) == 1:
            values = self._found[values.id][0]
        return getattr(values, "elts", [values])

    def _assign(self, target: ast.expr, values: list[ast.expr]) -> None:
        """Tuples are taken apart where both sides are tuples of one length."""
        for value in values:
            if isinstance(target, ast.Name):
                self._found[target.id].append(value)
            elif isinstance(target, ast.Tuple):
                parts = getattr(value, "elts", [])
                for position, name in enumerate(target.elts):
                    self._assign(name, [parts[position] if len(parts) == len(target.elts) else value])

    def flat(self, nodes: Iterable[ast.expr]) -> Iterator[set[str]]:
        """The arguments in their order, each as the texts that it may be."""
        for node in nodes:
            if isinstance(node, ast.Starred):
                yield from self.flat([node.value])
            elif isinstance(node, ast.Tuple | ast.List):
                yield from self.flat(node.elts)
            elif isinstance(node, ast.Name):
                found = [list(self.flat([value])) for value in self._found.pop(node.id, ())]
                if len(found) == 1:
                    yield from found[0]
                else:
                    yield set().union(*(texts for each in found for texts in each))
            elif isinstance(node, ast.IfExp | ast.Subscript | ast.Constant | ast.BinOp):
                yield set(strings(node))


def calls(node: ast.AST) -> Iterator[ast.Call]:
    return (each for each in ast.walk(node) if isinstance(each, ast.Call))


def handed_on(function: ast.FunctionDef) -> list[ast.Call]:
    """The calls in a function that get its `*arguments`."""
    rest = function.args.vararg
    return [
        call
        for call in calls(function)
        if rest is not None
        and any(isinstance(each, ast.Starred) and ast.unparse(each.value) == rest.arg for each in call.args)
    ]


def commands_of(items: list[set[str]]) -> set[str]:
    """The command is the first argument that can be one; none for the options of the program itself."""
    return next((found for each in items if (found := each & set(app.COMMANDS))), {""})


def typed(source: str) -> dict[str, set[str]]:
    """By command, "" for none: the options that a module of tests runs it with."""
    module = ast.parse(source)
    functions = [each for each in ast.walk(module) if isinstance(each, ast.FunctionDef)]
    helpers = {each.name: (each, handed_on(each)) for each in functions if handed_on(each)}
    found: dict[str, set[str]] = defaultdict(set)
    for function in functions:
        for call in calls(function):
            # Names are followed once per call, so that a name that is assigned from itself comes to an end.
            items = list(Names(module, function).flat(call.args))
            name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
            commands: set[str] = set()
            if isinstance(call.func, ast.Name) and name in helpers:
                helper, starting = helpers[name]
                for each in starting:
                    if _starts(each, own := list(Names(module, helper).flat(each.args))):
                        commands |= _commands(each, own) - {""} or commands_of(items)
            elif _starts(call, items):
                commands = _commands(call, items)
            for command in commands:
                found[command] |= {text.partition("=")[0] for each in items for text in each if text.startswith("-")}
    return found


def _starts(call: ast.Call, items: list[set[str]]) -> bool:
    own = (
        isinstance(call.func, ast.Attribute)
        and call.func.attr in STARTING
        and ast.unparse(call.func.value) != "subprocess"
    )
    return own or {"trainer_cli"} in items


def _commands(call: ast.Call, items: list[set[str]]) -> set[str]:
    return {"fit"} if isinstance(call.func, ast.Attribute) and call.func.attr == "fit" else commands_of(items)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('def test(p):\n    p.run("fit", "c.yaml", "--quiet", "--set=a=1")', {"fit": {"--quiet", "--set"}}),
        ('def test(p):\n    p.run("--json", "show", "run")', {"show": {"--json"}}),
        ('def test(p):\n    p.fit(*("--quiet", "-o"))', {"fit": {"--quiet", "-o"}}),
        ('def test(p):\n    words = ["list", "--json"]\n    p.run(*words)', {"list": {"--json"}}),
        ('def test(p):\n    for flag in ("-q", "--json"):\n        p.run("show", flag)', {"show": {"-q", "--json"}}),
        (
            '@pytest.mark.parametrize(("name", "more"), [("fit", "-q"), ("show", "--json")])\n'
            "def test(p, name, more):\n    p.run(name, more)",
            {"fit": {"-q", "--json"}, "show": {"-q", "--json"}},
        ),
        (
            'NAMES = ("fit", "show")\n@pytest.mark.parametrize("name", NAMES)\n'
            'def test(p, name):\n    p.run(name, "-q")',
            {"fit": {"-q"}, "show": {"-q"}},
        ),
        (
            'def asked(p, *arguments):\n    return p.run("list", *arguments)\ndef test(p):\n    asked(p, "--json")',
            {"list": {"--json"}},
        ),
        (
            'def test():\n    subprocess.run([sys.executable, "-m", "trainer_cli", "show", "--json"])',
            {"show": {"-m", "--json"}},
        ),
        ('def test(p):\n    p.run("--version")', {"": {"--version"}}),
    ],
)
def test_what_runs_a_command_is_found(source, found):
    assert {command: flags for command, flags in typed(source).items() if flags} == found


@pytest.mark.parametrize(
    "source",
    [
        'def test(p):\n    """trainer fit --quiet"""\n    assert "--quiet" in p.run("fit").stderr',
        'def test(p):\n    p.run("fit", "c.yaml")\n    expected = ["fit", "--quiet"]',
        'def test(p):\n    p.run("show", "--quiet")\n    p.run("fit", "c.yaml")',
        'def test(p):\n    asked("fit", "--quiet")',
        'def test(p):\n    CliRunner().invoke(application(["fit"]), ["fit", "--quiet"])',
        'def asked(p, *arguments):\n    return plain(*arguments)\ndef test(p):\n    asked(p, "fit", "--quiet")',
    ],
)
def test_words_that_run_nothing_do_not_count(source):
    assert "--quiet" not in typed(source)["fit"]


@pytest.fixture(scope="module")
def tested(root) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for folder in ("cli", "training"):
        for path in (root / "tests" / folder).glob("*.py"):
            for command, flags in typed(path.read_text(encoding="utf-8")).items():
                found[command] |= flags
    return found


@pytest.mark.parametrize("name", ["", *app.COMMANDS])
def test_a_test_types_every_option(tested, name):
    command = GROUP.commands[name] if name else GROUP
    assert name in tested
    untested = [
        spelling
        for parameter in command.params
        for spelling in [*parameter.opts, *parameter.secondary_opts]
        if spelling.startswith("-") and spelling not in tested[name]
    ]
    assert untested == []
