"""Every rule of the YAML reader: scalars, places, structure, and what is refused at which line and column."""

from __future__ import annotations

import math
import time

import pytest

from trainer_cli.config.source import MAX_DEPTH, SourceTree, parse, read_file
from trainer_cli.errors import ConfigError, Place


def values(text):
    return parse(text, "c.yaml").plain()


def problem(text):
    with pytest.raises(ConfigError) as caught:
        parse(text, "c.yaml")
    (found,) = caught.value.problems
    return found


def where(text):
    return str(problem(text).place)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("-.5", -0.5),
        ("+1", 1),
        ("+1.", 1.0),
        ("0.1", 0.1),
        ("-0.0", -0.0),
        ("6.02e+23", 6.02e23),
        ("010", 10),
        ("-007", -7),
        ("0o17", 15),
        ("0x1F", 31),
        ("12345678901234567890123", 12345678901234567890123),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("null", None),
        ("Null", None),
        ("~", None),
        ("", None),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
    ],
)
def test_a_plain_scalar_follows_the_core_schema(text, expected):
    value = values(f"a: {text}")["a"]
    assert value == expected
    assert type(value) is type(expected)
    assert math.copysign(1, value or 0) == math.copysign(1, expected or 0)


def test_not_a_number_is_a_number():
    assert math.isnan(values("a: .nan")["a"])


@pytest.mark.parametrize(
    "text",
    [
        *("no", "No", "yes", "on", "off", "y", "n", "tRUE", "nULL", "none", "None"),
        *("12:30", "1:2:3", "2024-01-01", "2001-12-14t21:59:43.10-05:00"),
        *("1_000", "1e", "e3", ".", "-x", "+", "0b11", "0o8", "0xG", "-0x1", "1.2.3", "1e5.0", "inf", "nan", "٣", "="),
    ],
)
def test_everything_else_is_a_text(text):
    assert values(f"a: {text}") == {"a": text}


@pytest.mark.parametrize("text", ["'1'", '"1"', "|-\n  1", ">-\n  1", "!!str 1", "! 1"])
def test_quotes_blocks_and_the_text_tag_make_a_text(text):
    assert values(f"a: {text}") == {"a": "1"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("!!int '3'", 3),
        ("!!float 3", 3.0),
        ("!!bool true", True),
        ("!!null ''", None),
        ("!!map {}", {}),
        ("!!seq []", []),
    ],
)
def test_tags_of_the_core_schema_are_known(text, expected):
    value = values(f"a: {text}")["a"]
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: !!python/object:os.system x", "the tag `!!python/object:os.system` is not supported"),
        ("a: !thing {}", "the tag `!thing` is not supported"),
        ("a: !!set {}", "the tag `!!set` is not supported"),
        ("a: !!binary aGk=", "the tag `!!binary` is not supported"),
        ("a: !!timestamp 2024-01-01", "the tag `!!timestamp` is not supported"),
        ("a: !!int x", "`x` does not fit its tag `!!int`"),
        ("a: !!int true", "`true` does not fit its tag `!!int`"),
        ("a: !!bool 1", "`1` does not fit its tag `!!bool`"),
        ("a: !e!tag x", "tags such as `!name` are not supported"),
    ],
)
def test_other_tags_are_refused(text, message):
    assert problem(text).message == message
    assert where(text) == "c.yaml:1:4"


def test_an_infinite_number_must_be_spelled_out():
    assert problem("a: 1e999").message == "the number 1e999 is too large"


@pytest.mark.parametrize("digits", ["9" * 100_000, "0x" + "f" * 100_000, "1." + "0" * 100_000, "1e" + "9" * 100_000])
def test_endless_numbers_are_refused_at_once(digits):
    begin = time.perf_counter()
    assert problem(f"a: {digits}").message == f"a number of {len(digits)} digits is too long"
    assert time.perf_counter() - begin < 5  # int() of so many digits alone would take minutes at ten times as many


def test_places_of_keys_and_values():
    text = "name: x\nfit:\n  epochs: 3\n  'batch_size' : 32\nlayers:\n  - dense\n  - {type: dropout, rate: .5}\n"
    tree = SourceTree(parse(text, "c.yaml"), "c.yaml")
    fit = tree.root.value["fit"]
    assert str(tree.place(("name",))) == "c.yaml:1:7"
    assert str(fit.key) == "c.yaml:2:1"
    assert str(fit.place) == "c.yaml:3:3"
    assert str(tree.place(("fit", "batch_size"))) == "c.yaml:4:18"
    assert str(fit.value["batch_size"].key) == "c.yaml:4:3"
    assert str(tree.place(("layers", 0))) == "c.yaml:6:5"
    assert str(tree.place(("layers", 1, "rate"))) == "c.yaml:7:27"
    assert tree.place(("layers", 1, "rate")).text == "  - {type: dropout, rate: .5}"


