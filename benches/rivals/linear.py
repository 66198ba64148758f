"""Principal components and the linear decoder in scikit-learn.

`python linear.py X.npy [--target TARGET.npy] [--repeat 3]`: with a target, ridge with its penalty chosen by
cross-validation on four fifths of the samples and judged on the last fifth; without one, four components.
"""

import argparse

import clock
import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

RELATIVE_PENALTIES = np.array([1e-6, 1e-4, 1e-2, 1.0, 100.0])


def decoder(layer, target):
    """Ridge over five penalties and five folds; a penalty is relative to the mean diagonal of the Gram matrix."""
    scale = float(np.square(layer - layer.mean(0)).sum()) / layer.shape[1]
    search = GridSearchCV(Ridge(), {"alpha": scale * RELATIVE_PENALTIES}, cv=5, scoring="neg_mean_squared_error")
    return search.fit(layer, target)


def decoded(layer, target):
    train = len(layer) * 4 // 5
    fitted = decoder(layer[:train], target[:train])
    return float(np.square(fitted.predict(layer[train:]) - target[train:]).mean())


def explained(layer, solver):
    pca = PCA(4, svd_solver=solver, random_state=0)
    pca.fit_transform(layer)
    return float(pca.explained_variance_ratio_.sum())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("x")
    parser.add_argument("--target")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    clock.tune()
    layer = np.load(options.x)
    if options.target:
        target = np.load(options.target)
        clock.report("GridSearchCV(Ridge)", lambda: decoded(layer, target), options.repeat)
    else:
        for solver in ("randomized", "arpack", "covariance_eigh"):
            clock.report(f"PCA, {solver}", lambda solver=solver: explained(layer, solver), options.repeat)


if __name__ == "__main__":
    main()
