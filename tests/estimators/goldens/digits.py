"""The layers of `data/digits` at step 4000, whose weights are in the graph, replayed by ONNX Runtime; and the samples
that infoplane holds out there, a hash of their ids deciding."""

import os
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import numpy as np
import onnx
import onnxruntime as ort

MASK = 2**64 - 1
FOLDER = Path(__file__).resolve().parents[3] / "data/digits"
TAPS = ("conv1_act", "conv2_act", "fc1_act", "logits")


def bits(seed):
    z = (seed + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


inputs, ids, labels = (np.load(FOLDER / f"{name}.npy") for name in ("inputs", "ids", "labels"))
order = sorted(range(len(ids)), key=lambda row: (bits(bits(1) ^ int(ids[row])), int(ids[row])))
test, train = order[:300], order[300:]


def layers():
    """The name of each layer, with its units that vary in training: samples x units in f64."""
    model = onnx.load(FOLDER / "model.onnx")
    there = {output.name for output in model.graph.output}
    for tap in TAPS:
        if tap not in there:
            model.graph.output.add().name = tap
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for tap, values in zip(TAPS, session.run(TAPS, {"input": inputs})):
        layer = values.reshape(len(values), -1).astype(np.float64)
        yield tap, layer[:, np.ptp(layer[train], axis=0) > 0]
