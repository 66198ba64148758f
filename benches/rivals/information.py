"""Nearest-neighbor mutual information in Python: KSG-1 and Ross with Chebyshev distances.

`python information.py X.npy Y.npy [--neighbors 5] [--repeat 5]` times KSG-1 with both trees:
  scipy     cKDTree, on as many threads as OMP_NUM_THREADS says
  sklearn   KDTree, one thread: the tree and the way of NPEET
"""

import argparse

import clock
import numpy as np
from scipy.spatial import cKDTree
from scipy.special import digamma
from sklearn.neighbors import KDTree


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


def ksg_by_sklearn(x, y, k):
    joint = np.hstack([x, y])
    distances, _ = KDTree(joint, metric="chebyshev").query(joint, k=k + 1)
    radii = np.nextafter(distances[:, k], 0)
    counts = [KDTree(side, metric="chebyshev").query_radius(side, radii, count_only=True) - 1 for side in (x, y)]
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("x")
    parser.add_argument("y")
    parser.add_argument("--neighbors", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    x, y = np.load(options.x), np.load(options.y)
    for name, rival in (("scipy", ksg_by_scipy), ("sklearn", ksg_by_sklearn)):
        clock.report(name, lambda rival=rival: rival(x, y, options.neighbors), options.repeat)


if __name__ == "__main__":
    main()
