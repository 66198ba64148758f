"""The linear probe in scikit-learn.

`python usable.py X.npy LABELS.npy [--repeat 3]`: the penalty is chosen among six in five folds.
`python usable.py --units 512 [--repeat 3]`: one fit with a given penalty to the layer of `benches/usable.rs`, to each of
two tolerances, with its objective and the largest entry of the objective's gradient, both in f64.
Features are standardized before the clock starts (infoplane pays for it).
"""

import argparse
import warnings

import clock
import numpy as np
import splitmix
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV

PENALTIES = 10.0 ** np.arange(1, -5, -1)
GIVEN = 1e-3


def probe(n, tolerance=1e-4):
    """A softmax probe of n training samples; its penalty is chosen by the held-out cross-entropy of five folds."""
    return LogisticRegressionCV(
        Cs=1 / (PENALTIES * n),
        cv=5,
        l1_ratios=(0,),
        use_legacy_attributes=False,
        tol=tolerance,
        max_iter=1000,
        scoring="neg_log_loss",
    )


def optimum(z, labels, model, penalty):
    """The objective of a fit and the largest entry of its gradient."""
    z, n, weights = z.astype(np.float64), len(z), model.coef_.astype(np.float64)
    logits = z @ weights.T + model.intercept_
    sums = logsumexp(logits, axis=1)
    right = np.arange(n), np.searchsorted(model.classes_, labels)
    objective = (sums - logits[right]).mean() + penalty / 2 * np.square(weights).sum()
    residuals = np.exp(logits - sums[:, None])
    residuals[right] -= 1
    gradient = residuals.T @ z / n + penalty * weights
    return {"objective": objective, "gradient_norm": max(np.abs(gradient).max(), np.abs(residuals.mean(0)).max())}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("x", nargs="?")
    parser.add_argument("labels", nargs="?")
    parser.add_argument("--units", type=int)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    clock.tune()
    if options.units:
        z, labels = (part[:10_000] for part in splitmix.layer(10_100, options.units, 10, 40))
    else:
        z, labels = np.load(options.x), np.load(options.labels)
    n = len(z)
    z = ((z - z.mean(axis=0, dtype=np.float64)) / z.std(axis=0, dtype=np.float64)).astype(np.float32)

    if not options.units:
        path = lambda: float(np.ravel(probe(n).fit(z, labels).C_)[0])
        clock.report("LogisticRegressionCV", path, options.repeat)
        return
    for tolerance in (1e-4, 1e-5):
        model = LogisticRegression(C=1 / (GIVEN * n), tol=tolerance, max_iter=2000)
        judge = lambda fitted: optimum(z, labels, fitted, GIVEN)
        clock.report(f"LogisticRegression to {tolerance}", lambda m=model: m.fit(z, labels), options.repeat, judge)


if __name__ == "__main__":
    main()
