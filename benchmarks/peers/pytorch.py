"""PyTorch, eager: a workload in, epochs of a plain training loop out."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from workloads import connected, is_chain

from peers import Contestant

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU}


class Recurrent(nn.Module):
    """The last output of an LSTM."""

    def __init__(self, features, units):
        super().__init__()
        self.inner = nn.LSTM(features, units, batch_first=True)

    def forward(self, x):
        return self.inner(x)[0][:, -1]


class Attention(nn.Module):
    def __init__(self, width, heads, length, causal):
        super().__init__()
        self.inner = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mask = nn.Transformer.generate_square_subsequent_mask(length) if causal else None

    def forward(self, x):
        return self.inner(x, x, x, need_weights=False, attn_mask=self.mask, is_causal=self.mask is not None)[0]


class Mean(nn.Module):
    def __init__(self, *axes):
        super().__init__()
        self.axes = axes

    def forward(self, x):
        return x.mean(self.axes)


class Sum(nn.Module):
    def forward(self, x, y):
        return x + y


class Positions(nn.Module):
    """Adds a trained vector to every place."""

    def __init__(self, shape):
        super().__init__()
        self.embeddings = nn.Parameter(torch.randn(shape) * 0.05)

    def forward(self, x):
        return x + self.embeddings


class Graph(nn.Module):
    """Modules that read the outputs of any others before them."""

    def __init__(self, modules, inputs):
        super().__init__()
        self.steps, self.inputs = nn.ModuleList(modules), inputs

    def forward(self, x):
        values = [x]
        for module, places in zip(self.steps, self.inputs, strict=True):
            values.append(module(*[values[place] for place in places]))
        return values[-1]


def module_for(kind, arguments, x):
    """The module for a layer whose input is like x; channels come first. The last softmax belongs to the loss."""
    if kind == "dense":
        made = nn.Linear(x.shape[-1], arguments["units"])
    elif kind == "conv2d":
        size, strides = arguments["kernel_size"], arguments.get("strides", 1)
        padding = size // 2 if arguments.get("padding") == "same" else 0
        made = nn.Conv2d(x.shape[1], arguments["filters"], size, strides, padding, bias=arguments.get("use_bias", True))
    else:
        return {
            "activation": lambda: ACTIVATIONS[arguments["activation"]](),
            "max_pooling2d": lambda: nn.MaxPool2d(2),
            "flatten": nn.Flatten,
            "lstm": lambda: Recurrent(x.shape[-1], arguments["units"]),
            "layer_normalization": lambda: nn.LayerNorm(x.shape[-1], eps=1e-3),
            "batch_normalization": lambda: nn.BatchNorm2d(x.shape[1], eps=1e-3, momentum=0.01),
            "multi_head_attention": lambda: Attention(
                x.shape[-1], arguments["num_heads"], x.shape[1], arguments["causal"]
            ),
            "add": Sum,
            "global_average_pooling1d": lambda: Mean(1),
            "global_average_pooling2d": lambda: Mean(2, 3),
            "embedding": lambda: nn.Embedding(arguments["input_dim"], arguments["output_dim"]),
            "position_embedding": lambda: Positions(x.shape[1:]),
        }[kind]()
    activation = arguments.get("activation")
    return nn.Sequential(made, ACTIVATIONS[activation]()) if activation in ACTIVATIONS else made


def network(workload, x):
    """The network, made by running it once on some rows."""
    layers, modules, values = connected(workload.layers), [], [x]
    for layer in layers:
        inputs = [values[place] for place in layer.inputs]
        modules.append(module_for(layer.type, layer.arguments, inputs[0]))
        values.append(modules[-1](*inputs))
    if not is_chain(layers):
        return Graph(modules, [layer.inputs for layer in layers])
    flat = [part for made in modules for part in (made if isinstance(made, nn.Sequential) else [made])]
    return nn.Sequential(*flat)


def begin(workload, x, y, threads):
    torch.set_num_threads(threads)
    batch = workload.batch

    def tensor(x):
        return torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2) if x.ndim == 4 else x))

    x, y = tensor(x), torch.from_numpy(y).long()
    model, loss = network(workload, x[:batch]), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, eps=1e-7, fused=True)

    def epoch(number):
        model.train()
        order, total = torch.randperm(len(x)), torch.zeros(())
        steps = len(x) // batch
        for start in range(0, steps * batch, batch):
            index = order[start : start + batch]
            value = loss(model(x[index]).flatten(0, -2), y[index].flatten())
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            total += value.detach()
        return float(total) / steps

    def scores(x):
        model.eval()
        with torch.no_grad():
            return model(tensor(x)).numpy()

    return Contestant(epoch, scores, sum(weight.numel() for weight in model.parameters()))
