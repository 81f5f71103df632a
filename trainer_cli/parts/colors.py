"""Colors of pixels: images of red, green and blue in, the same ones with stronger colors or with other hues out.

The lightest channel of a pixel says how light it is, and its distance from the darkest one, its chroma, how colored.
Both stay where its hue turns; where its colors become stronger, the other channels move away from the lightest one.
"""

from __future__ import annotations

from trainer_cli.ir import language as ir
from trainer_cli.ir.graph import Value
from trainer_cli.parts.layer import LayerScope


def check_colors(scope: LayerScope, x: Value) -> None:
    """Stop with a config error unless images have three channels."""
    if x.shape[-1] != 3:
        scope.refuse(f"takes images of red, green and blue, not of {x.shape[-1]} channels")


def _light_and_chroma(x: Value) -> tuple[Value, Value]:
    light = ir.reduce_max(x, -1, keepdims=True)
    return light, light + ir.reduce_max(-x, -1, keepdims=True)


def saturated(x: Value, strength: Value, black: float) -> Value:
    """Images whose saturation, chroma divided by lightness above black, is multiplied, and at most 1: strengths
    `(batch, 1, 1, 1)`, images `(batch, height, width, 3)` → the same shape."""
    light, chroma = _light_and_chroma(x)
    most = ir.maximum(light - black, 0.0) / ir.select(ir.greater(chroma, 0.0), chroma, 1.0)
    return light + (x - light) * ir.minimum(ir.broadcast_to(strength, most.shape), most)


def turned(x: Value, turn: Value) -> Value:
    """Images whose hues move along the circle red, green, blue by a fraction of it: turns `(batch, 1, 1, 1)`, images
    `(batch, height, width, 3)` → the same shape."""
    light, chroma = _light_and_chroma(x)
    red, green, blue = (ir.slice_(x, (0, 0, 0, each), (*x.shape[:3], each + 1)) for each in range(3))
    whole = ir.select(ir.greater(chroma, 0.0), chroma, 1.0)
    behind = ir.select(ir.equal(light, green), (blue - red) / whole + 2.0, (red - green) / whole + 4.0)
    # Six sixths are the circle: red is at 0, green at 2, blue at 4.
    hue = ir.select(ir.equal(light, red), (green - blue) / whole, behind) + turn * 6.0
    hue = hue - ir.floor(hue * (1.0 / 6.0)) * 6.0
    apart = ir.absolute(hue - ir.constant(x.graph, (0.0, 2.0, 4.0)))
    share = ir.clip(2.0 - ir.minimum(apart, 6.0 - apart), 0.0, 1.0)
    return light - chroma * (1.0 - share)
