"""Prints the values that tests/usable.rs expects: the optimum of scikit-learn's LogisticRegression, in f64 to a
gradient of 1e-9, on the standardized activations of `data/digits`, and what it leaves of the held-out labels."""

import digits
import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression

train, test = digits.train, digits.test
print("scikit-learn", sklearn.__version__, "onnxruntime", digits.ort.__version__)
for tap, layer in digits.layers():
    layer = (layer - layer[train].mean(axis=0)) / layer[train].std(axis=0)
    for penalty in (1e-2, 1e-3, 1e-4):
        model = LogisticRegression(C=1 / (penalty * len(train)), tol=1e-9, max_iter=100_000)
        model.fit(layer[train], digits.labels[train])

        def loss(rows):
            return -model.predict_log_proba(layer[rows])[np.arange(len(rows)), digits.labels[rows]].mean()

        objective = loss(train) + penalty / 2 * np.square(model.coef_).sum()
        print(f"{tap} {layer.shape[1]} {penalty:g} {objective:.12f} {loss(test):.12f}")
