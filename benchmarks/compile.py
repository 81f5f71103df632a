"""How long deep networks take to compile: CPU seconds of a process, from an empty cache and from a warm one.

    python benchmarks/compile.py [NAME …]

Networks: a Transformer over 64 tokens (64 wide, 4 heads, MLP of 128) with 1, 4 and 12 blocks, and a residual network
with batch normalization on images of 32 × 32 with 3, 6 and 9 blocks of two convolutions. `kernels` counts the calls of
a training step, `distinct` what had to be compiled for them, `again` what evaluation needs besides.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time


def transformer(blocks):
    layers = [
        {"type": "input", "shape": [64], "dtype": "int32"},
        {"type": "embedding", "input_dim": 65, "output_dim": 64},
        {"type": "position_embedding", "sequence_length": 64, "name": "end_0"},
    ]
    for n in range(blocks):
        layers += [
            {"type": "layer_normalization", "inputs": [f"end_{n}"]},
            {"type": "multi_head_attention", "num_heads": 4, "key_dim": 16, "causal": True, "name": f"attention_{n}"},
            {"type": "add", "name": f"middle_{n}", "inputs": [f"end_{n}", f"attention_{n}"]},
            {"type": "layer_normalization"},
            {"type": "dense", "units": 128, "activation": "gelu"},
            {"type": "dense", "units": 64, "name": f"mlp_{n}"},
            {"type": "add", "name": f"end_{n + 1}", "inputs": [f"middle_{n}", f"mlp_{n}"]},
        ]
    return [*layers, "layer_normalization", {"type": "dense", "units": 65, "activation": "softmax"}], (64,), "int32"


def residual(blocks):
    def convolution(filters, **other):
        return {"type": "conv2d", "filters": filters, "kernel_size": 3, "padding": "same", "use_bias": False, **other}

    layers = [convolution(16), "batch_normalization", {"type": "activation", "activation": "relu", "name": "end_0"}]
    filters = 16
    for n in range(blocks):
        wide = 16 << n * 3 // blocks
        strides, before = 1 if wide == filters else 2, f"end_{n}"
        layers += [
            convolution(wide, strides=strides, inputs=[before]),
            "batch_normalization",
            {"type": "activation", "activation": "relu"},
            convolution(wide),
            {"type": "batch_normalization", "name": f"branch_{n}"},
        ]
        if wide != filters:
            layers += [
                convolution(wide, kernel_size=1, strides=strides, inputs=[before]),
                {"type": "batch_normalization", "name": f"shortcut_{n}"},
            ]
            before = f"shortcut_{n}"
        layers += [
            {"type": "add", "inputs": [before, f"branch_{n}"]},
            {"type": "activation", "activation": "relu", "name": f"end_{n + 1}"},
        ]
        filters = wide
    return [*layers, "global_average_pooling2d", {"type": "dense", "units": 10, "activation": "softmax"}], (32, 32, 3)


NETWORKS = {
    **{f"transformer-{blocks}": (transformer, blocks) for blocks in (1, 4, 12)},
    **{f"residual-{2 * blocks + 1}": (residual, blocks) for blocks in (3, 6, 9)},
}


def compile_here(name):
    """Compile a network's plans of training and evaluation in this process, which has done nothing before."""
    from trainer_cli.compiler.program import InputSpec, build_program
    from trainer_cli.config.schema import Config
    from trainer_cli.targets.cpu.plan import Plan

    make, blocks = NETWORKS[name]
    layers, *spec = make(blocks)
    config = {"architecture": layers, "optimizer": "adam", "loss": "sparse_categorical_crossentropy"}
    program = build_program(Config.model_validate(config), InputSpec(*spec))
    training = Plan(program.train, 32, program.input_leaves)
    evaluation = Plan(program.evaluate, 32, program.input_leaves)
    units = training.source.units
    return {
        "seconds": time.process_time(),
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
