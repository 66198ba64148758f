"""The random numbers of `estimate/random.rs`, in numpy: same seed, same data, same held-out samples.

`python splitmix.py FOLDER` writes the arrays that the estimators are compared on.
"""

import sys
from pathlib import Path

import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def first(seeds):
    """The first output of SplitMix64 from each seed."""
    with np.errstate(over="ignore"):
        z = np.asarray(seeds, np.uint64) + GOLDEN
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def uniforms(seed, count):
    with np.errstate(over="ignore"):
        states = np.uint64(seed) + GOLDEN * np.arange(count, dtype=np.uint64)
    return (first(states) >> np.uint64(11)).astype(np.float64) / 2.0**53


def normals(seed, count):
    """`count` standard normal numbers, two from each pair of uniform ones (Box and Muller)."""
    u = uniforms(seed, count + count % 2)
    radius = np.sqrt(-2.0 * np.log1p(-u[0::2]))
    angle = 2.0 * np.pi * u[1::2]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)[:count]


def pair(n, d):
    """Two normal variables whose d pairs of coordinates share two nats in all."""
    a, b = normals(1, 2 * n * d).reshape(n, d, 2).transpose(2, 0, 1)
    rho = np.sqrt(1.0 - np.exp(-4.0 / d))
    return np.ascontiguousarray(a), rho * a + np.sqrt(1.0 - rho * rho) * b


def layer(n, d, classes, seed):
    """Like a hidden layer: a class mean of weight 2/sqrt(d) each, 8 shared directions, noise, then max(., 0)."""
    labels = np.arange(n) % classes
    means = normals(seed, classes * d).reshape(classes, d)
    shared = normals(seed + 1, 8 * d).reshape(8, d)
    latent = normals(seed + 2, n * 8).reshape(n, 8)
    noise = normals(seed + 3, n * d).reshape(n, d)
    z = 2.0 / np.sqrt(d) * means[labels] + 0.5 * latent @ shared + noise + 0.5
    return np.maximum(z, 0.0), labels


def factors(units, samples=10_000, shared=32):
    """The layer of `benches/compress.rs`: shared factors of decreasing size, and noise."""
    drawn = 0

    def normal(rows, columns):
        # Of each pair of normal numbers the first; a pair takes two of the generator.
        nonlocal drawn
        values = np.empty((rows, columns), np.float32)
        for row in range(0, rows, 500):
            some = values[row : row + 500]
            seed = (1 + int(GOLDEN) * 2 * drawn) % 2**64
            some[:] = normals(seed, 2 * some.size)[::2].reshape(some.shape)
            drawn += some.size
        return values

    mixing = normal(shared, units) / np.arange(1, shared + 1, dtype=np.float32)[:, None]
    return normal(samples, shared) @ mixing + normal(samples, units) * np.float32(0.3)


def split(ids, test_fraction, seed):
    """Rows to train and to test on, by the seeded hash of their ids, as `Split::by_id` does."""
    order = np.lexsort((ids, first(first(seed) ^ np.asarray(ids, np.uint64))))
    n_test = int(len(ids) * test_fraction + 0.5)
    return order[n_test:], order[:n_test]


def write(folder, widths=(64, 512, 4096)):
    """The arrays of the comparisons: small ones, and those of layers of the given widths."""
    folder = Path(folder)
    for d in (1, 4, 8):
        for name, values in zip("xy", pair(10_000, d), strict=True):
            np.save(folder / f"{name}{d}.npy", values)
    mixing = normals(50, 64 * 784).reshape(64, 784)
    noise = normals(51, 10_000 * 784).reshape(10_000, 784)
    for d in widths:
        z, _ = layer(10_100, d, 10, 40)
        np.save(folder / f"layer{d}.npy", z[:10_000].astype(np.float32))
        np.save(folder / f"layer{d}-test.npy", z[10_000:].astype(np.float32))
        # A target of 784 pixels that the layer knows in part.
        np.save(folder / f"target{d}.npy", (z[:10_000, :64] @ mixing / 8 + noise).astype(np.float32))
    labels = np.arange(10_100) % 10
    np.save(folder / "labels.npy", labels[:10_000])
    np.save(folder / "labels-test.npy", labels[10_000:])


if __name__ == "__main__":
    write(sys.argv[1])
