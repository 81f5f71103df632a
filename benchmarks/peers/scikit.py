"""scikit-learn: a workload of dense layers in, epochs of its `MLPClassifier` out."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
from sklearn.neural_network import MLPClassifier
from workloads import connected, is_chain

from peers import Contestant, Unsuitable


def begin(workload, x, y, threads):
    layers = connected(workload.layers)
    if not is_chain(layers) or any(layer.type != "dense" for layer in layers):
        raise Unsuitable("it has dense layers alone")
    warnings.simplefilter("ignore")
    units = [layer.arguments["units"] for layer in layers[:-1]]
    model = MLPClassifier(units, alpha=0.0, batch_size=workload.batch, learning_rate_init=1e-3)

    def epoch(number):
        model.partial_fit(x, y, classes=np.arange(workload.classes))
        return float(model.loss_)

    sizes = [*workload.shape, *units, workload.classes]
    parameters = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
    return Contestant(epoch, lambda x: model.predict_proba(x), parameters)
