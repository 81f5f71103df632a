"""Stored numbers of Keras 3 and TensorFlow.js in; `docs/parts/agreement.md`, how far the program is from them, out.

The numbers stand in `tests/golden/`, with the scripts that had the libraries compute them. An error is the largest
difference of an array's elements, relative to the largest of the library's.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.golden_layers import GoldenLayer, Learning  # noqa: E402
from tests.measures import NOT_IN_KERAS, STAND_FOR_OTHERS, metric, stream  # noqa: E402
from tests.native import NativeGraph, reference  # noqa: E402
from tests.parts import test_tfjs as tfjs  # noqa: E402
from tests.parts.layers.test_coverage import CLOSED_FORMS  # noqa: E402
from tests.steppers import Stepper, Trainer  # noqa: E402
from trainer_cli.compiler.gradient import gradients  # noqa: E402
from trainer_cli.ir import language as ir  # noqa: E402
from trainer_cli.ir.graph import BATCH, Graph, Value  # noqa: E402
from trainer_cli.parts.constraints.max_norm import MaxNorm  # noqa: E402
from trainer_cli.parts.families import ACTIVATIONS, LAYERS, LOSSES, METRICS, OPTIMIZERS, Family, read_part  # noqa: E402
from trainer_cli.parts.loss import Prediction  # noqa: E402

PAGE = ROOT / "docs" / "parts" / "agreement.md"
GOLDEN = ROOT / "tests" / "golden"
MOST = 1e-5
"""What no line may exceed."""

Errors = dict[str, float]
COLUMNS = (
    "inference",
    "training",
    "gradients",
    "losses of the steps",
    "weights after the steps",
    "natively in float32",
)

REASONS = {
    **{("metric", name): "not in Keras; compared with scikit-learn in the tests" for name in NOT_IN_KERAS},
    **{("metric", name): "stands for one of the others" for name in STAND_FOR_OTHERS},
    **{("layer", name): "not in Keras; compared with a closed form in the tests" for name in CLOSED_FORMS},
    ("layer", "block"): "stands for its layers",
    ("layer", "shared"): "is the layer that it names",
    ("layer", "input"): "computes nothing",
    ("layer", "masking"): "compared in the tests, with the layers behind it",
    ("layer", "integer_lookup"): "gives whole numbers; compared with a closed form in the tests",
    ("layer", "random_crop"): "random at every use; compared with a closed form in the tests",
    **{
        ("layer", name): "random in training"
        for name in ("random_flip", "alpha_dropout", "dropout", "gaussian_dropout")
    },
    ("layer", "gaussian_noise"): "random in training",
    **{("layer", f"spatial_dropout{n}d"): "random in training" for n in (1, 2, 3)},
}
"""Why a part has no numbers, or numbers of inference alone."""


def apart(found: Any, expected: Any) -> float:
    """The largest difference, relative to the largest element."""
    wanted = np.asarray(expected, np.float64)
    assert np.shape(found) == wanted.shape
    if not wanted.size:
        return 0.0
    return float(np.abs(np.asarray(found, np.float64) - wanted).max() / max(np.abs(wanted).max(), 1e-3))


def cases(*groups: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Everything that Keras has computed under these keys of the files, with the file."""
    for path in sorted(GOLDEN.glob("keras_*.json")):
        content = json.loads(path.read_text())
        for key, group in content.items():
            if isinstance(group, list) and (key in groups or "*" in groups):
                for case in group:
                    if isinstance(case, dict) and "part" in case:
                        yield case, content


def layer(case: dict[str, Any], file: dict[str, Any]) -> Errors:
    golden = GoldenLayer(case, file["rate"], file.get("optimizer", "adam"))
    errors = {}
    if "inferred" in case:
        errors["inference"] = apart(golden.inferred(), case["inferred"])
    if "value" in case:
        steps = len(case["losses"])
        errors |= learning(case, golden.learn(steps))
        inferred, native = golden.learn_natively(steps)
        found = learning(case, native)
        if file.get("optimizer") != "sgd":  # Adam makes steps of gradients that are nothing but rounding
            del found["weights after the steps"]
        if "inferred" in case:
            found["inference"] = apart(inferred, case["inferred"])
        errors["natively in float32"] = max(found.values())
    return errors


