"""Prints the values that tests/reconstruction.rs expects: scikit-learn's Ridge on the activations of `data/digits`.

Every layer is replayed by ONNX Runtime at step 4000, whose weights are in the graph; samples are held out as
infoplane does it, a hash of their ids deciding."""

import os
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import numpy as np
import onnx
import onnxruntime as ort
import sklearn
from sklearn.linear_model import Ridge

MASK = 2**64 - 1
FOLDER = Path(__file__).resolve().parents[3] / "data/digits"
TAPS = ("conv1_act", "conv2_act", "fc1_act", "logits")


def bits(seed):
    z = (seed + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


inputs, ids = np.load(FOLDER / "inputs.npy"), np.load(FOLDER / "ids.npy")
order = sorted(range(len(ids)), key=lambda row: (bits(bits(1) ^ int(ids[row])), int(ids[row])))
test, train = order[:300], order[300:]
model = onnx.load(FOLDER / "model.onnx")
there = {output.name for output in model.graph.output}
for tap in TAPS:
    if tap not in there:
        model.graph.output.add().name = tap
session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
target = inputs.reshape(len(inputs), -1).astype(np.float64)
print("scikit-learn", sklearn.__version__, "onnxruntime", ort.__version__)
for tap, values in zip(TAPS, session.run(TAPS, {"input": inputs})):
    layer = values.reshape(len(values), -1).astype(np.float64)
    layer = layer[:, np.ptp(layer[train], axis=0) > 0]
    centered = layer[train] - layer[train].mean(axis=0)
    scale = (centered**2).sum() / layer.shape[1]
    for penalty in (1e-6, 1e-2):
        fitted = Ridge(alpha=penalty * scale).fit(layer[train], target[train])
        print(tap, layer.shape[1], penalty, repr(float(((fitted.predict(layer[test]) - target[test]) ** 2).mean())))
