"""Trains neural networks declared in YAML, compiled to native code."""

__version__ = "0.1.0"
