"""`pipelines/digits.toml` as one would write it in Python: onnxruntime, scikit-learn, and KSG in the way of NPEET.

`python glue.py ARCHIVE OUTPUT.csv [--processes 1] [--stages]`: the same checkpoints, taps, samples, split, penalties
and folds, and the same formulas. `--stages` prints where the time goes.
"""

import argparse
import csv
import time
import warnings
from collections import Counter
from pathlib import Path

import clock
import numpy as np
from archive import Archive, each
from information import ksg_by_sklearn, ross
from linear import decoder
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from splitmix import split
from usable import probe

TAPS = ["conv1_act", "pool1", "conv2_act", "fc1_act", "logits"]
spent = Counter()


def timed(stage, function, *arguments):
    start = time.perf_counter()
    result = function(*arguments)
    spent[stage] += time.perf_counter() - start
    return result


def compressed(layer):
    return StandardScaler().fit_transform(PCA(4).fit_transform(layer.astype(np.float64)))


def gaussian(x, y):
    """I = (ln det Sx + ln det Sy - ln det Sxy) / 2."""
    covariance = np.cov(np.hstack([x, y]).T)
    d = x.shape[1]
    blocks = covariance[:d, :d], covariance[d:, d:], covariance
    a, b, ab = (np.linalg.slogdet(block)[1] for block in blocks)
    return (a + b - ab) / 2


def usable(layer):
    """The entropy of the test labels less the cross-entropy of the probe there, in nats."""
    scaler = StandardScaler().fit(layer[train])
    fitted = probe(len(train)).fit(scaler.transform(layer[train]), archive.labels[train])
    p = fitted.predict_proba(scaler.transform(layer[test]))
    truth = archive.labels[test]
    frequencies = np.bincount(truth) / len(truth)
    return np.mean(np.log(p[np.arange(len(test)), truth]) - np.log(frequencies[truth]))


def reconstruction(layer):
    fitted = decoder(layer[train], inputs[train])
    return np.square(fitted.predict(layer[test]) - inputs[test]).mean()


def rows(checkpoint):
    step = int(checkpoint.stem.removeprefix("step-"))
    layers = timed("replay", archive.replay, checkpoint)
    loss, accuracy = archive.score(layers["logits"])
    found = [(step, "", "loss", loss), (step, "", "accuracy", accuracy)]
    for tap, layer in layers.items():
        few = timed("pca", compressed, layer)
        found += [
            (step, tap, "ksg", timed("ksg", ksg_by_sklearn, few_inputs, few, 5)),
            (step, tap, "gaussian", timed("gaussian", gaussian, few_inputs, few)),
            (step, tap, "ross", timed("ross", ross, few, archive.labels, 3)),
            (step, tap, "usable", timed("usable", usable, layer)),
            (step, tap, "reconstruction", timed("reconstruction", reconstruction, layer)),
        ]
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("archive", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--stages", action="store_true")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    global archive, inputs, few_inputs, train, test
    archive = Archive(options.archive, TAPS, 250)
    inputs = archive.inputs.reshape(len(archive.inputs), -1)
    few_inputs = compressed(inputs)
    train, test = split(np.load(options.archive / "ids.npy"), 0.3, 1)
    with options.output.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["step", "tap", "measure", "value"])
        for block in each(rows, archive.checkpoints, options.processes):
            writer.writerows(block)
    if options.stages:
        print({stage: round(seconds, 3) for stage, seconds in spent.most_common()})


if __name__ == "__main__":
    main()
