"""What is left out of libraries while they are imported: it saves what it says, and they work as before."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

FRAMES = """
import json, resource
from trainer_cli.cli import main

def leaf(a=1):
    return (a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a)

def faults(depth):
    if depth:
        return faults(depth - 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(500):
        leaf()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def most():
    print(json.dumps(max(map(faults, range(400)))))
"""
METHODS = """
import dataclasses, inspect
from trainer_cli.cli import quick_start
def made(**form):
    @dataclasses.dataclass(**form)
    class Point:
        x: int
        y: list = dataclasses.field(default_factory=list)
    @dataclasses.dataclass(**form)
    class Deep(Point):
        z: int = 3
    return Point, Deep
def behaviour(**form):
    Point, Deep = made(**form)
    a, b, deep = Point(1), Point(2), Deep(1, [], 4)
    found = [repr(a), repr(deep), a == Point(1), a == b, a == deep, deep == Deep(1, [], 4)]
    found += [Point.__doc__, Point.__qualname__]
    found += [str(inspect.signature(Point)), Point.__match_args__, a != b, Point.__eq__.__qualname__]
    refused = [lambda: setattr(deep, "x", 5), lambda: delattr(Point(1), "x"), lambda: hash(Point(1, ())), lambda: a < b]
    for wrong in refused:
        try:
            found.append(wrong())
        except Exception as error:
            found.append(f"{type(error).__name__}: {error}")
    return [*found, repr(a), dataclasses.replace(b, x=7), dataclasses.asdict(deep)]
FORMS = [{}, {"frozen": True}, {"frozen": True, "slots": True}, {"order": True}, {"unsafe_hash": True}]
told = [str(behaviour(**form)) for form in FORMS]
quick_start.put_off_methods()
again = [str(behaviour(**form)) for form in FORMS]
assert told == again, (told, again)
create = dataclasses.__dict__.get("_create_fn")
if create is not None:  # from Python 3.13 on nothing is put off
    Point, Deep = made(frozen=True)
    put_off = Point.__eq__
    assert put_off.__code__.co_filename == quick_start.__file__
    Deep(1) == Deep(2), Point(1) == Point(2)
    assert Point.__eq__ is not put_off
    assert Point.__eq__.__code__.co_filename != quick_start.__file__
"""
MODELS = """
import typing, typing_extensions
before = typing.TypedDict, typing_extensions.TypedDict
from trainer_cli.cli import quick_start
quick_start.import_models()
assert (typing.TypedDict, typing_extensions.TypedDict) == before
from pydantic_core import core_schema
assert not getattr(core_schema.IntSchema, "__total__", None), "it is a TypedDict"
from pydantic import BaseModel, Field, ValidationError
class Point(typing_extensions.TypedDict, total=False):
    x: typing_extensions.Required[int]
    y: float
class Model(BaseModel):
    point: Point
    size: int = Field(ge=1)
assert Model.model_validate({"point": {"x": 1}, "size": 2}).model_dump() == {"point": {"x": 1}, "size": 2}
try:
    Model.model_validate({"point": {"y": 1}, "size": 0})
except ValidationError as error:
    assert [each["loc"] for each in error.errors()] == [("point", "x"), ("size",)]
assert Model.model_json_schema()["$defs"]["Point"]["required"] == ["x"]
"""
NUMPY = """
import sys
from trainer_cli.lazy import import_numpy
import_numpy()
assert not [name for name in sys.modules if name.startswith(("numpy._typing", "numpy._core._add_newdocs"))]
import numpy as np
assert not np.array.__doc__
from numpy.typing import NDArray
assert "numpy._typing" in sys.modules and str(NDArray[np.float32]).startswith("numpy.ndarray")
found = np.linalg.svd(np.eye(3))
assert type(found).__name__ == "SVDResult" and found.S.sum() == 3
np.testing.assert_allclose(np.ma.masked_array([1, 2], [True, False]).sum(), 2)
"""
YAML = """
import re
from trainer_cli.cli import quick_start
before = re.compile
quick_start.import_yaml()
assert re.compile is before
import yaml
assert not isinstance(yaml.reader.Reader.NON_PRINTABLE, re.Pattern), "it is compiled"
text = "{a: 1, b: 0x1f, c: 1e3, d: 2020-01-02, e: yes, f: ~, g: 1.5, h: [.inf]}"
found = yaml.load(text, yaml.SafeLoader)
assert found == yaml.load(text, yaml.CSafeLoader) and str(found["d"]) == "2020-01-02" and found["e"] is True
assert yaml.safe_load(yaml.safe_dump(found)) == found
try:
    yaml.load("a: \\x01", yaml.SafeLoader)
except yaml.reader.ReaderError as error:
    assert error.character == 1
else:
    raise AssertionError("what cannot be printed is no YAML")
"""
MODULES = """
import sys
from trainer_cli.cli import quick_start
quick_start.leave_out_searches()
import pickle, secrets
assert "random" not in sys.modules and "_pickle" not in sys.modules
from secrets import compare_digest, token_hex
assert compare_digest("a", "a") and len(secrets.token_hex(4)) == 8
assert pickle.loads(pickle.dumps([1])) == [1]
assert sys.modules["pickle"].Pickler is pickle.Pickler
class Own(pickle.Pickler):
    pass
import multiprocessing
"""


def run(script: str, root) -> str:
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="page faults are counted")
def test_no_call_asks_for_memory_for_its_frame(root):
    if json.loads(run(f"{FRAMES}\nmost()", root)) < 400:
        pytest.skip("this Python keeps its memory for frames")
    assert json.loads(run(f"{FRAMES}\nmain.main = most\nmain.start()", root)) < 100


@pytest.mark.parametrize(
    "script", [METHODS, MODELS, NUMPY, YAML, MODULES], ids=["methods", "models", "numpy", "yaml", "modules"]
)
def test_libraries_work_as_before(script, root):
    run(script, root)


def test_a_fit_takes_libraries_as_they_are_told_to_be(project):
    script = """
import atexit, sys
sys.argv[1:] = ["fit", "config.yaml", "--target", "reference", "--quiet"]
def look():
    import dataclasses, numpy, typing
    from pydantic_core import core_schema
    print(getattr(core_schema.IntSchema, "__total__", None), numpy.array.__doc__, typing.TypedDict.__module__)
atexit.register(look)
from trainer_cli.cli.main import start
start()
"""
    done = project.run_script(script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "None None typing"
