"""`trainer export`: a trained model in; a file of its weights for other programs out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from trainer_cli.cli import options
from trainer_cli.cli.declared import Argument, Option


def command(
    model: Annotated[
        Path,
        Argument(
            metavar="RUN|CHECKPOINT",
            help="A run directory (its best epoch), a checkpoint, or a config, whose newest run is taken.",
        ),
    ],
    to: Annotated[
        Path, Option("--to", metavar="FILE", help="Where to: the ending .npz or .safetensors is the format.")
    ],
    force: Annotated[bool, Option("--force", help="Replace a file that exists.")] = False,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Write the weights of a trained model to a file that other programs read.

    Weights alone, called LAYER/WEIGHT, in the layouts of Keras: dense (inputs, units), convolution (height, width,
    channels, filters), gates of an LSTM in the order i f c o. The file is written as a whole or not at all.
    `trainer fit --weights FILE` reads the safetensors form again.

    \b
    Example:
      trainer export runs/iris/20260102T030405Z --to iris.npz
    """
    from trainer_cli.training.export import export_weights

    path, _ = options.choose_model(model, None, None, None).load()
    done = export_weights(path, to, force=force)
    if as_json:
        from trainer_cli.reports.json_lines import write_json

        write_json(
            {
                "source": str(done.source),
                "file": str(done.file),
                "tensors": done.tensors,
                "parameters": done.parameters,
            }
        )
    else:
        options.say(
            [f"{done.file}: {done.tensors} tensors with {done.parameters:,} parameters of {done.source}"], quiet=quiet
        )