def test_columns_count_characters_and_lines_end_as_the_parser_sees_them():
    tree = SourceTree(parse("ключ: 日本\r\nb:\u2028  c: é\n", "c.yaml"), "c.yaml")
    assert str(tree.place(("ключ",))) == "c.yaml:1:7"
    assert str(tree.place(("b", "c"))) == "c.yaml:3:6"
    assert tree.place(("b", "c")).text == "  c: é"


def test_a_value_that_is_not_given_stands_where_its_owner_stands():
    tree = SourceTree(parse("optimizer:\n  type: adam\nloss: mse\narchitecture:\n- dense\n", "c.yaml"), "c.yaml")
    assert str(tree.place(("optimizer", "beta_1"))) == "c.yaml:1:1"
    assert str(tree.place(("loss", "delta"))) == "c.yaml:3:1"
    assert str(tree.place(("architecture", 0, "units"))) == "c.yaml:5:3"
    assert str(tree.place(())) == "c.yaml:1:1"
    assert tree.place(("freeze", 0)) is None


@pytest.mark.parametrize("path", [("architecture", 0, "use_bias"), ("architecture", "layers", 0, "use_bias")])
@pytest.mark.parametrize("text", ["architecture: [{useBias: 1}]", "architecture: {layers: [{useBias: 1}]}"])
def test_places_are_found_in_either_case_and_either_form_of_architecture(path, text):
    tree = SourceTree(parse(text, "c.yaml"), "c.yaml")
    assert tree.place(path).column == text.index("1") + 1


def test_aliases_and_anchors():
    assert values("a: &x {p: 1}\nb: *x\nc: [*x, &y 2, *y]") == {"a": {"p": 1}, "b": {"p": 1}, "c": [{"p": 1}, 2, 2]}


def test_aliases_are_copies():
    tree = parse("a: &x {p: 1}\nb: *x\n", "c.yaml")
    tree.value["b"].value["p"].value = 2
    assert tree.plain() == {"a": {"p": 1}, "b": {"p": 2}}


def test_merge_keys():
    text = "a: &a {p: 1, q: 1}\nb: &b {q: 2, r: 2}\nc: {<<: *a, p: 3}\nd:\n  r: 4\n  <<: [*a, *b]\n"
    merged = values(text)
    assert merged["c"] == {"p": 3, "q": 1}
    assert merged["d"] == {"p": 1, "q": 1, "r": 4}


def test_a_whole_number_as_a_key_is_the_text_of_it():
    assert parse("{0: a, '1': b, 0x10: c}", "c.yaml").plain() == {"0": "a", "1": "b", "16": "c"}


def test_a_quoted_merge_key_is_a_key():
    assert values("'<<': 1") == {"<<": 1}


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("a: 1\nb: 2\na: 3", "the key `a` is given twice (first on line 1)", "c.yaml:3:1"),
        ("x: {a: 1, 'a': 2}", "the key `a` is given twice (first on line 1)", "c.yaml:1:11"),
        ("<<: {a: 1}\n<<: {b: 1}", "the merge key `<<` is given twice", "c.yaml:2:1"),
        ("a: 1\n<<: 3", "`<<` merges a mapping, or a list of mappings", "c.yaml:2:1"),
        ("<<: [{a: 1}, 3]", "`<<` merges a mapping, or a list of mappings", "c.yaml:1:1"),
        ("1.5: a", "the key `1.5` must be a text", "c.yaml:1:1"),
        ("true: a", "the key `true` must be a text", "c.yaml:1:1"),
        ("x: {~: a}", "the key `~` must be a text", "c.yaml:1:5"),
        ("? [a, b]\n: c", "a key must be a text", "c.yaml:1:3"),
        ("a: *b", "no anchor `&b` stands before this alias", "c.yaml:1:4"),
        ("a: &b [*b]", "no anchor `&b` stands before this alias", "c.yaml:1:8"),
        ("a: 1\n---\nb: 2", "a second document begins here; a config is one document", "c.yaml:2:1"),
        ("a:\n\tb: 1", "a tab cannot indent", "c.yaml:2:1"),
        ("a: 1\n\tb: 2", "a tab cannot indent", "c.yaml:2:1"),
        ("a: @x", "a text cannot begin with `@`", "c.yaml:1:4"),
        ("a: `x`", "a text cannot begin with ```", "c.yaml:1:4"),
        ("a: b: c", "a `:` cannot stand here", "c.yaml:1:5"),
        ("x: - a", "a list entry `- ` cannot stand here", "c.yaml:1:4"),
        ("- a\nb: 1", "expected `- `: this line is part of a list", "c.yaml:2:1"),
        ("a: 'x", "a quoted text is not closed", "c.yaml:1:6"),
        ('a: "\\q"', "unknown escape after `\\`", "c.yaml:1:5"),
        ('a: "\\uD800"', "this escape is no character", "c.yaml:1:7"),
        ('a: "x\\0y"', "a NUL character or a lone surrogate cannot stand in a config", "c.yaml:1:4"),
        ("a: b\0", "a NUL byte cannot stand in a config", "c.yaml:1:5"),
        ("a: 1\nb: \x1b[0m", "the control character U+001B cannot stand in a config", "c.yaml:2:4"),
        ("a: \ufeffb", "a byte order mark cannot stand in a config", "c.yaml:1:4"),
        ("[1]]", "the config goes on after its end", "c.yaml:1:4"),
    ],
)
def test_what_is_refused_and_where(text, message, place):
    found = problem(text)
    assert (found.message, str(found.place)) == (message, place)


