"""The distance to the tenth neighbor in Python: scikit-learn's NearestNeighbors, by brute force.

`python neighbors.py IMAGES [--samples N] [--repeat 2] [--write FILE]` takes images as MNIST has them (idx, 28 x 28, bytes),
scaled to one, in single and in double precision; `--write` writes them for `SAMPLES` of `../neighbors.rs`.
"""

import argparse
import time

import numpy as np
from sklearn.neighbors import NearestNeighbors

parser = argparse.ArgumentParser()
parser.add_argument("images")
parser.add_argument("--samples", type=int, default=60_000)
parser.add_argument("--repeat", type=int, default=2)
parser.add_argument("--write")
arguments = parser.parse_args()

images = np.fromfile(arguments.images, np.uint8, offset=16).reshape(-1, 784)[: arguments.samples]
images = images.astype(np.float32) / 255
if arguments.write:
    images.tofile(arguments.write)
for kind in (np.float32, np.float64):
    samples = images.astype(kind)
    for _ in range(arguments.repeat):
        wall, cpu = time.perf_counter(), time.process_time()
        search = NearestNeighbors(n_neighbors=10, algorithm="brute", n_jobs=2).fit(samples)
        distances, _ = search.kneighbors()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(f"{kind.__name__} {len(samples)}: {wall:.2f} s, {cpu:.2f} s of CPU, mean {distances[:, 9].mean():.9f}")
