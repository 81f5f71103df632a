"""`trainer doctor`, as a user types it, on a sound and on a broken installation."""

from __future__ import annotations

import json
import os


def test_doctor_finds_this_installation_sound(project):
    done = project.run("doctor", "--json")
    assert done.returncode == 0, done.stdout
    found = json.loads(done.stdout)
    assert found["ok"]
    checks = {check["name"]: check for check in found["checks"]}
    assert {"Python", "numpy", "numba", "processor", "threads", "plan cache", "native code"} <= set(checks)
    assert all(check["state"] != "broken" for check in checks.values())
    assert "of their definition" in checks["native code"]["words"]


def test_doctor_warns_of_a_cache_that_cannot_be_written(project):
    (project.folder / "file").write_text("")
    done = project.run("doctor", environment={"TRAINER_CACHE_DIR": "file/cache", "SLURM_CPUS_PER_TASK": "0"})
    assert done.returncode == 0, done.stdout
    assert "warning  plan cache" in done.stdout
    assert "fix: export TRAINER_CACHE_DIR=" in done.stdout


def test_doctor_names_the_batch_systems_budget(project):
    done = project.run("doctor", environment={"SLURM_CPUS_PER_TASK": "1"})
    assert done.returncode == 0, done.stdout
    assert "1 by default" in done.stdout
    assert "1 by SLURM_CPUS_PER_TASK" in done.stdout


def test_doctor_names_packages_that_cannot_be_imported(project, root):
    (project.folder / "safetensors.py").write_text("raise ImportError('no such symbol')\n")
    done = project.run("doctor", environment={"PYTHONPATH": f"{project.folder}{os.pathsep}{root}"})
    assert done.returncode == 6
    assert "ImportError: no such symbol" in done.stdout
    assert "pip install" in done.stdout
    assert "ok       Python" in done.stdout
    for flag in ("-q", "--quiet"):
        quiet = project.run("doctor", flag, environment={"PYTHONPATH": f"{project.folder}{os.pathsep}{root}"})
        assert "ok       Python" not in quiet.stdout
        assert "ImportError: no such symbol" in quiet.stdout