def test_an_open_bracket_is_named():
    found = problem("a:\n  b: [1, 2\nc: 3\n")
    assert found.message == "expected `,` or `]`"
    assert found.hint == "what opened on line 2, column 6 is not closed"


def test_a_reference_in_braces_needs_quotes():
    found = problem("data: {path: ${env:DATA}}")
    assert found.hint == 'inside `{ }` and `[ ]` write a reference in quotes: "${...}"'


def test_all_problems_that_leave_the_structure_whole_are_told():
    with pytest.raises(ConfigError) as caught:
        parse("a: 1\na: 2\n3.5: 4\nb: !x 1\nc: 1e999\nd: [\n", "c.yaml")
    assert [problem.place.line for problem in caught.value.problems] == [2, 3, 4, 5, 7]


def bomb(levels):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


def test_an_alias_bomb_is_refused_before_it_goes_off():
    begin = time.perf_counter()
    assert problem(bomb(30)).message == "the config expands to more than 100,000 values"
    assert time.perf_counter() - begin < 10  # it would be 10**30 values


def test_aliases_below_the_limit_expand():
    assert len(values(bomb(3))["a2"][9][9]) == 10


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000, "? " * 100_000])
def test_bottomless_nesting_is_refused(text):
    assert problem(text).message == f"the config is nested more than {MAX_DEPTH} levels deep"


def test_nesting_by_aliases_counts():
    lines = ["a0: &a0 [[[[[[[[[[x]]]]]]]]]]"] + [f"a{n}: &a{n} [[[[[[[[[[*a{n - 1}]]]]]]]]]]" for n in range(1, 12)]
    assert "nested more than" in problem("\n".join(lines)).message


def test_a_list_of_many_values_is_read():
    assert len(values("a: [" + "1," * 50_000 + "]")["a"]) == 50_000


def test_empty_texts_are_nothing():
    for text in ("", "# only a comment\n", "---\n", "~"):
        assert parse(text, "c.yaml").value is None


def test_nodes_without_a_file_stand_where_they_were_typed():
    fixed = Place("--set a=1", 0, 0)
    assert parse("{a: [1]}", "", fixed=fixed).value["a"].value[0].place is fixed


def failure(path):
    with pytest.raises(ConfigError) as caught:
        read_file(path)
    return caught.value.problems[0]


def test_files_that_cannot_be_read(tmp_path):
    assert failure(tmp_path / "none.yaml").message == f"{tmp_path / 'none.yaml'}: there is no such file"
    assert failure(tmp_path).message == f"{tmp_path}: is a folder, not a config file"
    (tmp_path / "file").write_text("x")
    assert str(tmp_path) in failure(tmp_path / "file" / "c.yaml").message
    assert "cannot be read" in failure(tmp_path / "a\0b").message


def test_a_file_that_is_not_text(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_bytes(b"a: 1\nb: caf\xe9\n")
    found = failure(path)
    assert (found.message, str(found.place)) == ("the file is not UTF-8 text", f"{path}:2:7")


def test_a_file_that_is_too_large_is_not_parsed(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_bytes(b"#" * (11 * 2**20))
    assert "larger than 10 MiB" in failure(path).message


def test_a_byte_order_mark_at_the_beginning_is_passed_over(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert parse(read_file(path), "c.yaml").plain() == {"a": 1}
