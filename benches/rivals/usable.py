"""The linear probe in scikit-learn.

`python usable.py X.npy LABELS.npy [--path] [--repeat 3]`: with `--path` the penalty is chosen among six in five
folds, without it it is given. Features are standardized before the clock starts (infoplane pays for it).
"""

import argparse
import warnings

import clock
import numpy as np
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("x")
    parser.add_argument("labels")
    parser.add_argument("--path", action="store_true")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    clock.tune()
    z, labels = np.load(options.x), np.load(options.labels)
    n = len(z)
    z = ((z - z.mean(axis=0, dtype=np.float64)) / z.std(axis=0, dtype=np.float64)).astype(np.float32)
    model = probe(n) if options.path else LogisticRegression(C=1 / (GIVEN * n), tol=1e-4, max_iter=1000)

    def fit():
        model.fit(z, labels)
        return float(np.ravel(getattr(model, "C_", GIVEN))[0])

    clock.report(type(model).__name__, fit, options.repeat)



if __name__ == "__main__":
    main()
