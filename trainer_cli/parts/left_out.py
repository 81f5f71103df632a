"""Names of Keras 3 and TensorFlow.js that nothing here has in; why, and what does their work, out.

Read when a config names one of them, and by the page that lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class LeftOut(NamedTuple):
    """Why a name is not here, and what a user does instead."""

    reason: str
    hint: str


def _column(given: str) -> str:
    return f"leave it out, and let the data do it: `data: {{columns: {{NAME: {given}}}}}`"


_STRINGS = "strings become numbers when the data is read"
_CODE = "a config holds no code"
_NO_CODE = "combine layers, or add one: it is one file (docs/adding-a-part.md)"
_ROWS = "it mixes rows and their targets, and layers change inputs alone"
_FEW = (
    "use `random_flip`, `random_rotation`, `random_translation`, `random_zoom`, `random_contrast`, `random_brightness`"
)
_MEANS = "a metric measures targets against predictions"
_LOSS_SHOWN = "leave it out: the loss and every metric are means over the epoch already"
_EXACT = "training is in float32, where no gradient vanishes"

PARTS: Mapping[tuple[str, str], LeftOut] = MappingProxyType(
    {
        ("layer", "hashing"): LeftOut(_STRINGS, _column("{kind: categorical, encoding: hashing, num_bins: 1000}")),
        ("layer", "string_lookup"): LeftOut(
            _STRINGS, _column("{kind: categorical, encoding: integer, categories: [a, b]}")
        ),
        ("layer", "text_vectorization"): LeftOut(_STRINGS, _column("{kind: text, length: 64}")),
        ("layer", "hashed_crossing"): LeftOut(
            _STRINGS, "write both columns as one in the data, and give it `encoding: hashing`"
        ),
        **{
            ("layer", name): LeftOut(_CODE, _NO_CODE)
            for name in ("lambda", "jax_layer", "flax_layer", "tfsm_layer", "torch_module_wrapper", "wrapper")
        },
        ("layer", "pipeline"): LeftOut("layers stand one behind the other anyway", "use `block`"),
        ("layer", "stacked_rnn_cells"): LeftOut("it stands inside `rnn`", "give `rnn` a list: `cell: [...]`"),
        ("layer", "mix_up"): LeftOut(_ROWS, _FEW),
        ("layer", "cut_mix"): LeftOut(_ROWS, _FEW),
        ("layer", "aug_mix"): LeftOut(
            "its shares follow a gamma distribution, which takes random numbers until one fits", "use `rand_augment`"
        ),
        ("layer", "contrast_limited_adaptive_histogram_equalization"): LeftOut(
            "nobody has written it yet", "use `equalization`, which takes an image as a whole"
        ),
        ("layer", "max_num_bounding_boxes"): LeftOut("targets are no bounding boxes", "leave it out"),
        ("layer", "random_width"): LeftOut("the extents of a model's values are fixed", "use `random_zoom`"),
        ("layer", "mel_spectrogram"): LeftOut("there is no Fourier transform", "store spectrograms as arrays (`npz`)"),
        ("layer", "stft_spectrogram"): LeftOut("there is no Fourier transform", "store spectrograms as arrays (`npz`)"),
        ("layer", "reversible_embedding"): LeftOut(
            "a layer is applied in one direction", "use an `embedding`, and a `dense` layer at the end"
        ),
        ("optimizer", "loss_scale_optimizer"): LeftOut(_EXACT, "name the optimizer itself"),
        ("optimizer", "multi_optimizer"): LeftOut(
            "one optimizer trains all weights of a phase", "use `learning_rate_multiplier` of layers, or `phases`"
        ),
        **{("metric", name): LeftOut(_MEANS, _LOSS_SHOWN) for name in ("mean", "sum", "mean_metric_wrapper")},
        ("initializer", "stft"): LeftOut("there is no Fourier transform", "use another initializer"),
    }
)
"""By the noun of the family and the canonical spelling of the name."""

ARGUMENTS: Mapping[str, LeftOut] = MappingProxyType(
    {
        "return_state": LeftOut("a layer gives one value", "use `stateful`, or `return_sequences`"),
        "unroll": LeftOut("steps are compiled as one loop, which is as fast", "leave it out"),
        "use_cudnn": LeftOut("there is one way to compute, on every processor", "leave it out"),
        "flash_attention": LeftOut("there is one way to compute, on every processor", "leave it out"),
        "data_format": LeftOut("channels stand last", "leave it out, or bring channels to the end by `permute`"),
        "dtype": LeftOut("values are float32, and whole numbers int32", "leave it out"),
        "seed": LeftOut("all random numbers follow from the run's `seed`", "leave it out, and give `seed` at the top"),
        "autocast": LeftOut("values are float32", "leave it out"),
        "sparse": LeftOut("values are dense", "leave it out"),
        "weights": LeftOut("weights come from files", "use `fit --weights FILE`"),
        "lora_rank": LeftOut("there are no low-rank adapters", "use `freeze`, and train the layers behind"),
        "lora_alpha": LeftOut("there are no low-rank adapters", "use `freeze`, and train the layers behind"),
        "quantization_config": LeftOut("training is in float32", "leave it out"),
        "gptq_unpacked_column_size": LeftOut("training is in float32", "leave it out"),
        "attention_axes": LeftOut("attention is over the axis of time", "bring places to one axis by `reshape`"),
        "renorm": LeftOut("Keras 3 has dropped it", "leave it out"),
        "renorm_clipping": LeftOut("Keras 3 has dropped it", "leave it out"),
        "renorm_momentum": LeftOut("Keras 3 has dropped it", "leave it out"),
        "synchronized": LeftOut("a batch is never divided among machines", "leave it out"),
        "discretization.num_bins": LeftOut(
            "boundaries are not taken from the data by a layer",
            "give `bin_boundaries`, or scale the column by quantiles",
        ),
        "integer_lookup.vocabulary_dtype": LeftOut("whole numbers are int32", "leave it out"),
        "integer_lookup.oov_method": LeftOut("unknown numbers are divided, as by Keras's default", "leave it out"),
        "integer_lookup.salt": LeftOut("unknown numbers are divided, as by Keras's default", "leave it out"),
        "loss_scale_factor": LeftOut(_EXACT, "leave it out"),
        "relative_step": LeftOut("the learning rate is the one that is given", "use a schedule for `learning_rate`"),
        "num_labels": LeftOut("the output tells how many labels there are", "leave it out"),
        "from_sorted_ids": LeftOut("predictions are scores", "leave it out"),
        "sparse_y_true": LeftOut("the loss tells what targets are", "leave it out"),
        "sparse_y_pred": LeftOut("predictions are scores", "leave it out"),
        "discretization.epsilon": LeftOut("boundaries are not taken from the data by a layer", "leave it out"),
        "iou.axis": LeftOut("classes stand on the last axis", "leave it out"),
        "mean_iou.axis": LeftOut("classes stand on the last axis", "leave it out"),
        "input.batch_size": LeftOut("a batch has as many rows as `fit.batch_size` says", "leave it out"),
        "input.batch_shape": LeftOut(
            "a batch has as many rows as `fit.batch_size` says", "give `shape`, that of a row"
        ),
        "input.ragged": LeftOut("rows have one shape", "pad sequences, and mask the padding"),
        "input.input_tensor": LeftOut("an input is the data's", "leave it out"),
        "input.optional": LeftOut("every row has all inputs", "leave it out"),
        "input_axes": LeftOut("the axes of inputs follow from the kernel", "use `variance_scaling`"),
        "output_axes": LeftOut("the axes of outputs follow from the kernel", "use `variance_scaling`"),
    }
)
"""Arguments of parts that have none of that name; `part.argument` is of one part."""


def argument(part: str, name: str) -> LeftOut | None:
    """Why a part has no argument of this name, if it is one of a library."""
    return ARGUMENTS.get(f"{part}.{name}") or ARGUMENTS.get(name)
