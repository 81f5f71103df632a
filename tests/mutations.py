"""A valid config in; configs out that differ from it by what people mistype, editors mangle and enemies send."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import yaml

from trainer_cli.parts.families import FAMILIES

PIECES = [
    *(b"", b" ", b"\n", b"\t", b":", b": ", b"- ", b"[", b"]", b"{", b"}", b",", b"'", b'"', b"#", b"|", b">", b"%"),
    *(b"&a ", b"*a", b"!", b"!!int ", b"!!python/object/apply:os.system [true]", b"<<: ", b"---\n", b"...\n"),
    *(
        b"${",
        b"${a}",
        b"${fit}",
        b"${env:HOME}",
        b"${data.path}",
        b"null",
        b"type",
        b"\0",
        b"\xff\xfe",
        b"\xed\xa0\x80",
    ),
    *("\u2028é\ufeff".encode(), b"\x1b[31m", b"9" * 400, b"1e999", b"-1", b"0x", b"a: b: c"),
]
VALUES: list[Callable[[random.Random], Any]] = [
    lambda _: None,
    lambda _: True,
    lambda source: source.choice([0, -1, 1, 2, 3, 7, 10**6, 10**9, 10**12, 2**63, -(2**63), 10**30, 10**400]),
    lambda source: source.choice([0.0, -0.0, 0.5, 1e-300, 1e308, -1e308, float("inf"), float("nan")]),
    lambda source: source.choice(["", " ", "a", "../x", "${", "no", "1e3", "x" * 10_000, "é\n"]),
    lambda source: source.choice([[], [[]], {}, {"": {}}, {"type": None}, {"type": []}, {"type": "type"}]),
    lambda source: [source.choice([0, 1, 10**12, -5, "a", None])] * source.randrange(1, 5),
    lambda source: {"type": source.choice(part_names())},
    lambda source: source.choice(part_names()),
    lambda source: nested(source.randrange(2, 300), source.choice([list, dict])),
    lambda source: [1] * source.choice([10, 100, 3_000]),
]


def part_names() -> list[str]:
    """Every name that can stand behind `type:`."""
    if not _names:
        _names.extend(name for family in FAMILIES for name in family.names())
    return _names


_names: list[str] = []


def nested(depth: int, kind: type) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if kind is list else {"a": value}
    return value


def mutated(text: bytes, source: random.Random) -> bytes:
    """One mutation of a config, or a few of them."""
    for _ in range(source.choice([1, 1, 1, 2, 4])):
        text = source.choice([_bytes, _lines, _tree, _tree, _tree])(text, source)
    return text


def _bytes(text: bytes, source: random.Random) -> bytes:
    place = source.randrange(len(text) + 1)
    removed = source.choice([0, 0, 1, 3, 40, len(text)])
    return text[:place] + source.choice(PIECES) + text[place + removed :]


def _lines(text: bytes, source: random.Random) -> bytes:
    lines = text.split(b"\n")
    first, second = (source.randrange(len(lines)) for _ in range(2))
    kind = source.randrange(5)
    if kind == 0:
        lines.insert(first, lines[second])  # a key twice, a layer twice
    elif kind == 1:
        lines[first], lines[second] = lines[second], lines[first]
    elif kind == 2:
        lines[first] = source.choice([b" ", b"   ", b"\t", b""]) + lines[first].lstrip()
    elif kind == 3:
        del lines[first:second]
    else:
        lines = lines * source.choice([2, 50])
    return b"\n".join(lines)


def _tree(text: bytes, source: random.Random) -> bytes:
    try:
        tree = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, IndexError, RecursionError):  # PyYAML's own words for an empty `!!int`
        return _bytes(text, source)
    places = list(_places(tree))
    if not places:
        return _bytes(text, source)
    holder, key = source.choice(places)
    kind = source.randrange(8)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        holder[source.choice(["", "typ", "type", "name", "units", "x", "inputs", "layers"])] = holder.pop(key)
    elif kind == 2:
        other, name = source.choice(places)
        holder[key] = other.get(name) if isinstance(other, dict) else other[name] if name < len(other) else None
    elif kind == 3 and isinstance(holder, list):
        holder *= source.choice([0, 2, 30])
    else:
        holder[key] = source.choice(VALUES)(source)
    try:
        return yaml.dump(tree, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False).encode(
            "utf-8", "surrogatepass"
        )
    except (yaml.YAMLError, ValueError, RecursionError, TypeError):
        return text


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every value, as the collection that holds it and its key."""
    seen = set()
    stack = [tree]
    while stack:
        holder = stack.pop()
        if id(holder) in seen or not isinstance(holder, dict | list):
            continue
        seen.add(id(holder))
        keys = list(holder) if isinstance(holder, dict) else range(min(len(holder), 50))
        for key in keys:
            yield holder, key
            stack.append(holder[key])


