"""How long deep networks take to compile: CPU seconds of its processes, from an empty cache and from a warm one.

    python benchmarks/compile.py [NAME …]

Networks: a Transformer over 64 tokens (64 wide, 4 heads, MLP of 128) with 1, 4 and 12 blocks, and a residual network
with batch normalization on images of 32 × 32 with 3, 6 and 9 blocks of two convolutions. `kernels` counts the calls of
a training step, `distinct` what had to be compiled for them, `again` what evaluation needs besides.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

from workloads import residual_workload, transformer_workload

NETWORKS = {
    workload.name: workload
    for workload in (
        *(transformer_workload(f"transformer-{blocks}", blocks) for blocks in (1, 4, 12)),
        *(residual_workload(f"residual-{2 * blocks + 1}", blocks) for blocks in (3, 6, 9)),
    )
}


def compile_here(name):
    """Compile a network's plans of training and evaluation in this process, which has done nothing before."""
    from trainer_cli.compiler.program import InputSpec, build_program
    from trainer_cli.config.schema import Config
    from trainer_cli.targets.cpu.plan import Plan

    workload = NETWORKS[name]
    program = build_program(Config.model_validate(workload.config), InputSpec(workload.shape, workload.dtype))
    training = Plan(program.train, 32, program.input_leaves)
    evaluation = Plan(program.evaluate, 32, program.input_leaves)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = time.process_time() + children.ru_utime + children.ru_stime
    units = training.source.units  # which a plan from the cache finds out only now
    return {
        "seconds": seconds,
        "kernels": len(training.schedule.partition.kernels),
        "distinct": len(units),
        "again": sum(unit not in units for unit in evaluation.source.units),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(NETWORKS))
    parser.add_argument("--here", action="store_true")
    options = parser.parse_args()
    if options.here:
        print(json.dumps(compile_here(options.names[0])))
        return
    print(f"{'':16}{'cold':>9}{'warm':>9}{'kernels':>9}{'distinct':>10}{'again':>7}")
    for name in options.names:
        with tempfile.TemporaryDirectory() as cache:
            command = [sys.executable, __file__, name, "--here"]
            environment = {**os.environ, "TRAINER_CACHE_DIR": cache}
            cold, warm = (
                json.loads(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
                for _ in range(2)
            )
        counts = f"{cold['kernels']:9}{cold['distinct']:10}{cold['again']:7}"
        print(f"{name:16}{cold['seconds']:7.1f} s{warm['seconds']:7.1f} s{counts}", flush=True)


if __name__ == "__main__":
    main()
