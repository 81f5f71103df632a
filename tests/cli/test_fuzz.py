"""Whatever stands in a config, `validate` says ok or what is wrong, soon and within bounded memory: never a traceback.

`TRAINER_FUZZ_CASES` is the number of cases (2,000 by default), `TRAINER_FUZZ_SEED` chooses them.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.mutations import bombs, mutated
from trainer_cli.cli import validate

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
CASES = int(os.environ.get("TRAINER_FUZZ_CASES", "2000"))
SEED = int(os.environ.get("TRAINER_FUZZ_SEED", "0"))
GIGABYTE = 1 << 30
SECONDS = 2.0
COMMANDS = CASES // 100
BY_HYPOTHESIS = CASES // 4
EACH = (CASES - BY_HYPOTHESIS - COMMANDS) // (2 * len(CONFIGS))


def outcome(path: Path) -> tuple[int, str]:
    """Exit code and words of a check in this process, whose time and memory are limited."""
    told = io.StringIO()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        code = validate.check(path)
    seconds = time.process_time() - began
    assert seconds < SECONDS, f"{seconds:.1f} s"
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    assert grown < GIGABYTE, f"{grown:,} bytes"
    return code, told.getvalue()


def checked(folder: Path, content: bytes, codes: tuple[int, ...], what: object) -> None:
    path = folder / "config.yaml"
    path.write_bytes(content)
    try:
        code, told = outcome(path)
    except BaseException as error:
        kept = Path(os.environ.get("TRAINER_FUZZ_KEEP", folder)) / f"failed-{abs(hash(content))}.yaml"
        kept.write_bytes(content)
        raise AssertionError(f"{what}, kept as {kept}: {type(error).__name__}: {error}") from error
    assert code in codes, (what, told[-2000:])
    assert "Traceback" not in told
    assert (code == 0) == ("config.yaml: ok" in told.splitlines()[-1])


@pytest.fixture(scope="module")
def with_data(tmp_path_factory) -> Path:
    """A folder with the data of all configs, so that shapes are known and checked."""
    folder = tmp_path_factory.mktemp("fuzz")
    shutil.copytree(ROOT / "configs" / "data", folder / "data")
    return folder


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_a_mutated_config_is_ok_or_refused(tmp_path, config):
    source = random.Random(f"{SEED} {config.name}")
    text = config.read_bytes()
    for case in range(EACH):
        checked(tmp_path, mutated(text, source), (0, 2), case)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_a_mutated_config_beside_its_data_is_ok_or_refused(with_data, config):
    source = random.Random(f"{SEED} {config.name} with data")
    text = config.read_bytes()
    for case in range(EACH):
        checked(with_data, mutated(text, source), (0, 2, 3), case)  # 3: it names data that is not what it says


@settings(deadline=None, max_examples=BY_HYPOTHESIS, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False), st.sampled_from(CONFIGS), st.binary(max_size=40))
def test_a_config_with_any_bytes_in_it_is_ok_or_refused(tmp_path_factory, source, config, content):
    text = mutated(config.read_bytes(), source)
    place = source.randrange(len(text) + 1)
    folder = tmp_path_factory.getbasetemp()
    checked(folder, text[:place] + content + text[place:], (0, 2), (config.name, content))


def limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (GIGABYTE, GIGABYTE))
    resource.setrlimit(resource.RLIMIT_CPU, (2, 3))


def command(folder: Path, content: bytes) -> subprocess.CompletedProcess[bytes]:
    """The real command on a config, under limits that the system enforces."""
    (folder / "config.yaml").write_bytes(content)
    return subprocess.run(
        [sys.executable, "-m", "trainer_cli", "validate", "config.yaml"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        preexec_fn=limit,
        timeout=60,
    )


@pytest.mark.parametrize("name", bombs())
def test_a_bomb_does_not_explode(tmp_path, name):
    content = bombs()[name]
    done = command(tmp_path, content)
    codes = (0, 2, 3) if b"path:" in content else (0, 2)  # 3: the data is not what the config says
    assert done.returncode in codes, (done.returncode, done.stderr[-2000:])
    assert b"Traceback" not in done.stderr
    assert b"\x1b" not in done.stderr + done.stdout
    assert len(done.stderr) < 100_000
    assert not (tmp_path / "owned").exists()


def test_the_real_command_ends_as_the_check_does(tmp_path):
    source = random.Random(f"{SEED} command")
    for _ in range(COMMANDS):
        content = mutated(source.choice(CONFIGS).read_bytes(), source)
        done = command(tmp_path, content)
        assert done.returncode in (0, 2), (done.returncode, content, done.stderr[-2000:])
        assert (done.returncode, b"Traceback" in done.stderr) == (outcome(tmp_path / "config.yaml")[0], False)
