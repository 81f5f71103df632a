"""Keras: a workload in, epochs of `fit` on the backend that `KERAS_BACKEND` names out."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers as kinds
from workloads import connected

from peers import Contestant


class PositionEmbedding(kinds.Layer):
    """Adds a trained vector to every place."""

    def build(self, shape):
        self.embeddings = self.add_weight(shape=shape[1:], initializer="glorot_uniform")

    def call(self, x):
        return x + self.embeddings


NAMES = {
    "conv2d": kinds.Conv2D,
    "max_pooling2d": kinds.MaxPooling2D,
    "global_average_pooling1d": kinds.GlobalAveragePooling1D,
    "global_average_pooling2d": kinds.GlobalAveragePooling2D,
    "lstm": kinds.LSTM,
}


def apply(kind, arguments, inputs):
    """A layer's output for its inputs."""
    if kind == "multi_head_attention":
        causal = arguments.pop("causal")
        return kinds.MultiHeadAttention(**arguments)(inputs[0], inputs[0], use_causal_mask=causal)
    if kind == "position_embedding":
        return PositionEmbedding()(inputs[0])
    made = (NAMES.get(kind) or getattr(kinds, kind.title().replace("_", "")))(**arguments)
    return made(list(inputs) if len(inputs) > 1 else inputs[0])


def begin(workload, x, y, threads):
    values = [keras.Input(workload.shape, dtype=workload.dtype)]
    for layer in connected(workload.layers):
        values.append(apply(layer.type, dict(layer.arguments), [values[place] for place in layer.inputs]))
    model = keras.Model(values[0], values[-1])
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    rows = len(x) // workload.batch * workload.batch

    def epoch(number):
        done = model.fit(x[:rows], y[:rows], batch_size=workload.batch, epochs=1, verbose=0)
        return float(done.history["loss"][0])

    parameters = sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)
    return Contestant(epoch, lambda x: model.predict(x, verbose=0), parameters)
