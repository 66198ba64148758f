"""Principal components and the linear decoder in scikit-learn.

`python linear.py X.npy [--target TARGET.npy] [--repeat 3] [--components 4]`: with a target, ridge with its penalty chosen by
cross-validation on four fifths of the samples and judged on the last fifth; without one, principal components. `--units 4096` in place of X.npy makes the layer of `benches/compress.rs`.
"""

import argparse

import clock
import numpy as np
import splitmix
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


def explained(layer, solver, components):
    pca = PCA(components, svd_solver=solver, random_state=0)
    pca.fit_transform(layer)
    return float(pca.explained_variance_ratio_.sum())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("x", nargs="?")
    parser.add_argument("--units", type=int)
    parser.add_argument("--components", type=int, default=4)
    parser.add_argument("--target")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    clock.tune()
    layer = np.load(options.x) if options.x else splitmix.factors(options.units)
    if options.target:
        target = np.load(options.target)
        clock.report("GridSearchCV(Ridge)", lambda: decoded(layer, target), options.repeat)
    else:
        for solver in ("randomized", "arpack", "covariance_eigh"):
            if solver == "covariance_eigh" and layer.shape[1] > 1000:
                continue  # a full decomposition: seconds
            task = lambda solver=solver: explained(layer, solver, options.components)
            clock.report(f"PCA, {solver}", task, options.repeat)


if __name__ == "__main__":
    main()
