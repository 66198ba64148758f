"""Prints the values that tests/reconstruction.rs expects: scikit-learn's Ridge on the same samples, split and folds."""

import numpy as np
import sklearn
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, PredefinedSplit

MASK = 2**64 - 1
PENALTIES = [1e-6, 1e-4, 1e-2, 1.0, 100.0]


class SplitMix64:
    def __init__(self, seed):
        self.state = seed

    def bits(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def uniform(self):
        return (self.bits() >> 11) * 2.0**-53

    def array(self, rows, columns):
        return np.array([[self.uniform() for _ in range(columns)] for _ in range(rows)])


def samples(seed, n, d, p, noise):
    random = SplitMix64(seed)
    z, mixing, rest = random.array(n, d), random.array(d, p), random.array(n, p)
    return z, z @ (mixing - 0.5) + noise * (rest - 0.5)


def split(n, seed, n_test):
    key = SplitMix64(seed).bits()
    order = sorted(range(n), key=lambda row: SplitMix64(key ^ row).bits())
    return order[n_test:], order[:n_test]


print("scikit-learn", sklearn.__version__)
for name, (seed, n, d, p, noise) in {"tall": (7, 120, 6, 4, 3.0), "wide": (8, 40, 50, 3, 1.0)}.items():
    z, target = samples(seed, n, d, p, noise)
    train, test = split(n, 3, n // 4)
    centered = z[train] - z[train].mean(axis=0)
    scale = (centered**2).sum() / d
    folds = np.empty(len(train), dtype=int)
    for fold in range(5):
        folds[fold * len(train) // 5 : (fold + 1) * len(train) // 5] = fold
    search = GridSearchCV(
        Ridge(), {"alpha": [r * scale for r in PENALTIES]}, cv=PredefinedSplit(folds), scoring="neg_mean_squared_error"
    ).fit(z[train], target[train])
    losses = [
        ((Ridge(alpha=r * scale).fit(z[train], target[train]).predict(z[test]) - target[test]) ** 2).mean()
        for r in PENALTIES
    ]
    print(name, "scale", repr(float(scale)), "chosen", PENALTIES[search.best_index_])
    print("  test losses", [float(loss) for loss in losses])
    print("  mean predictor", float(((target[test] - target[train].mean(axis=0)) ** 2).mean()))
