"""JAX: a workload in, epochs that are one compiled scan over all steps out.

Networks with convolutions go step by step, each one compiled call: inside of a scan XLA computes convolutions on a CPU
with plain loops, many times slower.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from workloads import connected

from peers import Contestant

ACTIVATIONS = {"relu": jax.nn.relu, "gelu": lambda x: jax.nn.gelu(x, approximate=False)}
_RANDOM = np.random.default_rng(0)


def uniform(*shape):
    """First values after Glorot."""
    limit = (6.0 / (np.prod(shape[:-2]) * (shape[-2] + shape[-1]))) ** 0.5
    return jnp.asarray(_RANDOM.uniform(-limit, limit, shape), jnp.float32)


def normalized(x, axes, weights, epsilon=1e-3):
    mean, variance = x.mean(axes), x.var(axes)
    lead = (slice(None),) * (x.ndim - 1) if axes == -1 else ()
    centred = x - mean[(*lead, None)] if axes == -1 else x - mean
    scale = lax.rsqrt(variance + epsilon)
    return centred * (scale[..., None] if axes == -1 else scale) * weights[0] + weights[1], (mean, variance)


def dense(arguments, x):
    weights = uniform(x.shape[-1], arguments["units"]), jnp.zeros(arguments["units"])
    return weights, lambda weights, x: x @ weights[0] + weights[1]


def conv2d(arguments, x):
    size, filters, strides = arguments["kernel_size"], arguments["filters"], arguments.get("strides", 1)
    bias = (jnp.zeros(filters),) if arguments.get("use_bias", True) else ()
    padding = arguments.get("padding", "valid").upper()

    def apply(weights, x):
        numbers = ("NHWC", "HWIO", "NHWC")
        y = lax.conv_general_dilated(x, weights[0], (strides, strides), padding, dimension_numbers=numbers)
        return y + weights[1] if bias else y

    return (uniform(size, size, x.shape[-1], filters), *bias), apply


def max_pooling2d(arguments, x):
    window = (1, 2, 2, 1)
    return (), lambda weights, x: lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")


def lstm(arguments, x):
    units, features = arguments["units"], x.shape[-1]
    weights = uniform(features, 4 * units), uniform(units, 4 * units), jnp.zeros(4 * units)

    def apply(weights, x):
        kernel, recurrent, bias = weights
        drive = jnp.einsum("btd,dg->tbg", x, kernel) + bias

        def step(carry, drive):
            hidden, cell = carry
            write, keep, candidate, read = jnp.split(drive + hidden @ recurrent, 4, 1)
            cell = jax.nn.sigmoid(keep) * cell + jax.nn.sigmoid(write) * jnp.tanh(candidate)
            return (jax.nn.sigmoid(read) * jnp.tanh(cell), cell), None

        zeros = jnp.zeros((x.shape[0], units))
        (hidden, _), _ = lax.scan(step, (zeros, zeros), drive)
        return hidden

    return weights, apply


def multi_head_attention(arguments, x):
    heads, width, length = arguments["num_heads"], x.shape[-1], x.shape[1]
    each = width // heads
    weights = uniform(width, 3 * width), jnp.zeros(3 * width), uniform(width, width), jnp.zeros(width)
    mask = np.where(np.tri(length, dtype=bool), 0.0, -1e9).astype(np.float32) if arguments["causal"] else None

    def split(x):
        return x.reshape(*x.shape[:2], heads, each).transpose(0, 2, 1, 3)

    def apply(weights, x):
        query, key, value = map(split, jnp.split(x @ weights[0] + weights[1], 3, -1))
        scores = query @ key.transpose(0, 1, 3, 2) / each**0.5
        shares = jax.nn.softmax(scores if mask is None else scores + mask)
        return (shares @ value).transpose(0, 2, 1, 3).reshape(x.shape) @ weights[2] + weights[3]

    return weights, apply


def norm_weights(x):
    return jnp.ones(x.shape[-1]), jnp.zeros(x.shape[-1])


def free(function):
    """A layer without weights."""
    return lambda arguments, x: ((), lambda weights, *inputs: function(*inputs))


LAYERS = {
    "dense": dense,
    "conv2d": conv2d,
    "max_pooling2d": max_pooling2d,
    "lstm": lstm,
    "multi_head_attention": multi_head_attention,
    "flatten": free(lambda x: x.reshape(x.shape[0], -1)),
    "add": free(lambda x, y: x + y),
    "activation": free(lambda x: x),
    "global_average_pooling1d": free(lambda x: x.mean(1)),
    "global_average_pooling2d": free(lambda x: x.mean((1, 2))),
    "layer_normalization": lambda arguments, x: (
        norm_weights(x),
        lambda weights, x: normalized(x, -1, weights)[0],
    ),
    "embedding": lambda arguments, x: (
        uniform(arguments["input_dim"], arguments["output_dim"]),
        lambda weights, x: weights[x],
    ),
    "position_embedding": lambda arguments, x: (uniform(*x.shape[1:]), lambda weights, x: x + weights),
}


def batch_normalization(arguments, x):
    """Gives its statistics besides: they are averaged over the steps."""
    return norm_weights(x), lambda weights, x: normalized(x, tuple(range(x.ndim - 1)), weights)


def network(workload, x):
    """The weights, made by running the network once on some rows, and its forward pass.

    `forward(weights, averages, x, training)` gives the classes' scores and the statistics of batches.
    """
    layers, weights, functions, averages, values = connected(workload.layers), [], [], [], [x]
    for layer in layers:
        inputs = [values[place] for place in layer.inputs]
        make = batch_normalization if layer.type == "batch_normalization" else LAYERS[layer.type]
        own, function = make(layer.arguments, inputs[0])
        result = function(own, *inputs)
        if layer.type == "batch_normalization":
            result, statistics = result
            averages.append(jax.tree.map(jnp.zeros_like, statistics))
        weights.append(own)
        functions.append((function, layer, ACTIVATIONS.get(layer.arguments.get("activation"), lambda x: x)))
        values.append(functions[-1][2](result))

    def forward(weights, averages, x, training):
        values, found, known = [x], [], iter(averages)
        for own, (function, layer, activation) in zip(weights, functions, strict=True):
            inputs = [values[place] for place in layer.inputs]
            if layer.type == "batch_normalization" and not training:
                mean, variance = next(known)
                result = (inputs[0] - mean) * lax.rsqrt(variance + 1e-3) * own[0] + own[1]
            else:
                result = function(own, *inputs)
            if layer.type == "batch_normalization" and training:
                result, statistics = result
                found.append(statistics)
            values.append(activation(result))
        return values[-1], found

    return weights, averages, forward


def begin(workload, x, y, threads):
    batch, rows = workload.batch, len(x) // workload.batch * workload.batch
    x, y = jnp.asarray(x), jnp.asarray(y)
    weights, averages, forward = network(workload, x[:batch])

    def loss(weights, x, y):
        scores, found = forward(weights, (), x, True)
        scores = jax.nn.log_softmax(scores)
        return -jnp.mean(jnp.take_along_axis(scores, y[..., None], -1)), found

    def step(carry, index):
        weights, first, second, count, averages = carry
        (value, found), gradient = jax.value_and_grad(loss, has_aux=True)(weights, x[index], y[index])
        count = count + 1
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradient)
        rate = 1e-3 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        weights = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-7), weights, first, second)
        averages = jax.tree.map(lambda old, new: 0.99 * old + 0.01 * new, averages, found)
        return (weights, first, second, count, averages), value

    def whole(carry, key):
        return lax.scan(step, carry, jax.random.permutation(key, len(x))[:rows].reshape(-1, batch))

    def stepwise(carry, key):
        losses = []
        for index in jax.random.permutation(key, len(x))[:rows].reshape(-1, batch):
            carry, value = one(carry, index)
            losses.append(value)
        return carry, jnp.stack(losses)

    convolves = any(layer.type == "conv2d" for layer in connected(workload.layers))
    one, run = jax.jit(step), stepwise if convolves else jax.jit(whole)
    zeros = jax.tree.map(jnp.zeros_like, weights)
    state = [(weights, zeros, zeros, 0.0, averages)]

    def epoch(number):
        state[0], losses = run(state[0], jax.random.PRNGKey(number))
        return float(losses.mean())

    def scores(x):
        return np.asarray(jax.jit(lambda carry, x: forward(carry[0], carry[4], x, False)[0])(state[0], x))

    return Contestant(epoch, scores, sum(leaf.size for leaf in jax.tree.leaves(weights)))
