"""KSG-1 on the tasks of the benchmark of Czyż et al. (NeurIPS 2023), by its own package and by infoplane, on its own draws.

`python beyond_normal.py INFOPLANE [--samples 5000] [--draws 3]` prints a row a task. Needs benchmark-mi 0.1.3 with jax
0.4.30. The package measures distances within a variable as the Euclidean ones, as the paper did; asked for the largest
difference of a coordinate, as infoplane takes it, it has to say the same as infoplane on the same samples.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from bmi.benchmark import BENCHMARK_TASKS
from bmi.estimators import KSGEnsembleFirstEstimator

NEIGHBORS = 10


def ksg(x, y, metric):
    return KSGEnsembleFirstEstimator(neighborhoods=(NEIGHBORS,), metric_x=metric, metric_y=metric).estimate(x, y)


def by_infoplane(program, x, y):
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("x.npy", "y.npy")]
        for file, values in zip(files, (x, y)):
            np.save(file, values)
        command = [program, "measure", "information", "--x", files[0], "--y", files[1], "--margins", "standardized"]
        estimator = f"{{ ksg = {{ neighbors = {NEIGHBORS} }} }}"
        command += ["--estimator", estimator, "--interval", "{ none = {} }"]
        return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["value"]


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("infoplane")
parser.add_argument("--samples", type=int, default=5000)
parser.add_argument("--draws", type=int, default=3)
arguments = parser.parse_args()
print("| task | truth | theirs, Euclidean | theirs, largest difference, first draw | infoplane, first draw |")
print("|---|---|---|---|---|")
for task in BENCHMARK_TASKS.values():
    draws = [task.sample(arguments.samples, seed=seed) for seed in range(arguments.draws)]
    draws = [[np.asarray(side, dtype=np.float64) for side in draw] for draw in draws]
    euclidean = np.mean([ksg(x, y, "euclidean") for x, y in draws])
    largest, ours = ksg(*draws[0], "chebyshev"), by_infoplane(arguments.infoplane, *draws[0])
    print(f"| {task.name} | {task.mutual_information:.3f} | {euclidean:.3f} | {largest:.9f} | {ours:.9f} |", flush=True)
