"""Prints the values that tests/reconstruction.rs expects: scikit-learn's Ridge on the activations of `data/digits`."""

import digits
import numpy as np
import sklearn
from sklearn.linear_model import Ridge

train, test = digits.train, digits.test
target = digits.inputs.reshape(len(digits.inputs), -1).astype(np.float64)
print("scikit-learn", sklearn.__version__, "onnxruntime", digits.ort.__version__)
for tap, layer in digits.layers():
    centered = layer[train] - layer[train].mean(axis=0)
    scale = (centered**2).sum() / layer.shape[1]
    for penalty in (1e-6, 1e-2):
        fitted = Ridge(alpha=penalty * scale).fit(layer[train], target[train])
        print(tap, layer.shape[1], penalty, repr(float(((fitted.predict(layer[test]) - target[test]) ** 2).mean())))
