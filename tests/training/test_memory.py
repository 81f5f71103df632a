"""A model that the machine cannot hold is refused before anything is allocated."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from trainer_cli.errors import ResourceError
from trainer_cli.training import memory


def program(**sizes):
    return SimpleNamespace(
        parameters=sum(sizes.values()),
        weights={name: SimpleNamespace(size=size) for name, size in sizes.items()},
        slots={"kernel/momentum": SimpleNamespace(shape=(10, 5))},
        layers=[SimpleNamespace(name="a", output_shape=(3,)), SimpleNamespace(name="b", output_shape=(4, 5))],
    )


def test_needed_memory_is_state_and_one_batch_of_the_largest_output():
    assert memory.needed_bytes(program(kernel=50, bias=5), 8) == 4 * (55 + 50 + 20 * 8)


@pytest.fixture
def machine(tmp_path):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9000 kB\nMemFree: 1 kB\nMemAvailable: 5000 kB\n")
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    return tmp_path


def test_free_memory_is_what_the_machine_has(machine):
    assert memory.free_bytes(machine) == 5000 * 1024


def test_a_control_group_may_leave_less(machine):
    (machine / "sys/fs/cgroup/memory.max").write_text("max\n")
    (machine / "sys/fs/cgroup/memory.current").write_text("1000\n")
    assert memory.free_bytes(machine) == 5000 * 1024
    (machine / "sys/fs/cgroup/memory.max").write_text("4000\n")
    assert memory.free_bytes(machine) == 3000


def test_too_large_a_model_names_its_largest_weight(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 2 * 10**9)
    memory.check_memory(program(kernel=10**8), 1)
    with pytest.raises(ResourceError, match=r"at least 4\.4 GB .* 2\.0 GB are free; .*kernel with 4\.0 GB"):
        memory.check_memory(program(kernel=10**9, bias=10**8), 1)


def test_without_knowledge_nothing_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: None)
    memory.check_memory(program(kernel=10**15), 1)


def test_a_model_without_large_weights_names_its_largest_output(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 10**6)
    with pytest.raises(ResourceError, match=r"its largest output is that of b with 0\.1 GB"):
        memory.check_memory(program(), 10**6)