def bombs() -> dict[str, bytes]:
    """Files made to use up time or memory, or to reach what no config should reach."""
    laughs = b"a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + b"".join(
        b"a%d: &a%d [%s]\n" % (level, level, b", ".join([b"*a%d" % (level - 1)] * 9)) for level in range(1, 10)
    )
    merges = b"a0: &a0 {x: 1, y: 2}\n" + b"".join(
        b"a%d: &a%d {<<: [%s], k%d: *a%d}\n" % (level, level, b", ".join([b"*a%d" % (level - 1)] * 9), level, level - 1)
        for level in range(1, 10)
    )
    deep = 1_000_000
    dense = b"architecture:\n  - {type: input, shape: [4]}\n"
    return {
        "billion laughs": laughs,
        "billion laughs by merging": merges,
        "an anchor that holds itself": b"a: &a [*a, *a]\n",
        "brackets": b"[" * deep,
        "braces": b"{a: " * deep,
        "dashes": b"- " * deep,
        "question marks": b"? " * deep,
        "indented": b"".join(b" " * level + b"a:\n" for level in range(2_000)),
        "closed brackets": b"[" * 10_000 + b"]" * 10_000,
        "tags": b"!" * deep,
        "quotes": b'"' + b"\\x41" * deep,
        "a long key": b"k" * 5_000_000 + b": 1\n",
        "a long text": b"name: " + b"x" * 9_000_000,
        "many keys": b"".join(b"k%d: 1\n" % number for number in range(150_000)),
        "many wrong layers": b"architecture:\n" + b"  - {type: dens, unit: 3}\n" * 20_000,
        "many layers": dense + b"  - {type: dense, units: 3}\n" * 20_000,
        "one key many times": b"name: a\n" * 200_000,
        "a long number": b"seed: " + b"9" * 1_000_000,
        "a long fraction": b"seed: 0." + b"9" * 1_000_000,
        "a number in base sixty": b"seed: " + b"59:" * 100_000 + b"59",
        "an exponent": b"seed: 1e999999999999\noptimizer: {type: adam, learning_rate: 1e-999999999}",
        "many units": dense + b"  - {type: dense, units: 1000000000000}\n  - {type: dense, units: 1000000000000}\n",
        "more units than a number holds": dense + b"  - {type: dense, units: 1" + b"0" * 40 + b"}\n",
        "units of 400 digits": dense + b"  - {type: dense, units: 1" + b"0" * 400 + b"}\n",
        "a batch of 400 digits": dense + b"fit: {epochs: 1%s, batch_size: 1%s}\n" % (b"0" * 400, b"0" * 400),
        "a large input": b"architecture:\n  - {type: input, shape: [1000000, 1000000, 1000000]}\n  - flatten\n",
        "many pixels": b"architecture:\n  - {type: input, shape: [100000, 100000, 3]}\n"
        b"  - {type: conv2d, filters: 1000000000, kernel_size: 99999}\n",
        "many steps": b"architecture:\n  - {type: input, shape: [1000000000, 4]}\n  - {type: lstm, units: 4}\n",
        "as many layers as may be": dense + b"  - {type: dense, units: 3}\n" * 4_999,
        "a long list": dense + b"metrics: [" + b"1, " * 95_000 + b"]\n",
        "a longer list": dense + b"metrics: [" + b"1, " * 1_000_000 + b"]\n",
        "many copies": dense + b"  - {type: repeat_vector, n: 1000000000000}\n",
        "many classes": dense + b"  - {type: category_encoding, num_tokens: 1000000000000}\n",
        "many phases": dense + b"phases: [" + b"{}, " * 50_000 + b"]\n",
        "references in a circle": b"name: ${seed}\nseed: ${name}\n",
        "references that grow": b"".join(b"k%d: '${k%d}${k%d}'\n" % (n, n + 1, n + 1) for n in range(40)) + b"k40: x\n",
        "a chain of references": b"".join(b"k%d: ${k%d}\n" % (n, n + 1) for n in range(5_000)) + b"k5000: 1\n",
        "python objects": b"name: !!python/object/apply:os.system ['touch owned']\n",
        "NUL": b"name: a\0b\n",
        "zeros": b"\0" * 1_000_000,
        "latin-1": "name: é\n".encode("latin-1"),
        "UTF-16": "name: a\n".encode("utf-16"),
        "UTF-32": "name: a\n".encode("utf-32"),
        "surrogates": b"name: \xed\xa0\x80\n",
        "a lone surrogate": b'name: "\\ud800"\n',
        "escapes of a terminal": b'name: "\\e[2J\\e]0;owned\\a"\nsead: 1\n',
        "a device": b"data: {type: csv, path: /dev/zero, target: a}\n" + dense,
        "a device without end": b"data: {type: csv, path: /dev/urandom, target: a}\n" + dense,
        "a folder": b"data: {type: csv, path: /, target: a}\n" + dense,
        "a glob of everything": b"data: {type: csv, path: '/**/*', target: a}\n" + dense,
        "a path with NUL": b'data: {type: csv, path: "a\\0b", target: a}\n' + dense,
        "a long path": b"data: {type: csv, path: " + b"a/" * 100_000 + b"x.csv, target: a}\n" + dense,
        "nothing": b"",
        "a comment": b"# nothing\n",
        "a byte order mark": b"\xef\xbb\xbf",
    }
