"""The benchmarks of the project: interpreters of peers in; results as JSON, and `docs/performance.md` from them, out.

    python benchmarks/bench.py [PART …] [--peers PYTHON …] [--workload NAME …] [--rounds N] [--page]

Parts: `race` (a step of every workload beside the peers), `startup` (whole processes), `growth` (against batch and
width), `memory`, `products` (of matrices, beside NumPy's BLAS), `barrier` (of threads), `profiles` (the kernels of
every workload). All of them if none is named. `--peers` names an interpreter that has some of torch, jax, keras,
tensorflow and scikit-learn; several may be given, and what none of them has is said to be missing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import growth
import memory
import products
import race
import startup
from contestants import OURS, ROOT, cores, find_peers
from peers import NEEDS
from projects import trainer, write_project
from workloads import WORKLOADS

PARTS = ("race", "startup", "growth", "memory", "products", "barrier", "profiles")
RESULTS = ROOT / "benchmarks" / "results"
LIBRARIES = ("numpy", "numba", "llvmlite")


def processor():
    """The processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def machine():
    doctor = json.loads(trainer("doctor", "--json", folder=ROOT))
    target = next(check["words"] for check in doctor["checks"] if check["name"] == "processor")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    system = f"{platform.system()} {platform.machine()}"
    return {"processor": processor(), "target": target, "cores": cores(), "system": system, "load": load}


def libraries():
    found = {"Python": platform.python_version(), "trainer": trainer("--version", folder=ROOT).strip()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def profile(workload):
    """What `trainer profile` prints for a workload, on one thread, so that each kernel is seen as a whole."""
    with tempfile.TemporaryDirectory() as name:
        config, _ = write_project(workload, Path(name))
        return trainer("profile", config, "--threads", "1", folder=name)


def measure(part, results, options, peers, keep):
    """Run one part; `keep` is called when something is measured."""
    chosen = [WORKLOADS[name] for name in options.workload or WORKLOADS]
    own = results.setdefault(part, {})
    if part == "startup":
        own.update(startup.measure(peers, options.rounds))
    elif part == "products":
        own.update(products.measure(options.rounds, options.shape))
    elif part == "barrier":
        # Loads the compiler, which other parts have no need of.
        import barrier

        own.update(barrier.measure(options.rounds))
    elif part == "growth":
        for name in growth.SWEEPS:
            print(f"{name}: {growth.SWEEPS[name][0]}", flush=True)
            own[name] = growth.measure(name, peers, max(1, options.rounds // 3), options.seconds, options.limit)
            keep()
    else:
        for workload in chosen:
            if part == "race":
                own[workload.name] = race.measure(workload, peers, options.rounds, options.seconds)
            elif part == "memory":
                own[workload.name] = memory.measure(workload)
            else:
                own[workload.name] = profile(workload)
                print(f"{workload.name}: profiled", flush=True)
            keep()
    keep()


def parsed():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of: {', '.join(PARTS)}")
    parser.add_argument("--peers", action="append", default=[], metavar="PYTHON")
    parser.add_argument("--workload", action="append", choices=list(WORKLOADS), metavar="NAME")
    parser.add_argument("--rounds", type=int, default=9, help="turns of every contestant [9]")
    parser.add_argument("--seconds", type=float, default=0.1, help="the least that a turn lasts [0.1]")
    parser.add_argument("--limit", type=int, help="the largest batch and width of `growth`")
    parser.add_argument("--shape", action="append", metavar="nn:ROWSxDEPTHxCOLUMNS", help="one of `products` [all]")
    parser.add_argument("--output", type=Path, help="where the results go [benchmarks/results/TIME.json]")
    parser.add_argument("--page", action="store_true", help="write docs/performance.md from the results")
    options = parser.parse_args()
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return options


def main():
    from trainer_cli.training.checkpoints import write_atomically

    options = parsed()
    began = time.gmtime()
    peers = find_peers([sys.executable, *options.peers])
    missing = [name for name in NEEDS if name != OURS and name not in peers]
    results = {
        "time": time.strftime("%Y-%m-%d %H:%M UTC", began),
        "rounds": options.rounds,
        "machine": machine(),
        "versions": libraries(),
        "peers": {name: peer.versions for name, peer in peers.items()},
        "missing": missing,
    }
    print(f"{results['machine']['processor']}, {cores()} cores")
    for name in missing:
        print(f"{name}: not installed; name an interpreter that has {' and '.join(NEEDS[name])} with --peers")
    output = options.output or RESULTS / time.strftime("%Y%m%dT%H%MZ.json", began)
    output.parent.mkdir(parents=True, exist_ok=True)

    def keep():
        write_atomically(output, (json.dumps(results, indent=1, ensure_ascii=False) + "\n").encode())

    for part in options.parts or PARTS:
        print(f"\n== {part}", flush=True)
        measure(part, results, options, peers, keep)
    print(f"\nwrote {output}")
    if options.page:
        from page import write_page

        write_page(results)


if __name__ == "__main__":
    main()
