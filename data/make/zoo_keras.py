"""Trains the Keras network of the zoo and exports it. KERAS_BACKEND says with which backend."""

import os
from importlib.metadata import version

os.environ["JAX_PLATFORMS"] = "cpu"

import keras
import onnx
import zoo
from keras import layers

RATE, DECAY, SEED = 3e-3, 0.1, 7
LAST = zoo.STEPS[-1]
BACKEND = keras.backend.backend()


def network():
    """The torch backend cannot export LayerNormalization."""
    norm = [layers.LayerNormalization()] if BACKEND == "jax" else []
    return keras.Sequential([
        layers.Input((8, 8, 1)),
        layers.Conv2D(6, 3, padding="same", activation="relu"),
        layers.BatchNormalization(momentum=0.9),
        layers.Conv2D(8, 3, strides=2, use_bias=False),
        layers.BatchNormalization(momentum=0.9, epsilon=1e-5),
        layers.ReLU(),
        layers.Flatten(),
        layers.Dense(16, activation="relu"),
        *norm,
        layers.Dense(10),
    ])


def scale(norm, eps):
    return f"(t['{norm}/gamma'] / np.sqrt(t['{norm}/moving_variance'] + np.float32({eps}))).reshape(1, 1, 1, -1)"


NOTES = {
    "torch": (
        "Made by PyTorch's TorchScript exporter with constant folding; names are onnx::OP_N. Kernels are transposed from HWIO to "
        "OIHW. BatchNorm is (x - mean) * scale + beta in three nodes: gamma and variance are folded into one scale "
        "onnx::Mul_N; mean, beta and the Conv's bias are reshaped to [1, 1, 1, C]. Dense is MatMul + Add, not transposed. The "
        "graph's input is called keras_tensor, its output by a number."
    ),
    "jax": (
        "Made by jax2onnx inside Keras: every tensor keeps shape and value as const_N, nodes transpose and reshape them. "
        "BatchNorm and LayerNorm are decomposed into nodes, gamma and variance stay apart; constants hold eps, 1, "
        "the width and a NaN that LayerNorm's variance never selects."
    ),
}


def main():
    keras.utils.set_random_seed(SEED)
    folder = zoo.fresh(f"keras-{BACKEND}")
    (images, labels), (inputs, digits) = zoo.digits()
    images, inputs = (part.reshape(-1, 8, 8, 1) for part in (images, inputs))
    net = network()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(keras.optimizers.AdamW(RATE, weight_decay=DECAY), loss)
    series, outputs = {}, {}
    rows = zoo.training_rows(SEED)
    for step in range(LAST + 1):
        if step in zoo.STEPS:
            series[step] = {weight.path: keras.ops.convert_to_numpy(weight.value).copy() for weight in net.weights}
            outputs[step] = keras.ops.convert_to_numpy(net(inputs, training=False))
        if step < LAST:
            batch = next(rows)
            net.train_on_batch(images[batch], labels[batch])
    zoo.write_series(folder, series)
    path = folder / "keras.onnx"
    net.export(path, format="onnx", verbose=False)
    model = zoo.clean(onnx.load(path))
    onnx.save(model, path)
    formulas = scale("sequential/batch_normalization", 1e-3), scale("sequential/batch_normalization_1", 1e-5)
    made = zoo.Export("keras.onnx", f"keras {version('keras')}, backend {BACKEND} {version(BACKEND)}", LAST, NOTES[BACKEND], formulas)
    zoo.finish(folder, [made], series, inputs, digits, outputs, source=model.graph.input[0].name)


if __name__ == "__main__":
    main()