def learning(case: dict[str, Any], found: Learning) -> Errors:
    slopes = [apart(slope, case["gradients"][name]) for name, slope in found.by_weight.items()]
    slopes += [apart(*pair) for pair in zip(found.by_input, case["input_gradients"], strict=True)]
    trained = [apart(values, case["trained"][name]) for name, values in found.trained.items() if np.size(values)]
    return {
        "training": apart(found.value, case["value"]),
        "gradients": max(slopes, default=0.0),
        "losses of the steps": apart(found.losses, case["losses"]),
        "weights after the steps": max(trained, default=0.0),
    }


def function(
    build: Callable[[Graph], tuple[Value, Value, Value]], bound: dict[str, Any], case: dict[str, Any]
) -> Errors:
    """A value and its gradient, on the reference and natively; `build` gives value, what is differentiated, by what."""
    graph = Graph()
    value, summed, x = build(graph)
    graph.outputs |= {"value": value, "gradient": gradients(summed, [x])[0]}
    rows = len(next(iter(bound.values())))
    found = reference(graph, bound, rows)
    native = NativeGraph(graph, rows).run(bound, rows)
    # Where a probability lies at the edge of a clip, libraries choose either side's gradient.
    given = np.asarray(bound.get("prediction", bound.get("x")))
    inside = ((given > 1e-7) & (given < 1 - 1e-7)) | (
        "prediction" not in bound or case["part"].get("from_logits", True)
    )
    expected = np.where(inside, case["gradient"], found["gradient"])
    errors = {"training": apart(found["value"], case["value"]), "gradients": apart(found["gradient"], expected)}
    if "prediction" not in bound or inside.all():
        errors["natively in float32"] = max(apart(native["value"], case["value"]), apart(native["gradient"], expected))
    return errors


def activation(case: dict[str, Any], file: dict[str, Any]) -> Errors:
    part: Any = read_part(ACTIVATIONS, case["part"])

    def build(graph: Graph) -> tuple[Value, Value, Value]:
        x = graph.input("x", (BATCH, *np.shape(case["x"])[1:]))
        value = part.apply(x)
        return value, ir.reduce_sum(value * graph.input("cotangent", value.shape)), x

    return function(build, {key: np.asarray(case[key]) for key in ("x", "cotangent")}, case)


def loss(case: dict[str, Any], file: dict[str, Any]) -> Errors:
    part: Any = read_part(LOSSES, case["part"])
    whole = part.target == "labels"
    target = np.asarray(case["target"], np.int32 if whole else np.float64)

    def build(graph: Graph) -> tuple[Value, Value, Value]:
        prediction = graph.input("prediction", (BATCH, *np.shape(case["prediction"])[1:]))
        given = graph.input("target", (BATCH, *target.shape[1:]), "int" if whole else "float")
        places, counted = part.per_place(given, Prediction(prediction, most_rows=len(target))), part.counted(given)
        if counted is None:
            mean = ir.reduce_sum(places) / float(np.prod([len(target), *places.shape[1:]]))
        else:
            mean = ir.reduce_sum(places * counted) / ir.reduce_sum(counted)
        return mean, mean, prediction

    return function(build, {"prediction": np.asarray(case["prediction"]), "target": target}, case)


def measured(case: dict[str, Any], file: dict[str, Any]) -> Errors:
    target = np.asarray(case["target"], np.int32 if case["form"] == "labels" else np.float64)
    found = stream(metric(**case["part"]), case["form"], target, case["prediction"], case["rows"])
    return {"inference": apart(found, case["value"])}


def optimizer(case: dict[str, Any], file: dict[str, Any]) -> Errors:
    part: Any = read_part(OPTIMIZERS, case["part"])
    if "given" not in file:
        stepper, errors = Stepper(part, case["start"]), [0.0]
        for gradient, rate, weight in zip(case["gradients"], case["rates"], case["path"], strict=True):
            errors.append(apart(stepper.step(gradient, learning_rate=rate), weight))
        return {"weights after the steps": max(errors)}
    given, errors = file["given"], [0.0]
    model = Trainer(part, given["start"], {given["constrained"]: MaxNorm(max_value=1.0)})
    for step, (slopes, rate) in enumerate(zip(given["gradients"], given["rates"], strict=True)):
        weights = model.step(slopes, **({} if "learning_rate" in case["part"] else {"learning_rate": rate}))
        errors += [apart(weights[name], path[step]) for name, path in case["path"].items()]
    return {"weights after the steps": max(errors)}


