"""Trains the Flax networks of the zoo and exports each with jax2onnx."""

import os
import sys
from importlib.metadata import version

os.environ["JAX_PLATFORMS"] = "cpu"

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import onnx
import optax
import zoo
from flax import nnx
from flax.traverse_util import flatten_dict
from jax2onnx import to_onnx

RATE, DECAY, SEED = 3e-3, 0.1, 7
LAST = zoo.STEPS[-1]


class Conv(nn.Module):
    """Conv, BatchNorm, Conv without bias, BatchNorm, Dense, LayerNorm, Dense."""

    @nn.compact
    def __call__(self, x, train=False):
        x = nn.Conv(6, (3, 3))(x)
        x = nn.relu(nn.BatchNorm(not train)(x))
        x = nn.Conv(8, (3, 3), (2, 2), use_bias=False)(x)
        x = nn.relu(nn.BatchNorm(not train, momentum=0.9, epsilon=1e-3)(x))
        x = nn.Dense(16)(x.reshape(-1, 128))
        x = nn.relu(nn.LayerNorm()(x))
        return nn.Dense(10)(x)


class Attention(nn.Module):
    """8 rows of 8 pixels as tokens; attention kernels are [16, heads, 8]."""

    @nn.compact
    def __call__(self, x, train=False):
        x = nn.Dense(16)(x) + self.param("pos", nn.initializers.normal(0.1), (8, 16))
        x = x + nn.MultiHeadDotProductAttention(num_heads=2)(nn.LayerNorm()(x))
        x = x + nn.Dense(16)(nn.gelu(nn.Dense(32)(nn.LayerNorm()(x))))
        return nn.Dense(10)(x.mean(1))


class Mlp(nnx.Module):
    """64-24-24-10 in Flax's newer interface."""

    def __init__(self, rngs):
        self.layers = nnx.List([nnx.Linear(64, 24, rngs=rngs), nnx.Linear(24, 24, rngs=rngs)])
        self.norm = nnx.LayerNorm(24, rngs=rngs)
        self.head = nnx.Linear(24, 10, rngs=rngs)

    def __call__(self, x, train=False):
        for layer in self.layers:
            x = nnx.relu(layer(x))
        return self.head(self.norm(x))


def train(variables, apply, shape):
    """The variables at each checkpoint. `apply(variables, images, train)` gives the logits and
    the variables that the forward pass itself changes (BatchNorm's statistics)."""
    (images, labels), _ = zoo.digits()
    images = images.reshape(-1, *shape)
    optimiser = optax.adamw(RATE, weight_decay=DECAY)

    def loss(params, rest, x, y):
        logits, rest = apply({"params": params} | rest, x, True)
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), rest

    @jax.jit
    def update(params, rest, moments, x, y):
        (_, rest), gradient = jax.value_and_grad(loss, has_aux=True)(params, rest, x, y)
        change, moments = optimiser.update(gradient, moments, params)
        return optax.apply_updates(params, change), rest, moments

    rest = dict(variables)
    params = rest.pop("params")
    moments = optimiser.init(params)
    rows = zoo.training_rows(SEED)
    kept = {}
    for step in range(LAST + 1):
        if step in zoo.STEPS:
            kept[step] = {"params": params} | rest
        if step < LAST:
            batch = next(rows)
            params, rest, moments = update(params, rest, moments, images[batch], labels[batch])
    return kept


def archive(name, variables, apply, shape, flatten, notes):
    """Trains, writes the checkpoints with keys as `flatten` makes them, and exports the last one."""
    folder = zoo.fresh(name)
    _, (inputs, digits) = zoo.digits()
    inputs = inputs.reshape(-1, *shape)
    kept = train(variables, apply, shape)
    series = {step: {key: np.asarray(value) for key, value in flatten(tree).items()} for step, tree in kept.items()}
    outputs = {step: np.asarray(apply(tree, inputs, False)[0]) for step, tree in kept.items()}
    zoo.write_series(folder, series)
    model = to_onnx(
        lambda x: apply(kept[LAST], x, False)[0], [("batch", *shape)],
        model_name=name, input_names=["input"], output_names=["logits"],
    )
    onnx.save(zoo.clean(model), folder / "jax2onnx.onnx")
    exporter = f"jax2onnx {version('jax2onnx')}, flax {version('flax')}"
    zoo.finish(folder, [zoo.Export("jax2onnx.onnx", exporter, LAST, notes)], series, inputs, digits, outputs)


def linen(name, net, shape, notes):
    variables = net.init(jax.random.key(SEED), jnp.zeros((1, *shape)))

    def apply(variables, x, train):
        if train and "batch_stats" in variables:
            return net.apply(variables, x, train=True, mutable=["batch_stats"])
        return net.apply(variables, x), {key: value for key, value in variables.items() if key != "params"}

    archive(name, variables, apply, shape, lambda tree: flatten_dict(tree, sep="/"), notes)


def new_interface(name, shape, notes):
    graph, state = nnx.split(Mlp(nnx.Rngs(SEED)))
    apply = lambda variables, x, train: (nnx.merge(graph, variables["params"])(x), {})

    def flatten(variables):
        flat = flatten_dict(nnx.to_pure_dict(variables["params"]))
        return {"/".join(map(str, path)): value for path, value in flat.items()}

    archive(name, {"params": state}, apply, shape, flatten, notes)


ARCHIVES = {
    "flax-conv": lambda: linen(
        "flax-conv", Conv(), (8, 8, 1), "Conv kernels are transposed from HWIO to OIHW and called kernel_oih_N; the rest keeps "
        "its value as const_N. BatchNorm stays a node, LayerNorm becomes nodes; Dense is Gemm with transB=0.",
    ),
    "flax-attention": lambda: linen(
        "flax-attention", Attention(), (8, 8), "Kernels [16, 2, 8] (out: [2, 8, 16]) and biases [2, 8] of the attention are "
        "reshaped to [16, 16] and [16], called kernel2d_N and bias_vec_N; pos gets a leading axis; the rest keeps its value as "
        "const_N. LayerNorm becomes nodes. In the network Dense_2 comes before Dense_1: Flax numbers by creation.",
    ),
    "flax-nnx": lambda: new_interface(
        "flax-nnx", (64,), "Every tensor keeps its value as const_N, in the order of the network; Dense is Gemm with transB=0.",
    ),
}


def main():
    for name in sys.argv[1:] or ARCHIVES:
        ARCHIVES[name]()


if __name__ == "__main__":
    main()
