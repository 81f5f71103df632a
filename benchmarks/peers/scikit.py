"""scikit-learn: a workload of dense layers in, epochs of its `MLPClassifier` out."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
from sklearn.neural_network import MLPClassifier
from workloads import connected

from peers import Contestant


def begin(workload, x, y, threads):
    warnings.simplefilter("ignore")
    units = [layer.arguments["units"] for layer in connected(workload.layers)[:-1]]
    model = MLPClassifier(units, alpha=0.0, batch_size=workload.batch, learning_rate_init=1e-3)

    def epoch(number):
        model.partial_fit(x, y, classes=np.arange(workload.classes))
        return float(model.loss_)

    sizes = [*workload.shape, *units, workload.classes]
    parameters = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
    return Contestant(epoch, lambda x: model.predict_proba(x), parameters)