TABLES: dict[str, tuple[Family, Callable[[dict[str, Any], dict[str, Any]], Errors], tuple[str, ...]]] = {
    "Layers": (
        LAYERS,
        layer,
        (
            *("merges", "normalizations", "embeddings", "attention", "convolutions", "poolings"),
            *("recurrent", "bidirectional", "time_distributed", "cases"),
        ),
    ),
    "Activations": (ACTIVATIONS, activation, ("activations",)),
    "Losses": (LOSSES, loss, ("losses",)),
    "Metrics": (METRICS, measured, ("metrics",)),
    "Optimizers": (OPTIMIZERS, optimizer, ("optimizers", "cases")),
}


def lines(family: Family, errors_of: Callable[..., Errors], groups: tuple[str, ...]) -> Iterator[str]:
    found: dict[str, list[Errors]] = {name: [] for name in family.names()}
    for case, file in cases(*groups):
        if (name := case["part"]["type"]) in found and not (family is OPTIMIZERS and "inputs" in case):
            found[name].append(errors_of(case, file))
    columns = [column for column in COLUMNS if any(column in each for every in found.values() for each in every)]
    yield f"| part | cases | {' | '.join(columns)} | |"
    yield f"|---|--:|{'--:|' * len(columns)}---|"
    for name, several in found.items():
        worst = {column: max((each[column] for each in several if column in each), default=None) for column in columns}
        reason = REASONS.get((family.noun, name), "")
        if not several and not reason:
            raise SystemExit(f"{family.noun} {name} is not compared with Keras, and no reason is given")
        too_far = [column for column, error in worst.items() if error is not None and not error <= MOST]
        if too_far:
            raise SystemExit(f"{family.noun} {name} is further from Keras than {MOST:g}: {too_far} {worst}")
        shown = [" " if error is None else f"{error:.0e}" if error else "0" for error in worst.values()]
        yield f"| `{name}` | {len(several)} | {' | '.join(shown)} | {reason} |"


TFJS_COLUMNS = ("losses of the steps", "loss of evaluation", "weights after the steps", "inference")


def tfjs_lines() -> Iterator[str]:
    """The models that TensorFlow.js has trained, under `numerics: tfjs`."""
    yield "| model | parts | target | " + " | ".join(TFJS_COLUMNS) + " | the same under `keras` |"
    yield f"|---|---|---|{'--:|' * len(TFJS_COLUMNS)}---|"
    for name, case in tfjs.CASES.items():
        named = [*case["layers"], case["optimizer"]]
        kinds = [each if isinstance(each, str) else each["type"] for each in named]
        parts = ", ".join(f"`{each}`" for each in (*dict.fromkeys(kinds), case["loss"]))
        for target in ("reference", "cpu"):
            # Numbers below 1 count as 1: they are differences of greater ones, in float32.
            losses, evaluated, *weights, predicted = (
                found / allowed * MOST for found, allowed in tfjs.differences(name, "tfjs", target)
            )
            errors = (losses, evaluated, max(weights), predicted)
            if not max(errors) <= MOST:
                raise SystemExit(f"{name} is further from TensorFlow.js than {MOST:g} on {target}: {errors}")
            same = "no" if name in tfjs.DIFFERENT else "yes"
            shown = " | ".join(f"{error:.0e}" if error else "0" for error in errors)
            yield f"| {name} | {parts} | {target} | {shown} | {same} |"


def main() -> None:
    source = json.loads((GOLDEN / "keras_parts.json").read_text())["source"]
    text = [
        "# Agreement with Keras and TensorFlow.js",
        "",
        f"How far this program is from {source}: the largest difference of any number in any case,",
        "relative to the largest of its array. The reference target computes in float64, the native one in float32;",
        "layers are trained for ten steps. `python docs/make_agreement.py` makes this page from the numbers in",
        f"`tests/golden/`, and fails if one is further away than {MOST:g}. An empty cell means that",
        "there is no such number; metrics and optimizers are compared natively with the reference in the tests.",
    ]
    for title, (family, errors_of, groups) in TABLES.items():
        text += ["", f"## {title}", "", *lines(family, errors_of, groups)]
    text += ["", "## TensorFlow.js", ""]
    text += [f"Models that TensorFlow.js {tfjs.GOLDEN['tfjs']} has trained for ten steps, in float32, and what"]
    text += ["`numerics: tfjs` makes of them: [Keras and TensorFlow.js](../numerics.md) has the differences.", ""]
    text += tfjs_lines()
    PAGE.write_text("\n".join([*text, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
