"""The benchmarks' networks: they compile, and have as many parameters as Keras and PyTorch count in theirs."""

from __future__ import annotations

import pytest

PARAMETERS = {
    "tiny": 2_410,
    "mlp": 101_770,
    "mlp128": 101_770,
    "big": 1_863_690,
    "cnn": 34_826,
    "lstm": 81_674,
    "attention": 69_450,
    "odd": 4_191,
    "residual": 78_042,
    "characters": 79_553,
}


def test_every_workload_is_known_here():
    from workloads import WORKLOADS

    assert set(WORKLOADS) == set(PARAMETERS)


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_workload_compiles_to_as_many_parameters_as_its_peers_have(name):
    from workloads import WORKLOADS

    from trainer_cli.compiler.program import InputSpec, build_program
    from trainer_cli.config.schema import Config

    workload = WORKLOADS[name]
    program = build_program(Config.model_validate(workload.config), InputSpec(workload.shape, workload.dtype))
    assert sum(program.weights[weight].size for weight in program.trainable_weights) == PARAMETERS[name]
    assert program.outputs["prediction"].shape[-1] == workload.classes
    x, y = workload.rows()
    assert len(x) == len(y) == workload.batch * workload.steps
    assert x.dtype.name == workload.dtype


def test_layers_name_what_they_read():
    from workloads import connected, is_chain

    layers = connected([{"type": "dense", "units": 2, "name": "a"}, "flatten", {"type": "add", "inputs": ["a", "a"]}])
    assert [layer.inputs for layer in layers] == [(0,), (1,), (1, 1)]
    assert layers[0].arguments == {"units": 2}
    assert not is_chain(layers)
    assert is_chain(layers[:2])
