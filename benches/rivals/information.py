"""Mutual information in Python: KSG-1 and Ross with Chebyshev distances, pairwise bounds.

`python information.py X.npy Y.npy [--neighbors 5] [--repeat 5]` times KSG-1 with both trees:
  scipy     cKDTree
  sklearn   KDTree: the tree and the way of NPEET
both on as many threads as OMP_NUM_THREADS says. `--samples N --dimensions D` in place of the files draws normal samples.
`python information.py --bounds LAYER.npy [--variance 10]` times both pairwise bounds of a layer, by one matrix product
in single precision.
"""

import argparse
from concurrent.futures import ThreadPoolExecutor

import clock
import numpy as np
from scipy.spatial import cKDTree
from scipy.special import digamma
from sklearn.neighbors import KDTree
from splitmix import pair


def mean_information(k, nx, ny):
    n = len(nx)
    return float(digamma(k) + digamma(n) - np.mean(digamma(nx + 1) + digamma(ny + 1)))


def ksg_by_scipy(x, y, k):
    joint, workers = np.hstack([x, y]), clock.THREADS
    distances, _ = cKDTree(joint).query(joint, k=[k + 1], p=np.inf, workers=workers)
    radii = np.nextafter(distances[:, 0], 0)
    counts = [
        cKDTree(side).query_ball_point(side, radii, p=np.inf, return_length=True, workers=workers) - 1
        for side in (x, y)
    ]
    return mean_information(k, *counts)


def in_threads(task, n):
    """A task over parts of n rows; scikit-learn's trees let other threads run meanwhile."""
    parts = [part for part in np.array_split(np.arange(n), 8 * clock.THREADS) if len(part)]
    with ThreadPoolExecutor(clock.THREADS) as pool:
        return np.concatenate(list(pool.map(lambda part: task(slice(part[0], part[-1] + 1)), parts)))


def ksg_by_sklearn(x, y, k):
    joint, n = np.hstack([x, y]), len(x)
    tree = KDTree(joint, metric="chebyshev")
    radii = np.nextafter(in_threads(lambda rows: tree.query(joint[rows], k=k + 1)[0][:, k], n), 0)
    counts = []
    for side in (x, y):
        tree = KDTree(side, metric="chebyshev")
        near = in_threads(lambda rows, tree=tree, side=side: tree.query_radius(side[rows], radii[rows], count_only=True), n)
        counts.append(near - 1)
    return mean_information(k, *counts)


def ross(x, labels, k):
    """`mutual_info_classif` of scikit-learn, for more than one coordinate at once."""
    radii, sizes = np.empty(len(x)), np.empty(len(x))
    for label in np.unique(labels):
        rows = labels == label
        members = x[rows]
        distances, _ = KDTree(members, metric="chebyshev").query(members, k=k + 1)
        radii[rows], sizes[rows] = np.nextafter(distances[:, k], 0), len(members)
    counts = KDTree(x, metric="chebyshev").query_radius(x, radii, count_only=True)
    return float(digamma(len(x)) + digamma(k) - np.mean(digamma(sizes)) - np.mean(digamma(counts)))


def pairwise_bounds(layer, variance):
    """The bounds of Kolchinsky and Tracey: upper and lower."""
    layer = layer.astype(np.float32) - layer.mean(0, dtype=np.float32)
    norms = np.einsum("ij,ij->i", layer, layer)
    squares = layer @ layer.T
    squares *= -2
    squares += norms
    squares += norms[:, None]
    np.maximum(squares, 0, out=squares)
    kernels = np.exp(squares * (-0.125 / variance))
    wide = kernels.mean(1, dtype=np.float64)
    kernels **= 4
    return tuple(float(-np.log(sums).mean()) for sums in (kernels.mean(1, dtype=np.float64), wide))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("x", nargs="?")
    parser.add_argument("y", nargs="?")
    parser.add_argument("--samples", type=int)
    parser.add_argument("--dimensions", type=int, default=4)
    parser.add_argument("--bounds")
    parser.add_argument("--variance", type=float, default=10.0)
    parser.add_argument("--neighbors", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    if options.bounds:
        layer = np.load(options.bounds)
        clock.report("numpy", lambda: pairwise_bounds(layer, options.variance), options.repeat)
        return
    if options.samples:
        x, y = pair(options.samples, options.dimensions)
    else:
        x, y = np.load(options.x), np.load(options.y)
    for name, rival in (("scipy", ksg_by_scipy), ("sklearn", ksg_by_sklearn)):
        clock.report(name, lambda rival=rival: rival(x, y, options.neighbors), options.repeat)


if __name__ == "__main__":
    main()
