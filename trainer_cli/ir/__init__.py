"""The language that everything is compiled through; importing it fills the table of primitives."""

from trainer_cli.ir import ops as ops
