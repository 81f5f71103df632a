"""`trainer doctor`, as a user types it, on a sound and on a broken installation."""

from __future__ import annotations

import json
import os
import tomllib


def test_doctor_finds_this_installation_sound(project):
    done = project.run("doctor", "--json")
    assert done.returncode == 0, done.stdout
    found = json.loads(done.stdout)
    assert found["ok"]
    checks = {check["name"]: check for check in found["checks"]}
    assert {"Python", "numpy", "numba", "processor", "threads", "cache", "native code"} <= set(checks)
    assert all(check["state"] != "broken" for check in checks.values())
    assert "of their definition" in checks["native code"]["words"]


def test_doctor_warns_of_a_cache_that_cannot_be_written(project):
    (project.folder / "file").write_text("")
    done = project.run("doctor", environment={"TRAINER_CACHE_DIR": "file/cache", "SLURM_CPUS_PER_TASK": "0"})
    assert done.returncode == 0, done.stdout
    assert "warning  cache" in done.stdout
    assert "fix: export TRAINER_CACHE_DIR=" in done.stdout


def test_doctor_lists_the_extras_of_the_project_and_what_installs_them(project, root):
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    # No package is installed where the environment's own are not looked at; trainer finds its needed ones first.
    hidden = (
        "import importlib.metadata as m; m.version = lambda name, f=m.version: f(name) if name in {!r} else f('none')"
    )
    needed = ("typer", "pyyaml", "pydantic", "numpy", "numba", "rich", "safetensors", "llvmlite")
    main = "\nimport sys; sys.argv = ['trainer', 'doctor', '--json']; from trainer_cli.cli.main import main; main()"
    found = json.loads(project.run_script(hidden.format(needed) + main).stdout)
    checks = [check for check in found["checks"] if check["name"].startswith("extra ")]
    assert [check["name"] for check in checks] == [f"extra {name}" for name in extras]
    for check, (name, lines) in zip(checks, extras.items(), strict=True):
        assert check["state"] == "note"
        assert check["fix"] == f"pip install 'trainer-cli[{name}]'"
        assert all(line.partition(">")[0] in check["words"] for line in lines)
    shown = project.run("doctor").stdout
    assert all(f"extra {name}" in shown for name in extras)


def test_doctor_tells_the_size_of_each_part_of_the_cache(project):
    cache = project.folder / "cache"
    environment = {"TRAINER_CACHE_DIR": str(cache)}
    project.run("doctor", environment=environment)
    (cache / "data" / "table").mkdir(parents=True)
    (cache / "data" / "table" / "inputs").write_bytes(b"\0" * 3_000_000)
    (cache / "data" / "table" / "link").symlink_to("/dev/zero")
    found = json.loads(project.run("doctor", "--json", environment=environment).stdout)
    (check,) = [check for check in found["checks"] if check["name"] == "cache"]
    assert check["numbers"]["data_entries"] == 1
    assert check["numbers"]["data_bytes"] == 3_000_000
    kernels = [path for path in (cache / "kernels").rglob("*") if path.is_file()]
    assert check["numbers"]["kernels_bytes"] == sum(path.stat().st_size for path in kernels) > 0
    assert "mapped data 1 (3.0 MB)" in check["words"]


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
