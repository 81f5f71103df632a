"""A loaded config in; trained weights, reports and checkpoints out."""
