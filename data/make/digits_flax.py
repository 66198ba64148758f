"""Trains a small MLP on the 8x8 digits with JAX and Flax and writes a checkpoint archive."""

import os
import time

os.environ["JAX_PLATFORMS"] = "cpu"

import common
import flax
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import onnx
from flax.traverse_util import flatten_dict
from jax2onnx import to_onnx

BATCH, RATE, MOMENTUM = 32, 0.1, 0.9
TAPS = ("h1_pre", "h1", "h2_pre", "h2", "logits")


class Mlp(nn.Module):
    """64-48-24-10 with tanh; every inner tensor is sown under the name of its tap."""

    @nn.compact
    def __call__(self, x):
        for layer, width in enumerate((48, 24), start=1):
            x = nn.Dense(width)(x)
            self.sow("taps", f"h{layer}_pre", x)
            x = nn.tanh(x)
            self.sow("taps", f"h{layer}", x)
        x = nn.Dense(10)(x)
        self.sow("taps", "logits", x)
        return x


def export(net, variables, path):
    """The graph of the last checkpoint. Only inner tensors are renamed: the
    initializers stay `const_N`, as the exporter writes them."""
    model = to_onnx(
        lambda x: net.apply(variables, x), [("batch", 64)],
        model_name="digits-flax", input_names=["input"], output_names=["logits"],
    )
    graph = model.graph
    rename = dict(zip((node.output[0] for node in graph.node), TAPS, strict=True))
    for node in graph.node:
        node.input[:] = [rename.get(name, name) for name in node.input]
        node.output[:] = [rename.get(name, name) for name in node.output]
        node.doc_string = ""
        del node.metadata_props[:]
    for value in [*graph.output, *graph.value_info]:
        value.name = rename.get(value.name, value.name)
    del model.metadata_props[:], graph.metadata_props[:]
    model.doc_string = graph.doc_string = ""
    onnx.save(model, path)


def main():
    began = time.time()
    args = common.options("digits-flax", steps=4000, checkpoints=28)
    (train_x, train_y), (test_x, test_y, ids) = common.split()
    common.write_evaluation(args.output, test_x, test_y, ids)

    net = Mlp()
    params = net.init(jax.random.key(args.seed), jnp.zeros((1, 64)))["params"]
    velocity = jax.tree.map(jnp.zeros_like, params)

    def loss(params, x, y):
        log_p = jax.nn.log_softmax(net.apply({"params": params}, x))
        return -jnp.take_along_axis(log_p, y[:, None], axis=1).mean()

    @jax.jit
    def update(params, velocity, x, y):
        gradient = jax.grad(loss)(params, x, y)
        velocity = jax.tree.map(lambda v, g: MOMENTUM * v + g, velocity, gradient)
        return jax.tree.map(lambda p, v: p - RATE * v, params, velocity), velocity

    predict = jax.jit(lambda params, x: net.apply({"params": params}, x))
    steps = common.schedule(args.steps, args.checkpoints, args.spacing)
    golden = {steps[0], steps[len(steps) // 2], steps[-1]}
    order = common.batches(len(train_y), BATCH, args.seed)
    per_epoch = len(train_y) // BATCH
    rows = []
    for step in range(args.steps + 1):
        if step in steps:
            train = common.loss_and_accuracy(predict(params, train_x), train_y)
            test = common.loss_and_accuracy(predict(params, test_x), test_y)
            epoch = step / per_epoch
            rows.append((step, epoch, *train, *test))
            tensors = flatten_dict({"params": params}, sep="/")
            common.write_checkpoint(args.output, step, epoch, args.seed, tensors)
            if step in golden:
                _, state = net.apply({"params": params}, test_x[: common.REFERENCE_SAMPLES], mutable="taps")
                sown = {name: np.asarray(state["taps"][name][0]) for name in TAPS}
                common.write_reference(args.output, step, sown, f"flax {flax.__version__} CPU")
        if step < args.steps:
            batch = next(order)
            params, velocity = update(params, velocity, train_x[batch], train_y[batch])
    common.write_metrics(args.output, rows)
    export(net, {"params": params}, args.output / "model.onnx")
    print(f"{args.output}: {len(rows)} checkpoints")
    common.verify(args.output, *common.read_evaluation(args.output))
    print(f"  {time.time() - began:.0f} s")


if __name__ == "__main__":
    main()
