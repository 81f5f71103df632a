"""Writes `keras_convolutions.json` beside itself: what Keras computes and learns with convolutions and poolings.

Not a test and never run by one: it needs an environment with `keras` and `jax`. The cases have the form of
`make_keras_blocks.py`, which this file takes its means from.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from make_keras_blocks import RATE, case, jax, keras, normal

layers = keras.layers


def rounded(value: Any) -> Any:
    """Inputs and weights of a few digits take less room; what Keras makes of them keeps all."""
    return value.round(3)


def made(name: str, **arguments: Any) -> Any:
    """Keras's layer of our name: `max_pooling2d` → `MaxPooling2D`."""
    words = re.sub(r"([123])d", r"\1D", name).split("_")
    if name.startswith(("max", "average")):
        arguments = {"pool_size": 2, **arguments}  # one of Keras's poolings has no default
    return getattr(layers, "".join(word[0].upper() + word[1:] for word in words))(**arguments)


def golden(name: str, *shape: int, **arguments: Any) -> dict[str, Any]:
    return case({"type": name, **arguments}, made(name, **arguments), [rounded(normal(*shape))])


def convolutions() -> list[dict[str, Any]]:
    three: dict[str, Any] = {"filters": 2, "kernel_size": 3}
    return [
        golden("conv1d", 2, 6, 2, **three, activation="tanh"),
        golden("conv1d", 2, 7, 2, **three, padding="same", strides=2),
        golden("conv1d", 2, 7, 2, **three, padding="causal", dilation_rate=2),
        golden("conv1d", 2, 6, 4, filters=4, kernel_size=2, groups=2, use_bias=False),
        golden("conv2d", 2, 5, 4, 2, **three),
        golden("conv2d", 2, 5, 6, 1, filters=3, kernel_size=[2, 3], padding="same", strides=[2, 1], activation="elu"),
        golden("conv2d", 1, 6, 6, 2, **three, dilation_rate=2),
        golden("conv2d", 1, 6, 5, 2, **three, dilation_rate=[1, 2], padding="same"),
        golden("conv2d", 2, 4, 4, 4, filters=2, kernel_size=2, groups=2, strides=2, padding="same"),
        golden("conv3d", 1, 4, 3, 4, 2, filters=2, kernel_size=2),
        golden("conv3d", 1, 3, 4, 3, 1, filters=2, kernel_size=[1, 3, 2], padding="same", strides=2),
        golden("depthwise_conv2d", 2, 5, 4, 2, kernel_size=3),
        golden("depthwise_conv2d", 1, 5, 6, 2, kernel_size=[3, 2], depth_multiplier=2, padding="same", strides=2),
        golden("conv2d_transpose", 1, 3, 4, 2, **three),
        golden("conv2d_transpose", 1, 3, 4, 2, **three, strides=2, padding="same", activation="tanh"),
        golden("conv2d_transpose", 1, 3, 2, 2, filters=2, kernel_size=2, strides=3, use_bias=False),
        golden("conv2d_transpose", 1, 3, 2, 1, filters=2, kernel_size=4, strides=2),
        golden("conv2d_transpose", 1, 3, 2, 1, filters=2, kernel_size=3, strides=2, padding="same", output_padding=1),
        golden("conv2d_transpose", 1, 3, 3, 1, filters=2, kernel_size=3, strides=2, output_padding=1),
        golden("conv2d_transpose", 1, 3, 3, 1, filters=2, kernel_size=2, dilation_rate=2, padding="same"),
    ]


def poolings() -> list[dict[str, Any]]:
    cases = []
    spaces = {1: (7,), 2: (5, 4), 3: (4, 3, 3)}
    for dimensions, space in spaces.items():
        for kind in ("max", "average"):
            name = f"{kind}_pooling{dimensions}d"
            cases += [golden(name, 2, *space, 2), golden(name, 2, *space, 2, pool_size=3, strides=2, padding="same")]
            cases.append(golden(f"global_{kind}_pooling{dimensions}d", 2, *space, 3))
    cases += [
        golden("max_pooling2d", 1, 5, 6, 2, pool_size=[3, 2], strides=1),
        golden("average_pooling2d", 1, 5, 6, 2, pool_size=[3, 2], strides=[1, 2]),
        golden("global_max_pooling2d", 2, 2, 3, 2, keepdims=True),
        golden("zero_padding2d", 1, 2, 3, 2),
        golden("zero_padding2d", 1, 2, 3, 2, padding=[0, 2]),
        golden("zero_padding2d", 1, 2, 3, 2, padding=[[1, 0], [0, 2]]),
        golden("up_sampling2d", 1, 2, 3, 2),
        golden("up_sampling2d", 1, 2, 3, 2, size=[1, 3]),
    ]
    return cases


def main() -> None:
    content = {
        "source": f"Keras {keras.__version__} on JAX {jax.__version__}, float64",
        "rate": RATE,
        "convolutions": convolutions(),
        "poolings": poolings(),
    }
    text = json.dumps(content, indent=None, separators=(",", ":"))
    Path(__file__).with_name("keras_convolutions.json").write_text(text.replace('},{"part"', '},\n{"part"') + "\n")


if __name__ == "__main__":
    main()
