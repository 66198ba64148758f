"""Principal components and the linear decoder in scikit-learn and in numpy.

`python linear.py X.npy [--target TARGET.npy] [--repeat 3] [--components 4]`: with a target, ridge with its penalty chosen by
cross-validation on four fifths of the samples and judged on the others, those that infoplane holds out with seed 0;
without one, principal components. `--units 4096` in place of X.npy makes the layer of `benches/compress.rs`.
"""

import argparse

import clock
import numpy as np
import splitmix
from scipy.linalg import cho_factor, cho_solve
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

RELATIVE_PENALTIES = np.array([1e-6, 1e-4, 1e-2, 1.0, 100.0])

# Layers of fewer units: one eigendecomposition a fold; wider ones: a factorization a fold and penalty.
DECOMPOSED = 1000


def sides(layer, target):
    """The training and test rows of both, in single precision, in the order of infoplane's split."""
    train, test = splitmix.split(np.arange(len(layer), dtype=np.uint64), 0.2, 0)
    return [np.ascontiguousarray(values[rows], np.float32) for rows in (train, test) for values in (layer, target)]


def penalties(layer):
    """Penalties are relative to the mean diagonal of the Gram matrix."""
    return float(np.square(layer - layer.mean(0)).sum()) / layer.shape[1] * RELATIVE_PENALTIES


def result(place, predicted, target):
    error = float(np.square(predicted - target, dtype=np.float64).mean())
    return {"relative_penalty": float(RELATIVE_PENALTIES[place]), "value": error}


def grid_search(layer, target):
    """Ridge over five penalties and five folds, as one would write it."""
    z, y, test_z, test_y = sides(layer, target)
    search = GridSearchCV(Ridge(), {"alpha": penalties(z)}, cv=5, scoring="neg_mean_squared_error").fit(z, y)
    return result(search.best_index_, search.predict(test_z), test_y)


def shared(layer, target):
    """The same with products of matrices that folds and penalties share, as one would write it for speed."""
    z, y, test_z, test_y = sides(layer, target)
    alphas = penalties(z)
    means = z.mean(0), y.mean(0)
    z, y = z - means[0], y - means[1]
    folds = np.array_split(np.arange(len(z)), 5)
    parts = [(z[fold].T @ z[fold], z[fold].T @ y[fold]) for fold in folds]
    zz, zy = (sum(products) for products in zip(*parts, strict=True))
    losses = np.zeros(len(alphas))
    for fold, (part_zz, part_zy) in zip(folds, parts, strict=True):
        n = len(z) - len(fold)
        # What is left has means of its own: those of the fold, the other way.
        mean_z, mean_y = -z[fold].sum(0) / n, -y[fold].sum(0) / n
        rest_zz, rest_zy = zz - part_zz - n * np.outer(mean_z, mean_z), zy - part_zy - n * np.outer(mean_z, mean_y)
        held_z, held_y = z[fold] - mean_z, y[fold] - mean_y
        if z.shape[1] < DECOMPOSED:
            losses += losses_by_eigenvalues(rest_zz, rest_zy, held_z, held_y, alphas)
        else:
            fits = (held_z @ solved(rest_zz, rest_zy, alpha) for alpha in alphas)
            losses += [squares(held_y - fit) for fit in fits]
    best = int(losses.argmin())
    return result(best, (test_z - means[0]) @ solved(zz, zy, alphas[best]) + means[1], test_y)


def losses_by_eigenvalues(rest_zz, rest_zy, held_z, held_y, alphas):
    """In the coordinates of the eigenvectors a penalty costs no product of matrices."""
    values, vectors = np.linalg.eigh(rest_zz)
    weights, rotated = vectors.T @ rest_zy, held_z @ vectors
    quadratic = (weights @ weights.T) * (rotated.T @ rotated)
    linear = np.einsum("ij,ij->i", weights, rotated.T @ held_y)
    shrinks = [1 / (np.maximum(values, 0) + alpha) for alpha in alphas]
    return [squares(held_y) - 2 * shrink @ linear + shrink @ quadratic @ shrink for shrink in shrinks]


def squares(values):
    return float(np.vdot(values, values))


def solved(gram, products, alpha):
    regular = gram.copy()
    regular[np.diag_indices(len(gram))] += np.float32(alpha)
    factor = cho_factor(regular, lower=True, overwrite_a=True, check_finite=False)
    return cho_solve(factor, products, check_finite=False)


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
        clock.report("GridSearchCV(Ridge)", lambda: grid_search(layer, target), options.repeat)
        # Its factorizations are scipy's: here both libraries' threads help.
        clock.tune(scipy=clock.THREADS)
        clock.report("shared products in numpy", lambda: shared(layer, target), options.repeat)
    else:
        for solver in ("randomized", "arpack", "covariance_eigh"):
            if solver == "covariance_eigh" and layer.shape[1] > 1000:
                continue  # a full decomposition: seconds
            task = lambda solver=solver: explained(layer, solver, options.components)
            clock.report(f"PCA, {solver}", task, options.repeat)


if __name__ == "__main__":
    main()
