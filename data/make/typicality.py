"""Trains one small CNN on Fashion-MNIST under four ways to draw minibatches, with several seeds each: for whether typical
samples first make learning earlier.

The images to train on and to evaluate on are those of `fashion_coarse.py`; neither is written again. Half of the training
images is highly typical: those whose tenth neighbor is nearest in sixteen principal components. A published method
takes the density of a picture by t-SNE, and its code is not public: this one can be made again.

`uniform` draws each image as often as any other, `stratified` half of each batch from either half, `typical` three quarters from
the typical one, `atypical` one quarter."""

import argparse
import time
from pathlib import Path

import common
import common_pytorch
import numpy as np
import torch
from fashion_coarse import Scale, chosen, read
from sklearn.neighbors import NearestNeighbors
from torch import nn

BATCH, RATE, MOMENTUM = 128, 0.02, 0.9
COMPONENTS, NEIGHBORS = 16, 10
# Of a batch, how many are drawn from the typical half; none: from all.
DRAWS = {"uniform": None, "stratified": 64, "typical": 96, "atypical": 32}
STEPS = (0, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256, 512, 1024, 2048)


class Network(nn.Module):
    """Each module but the last is named as the tensor it makes in the graph."""

    def __init__(self):
        super().__init__()
        self.scale = Scale()
        for layer, (narrow, wide) in enumerate(((1, 8), (8, 16), (16, 32)), start=1):
            self.add_module(f"conv{layer}", nn.Conv2d(narrow, wide, 3, stride=2, padding=1))
            self.add_module(f"act{layer}", nn.ReLU())
        self.flat = nn.Flatten()
        self.fc1 = nn.Linear(512, 32)
        self.h = nn.ReLU()
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        for module in self.children():
            x = module(x)
        return x


def typical_half(images):
    """Rows of the half of the images with the nearest tenth neighbor, and rows of the other half."""
    pixels = images.reshape(len(images), -1).astype(np.float64)
    _, axes = np.linalg.eigh(np.cov(pixels, rowvar=False))
    scores = (pixels - pixels.mean(0)) @ axes[:, -COMPONENTS:]
    distances, _ = NearestNeighbors(n_neighbors=NEIGHBORS + 1).fit(scores).kneighbors(scores)
    order = distances[:, -1].argsort(kind="stable")
    half = len(order) // 2
    return np.sort(order[:half]), np.sort(order[half:])


def batches(typical, atypical, draw, seed):
    """Endless minibatches: each part is gone through in a fresh order whenever it is used up."""
    if draw is None:
        yield from common.batches(len(typical) + len(atypical), BATCH, seed)
    sizes = ((typical, draw), (atypical, BATCH - draw))
    streams = [(rows, common.batches(len(rows), size, seed)) for rows, size in sizes]
    while True:
        yield np.concatenate([rows[next(stream)] for rows, stream in streams])


def main():
    began = time.time()
    parser = argparse.ArgumentParser()
    default = Path(__file__).resolve().parent.parent / "typicality"
    source = Path("/usr/share/datasets/fashion-mnist")
    parser.add_argument("--source", type=Path, default=source, help="folder of the Debian package dataset-fashion-mnist")
    parser.add_argument("--output", type=Path, default=default, help="folder of the archives, each called DRAW-SEED")
    parser.add_argument("--draws", nargs="*", choices=DRAWS, default=list(DRAWS))
    parser.add_argument("--seeds", type=int, nargs="*", default=(1, 2, 3, 4, 5), help="of the initial weights and the batches")
    args = parser.parse_args()

    (train_x, train_y), (test_x, test_y) = read(args.source, "train"), read(args.source, "t10k")
    train_rows, rows = chosen(train_y, test_y)
    halves = typical_half(train_x[train_rows])
    train_y, test_x, test_y = train_y[train_rows], torch.from_numpy(test_x[rows]), test_y[rows]
    train_x, classes = torch.from_numpy(train_x[train_rows]), torch.from_numpy(train_y.astype(np.int64))
    shares = [np.bincount(train_y[half], minlength=10).tolist() for half in halves]
    print(f"images of each class in the typical half {shares[0]}, in the other {shares[1]}")
    for seed in args.seeds:
        for draw in args.draws:
            folder = args.output / f"{draw}-{seed}"
            common.new_folder(parser, folder)
            common_pytorch.seeded(seed)
            net = common_pytorch.initialise(Network())

            def evaluate(net=net):
                train = common.loss_and_accuracy(net(train_x[:2_000]).numpy(), train_y[:2_000])
                return *train, *common.loss_and_accuracy(net(test_x).numpy(), test_y)

            optimiser = torch.optim.SGD(net.parameters(), lr=RATE, momentum=MOMENTUM)
            order = batches(*halves, DRAWS[draw], seed)
            common_pytorch.series(folder, net, optimiser, STEPS, order, (train_x, classes), evaluate, seed)
            common_pytorch.export(net.eval(), test_x[:4], folder / "model.onnx", {"fc2": "logits"})
            print(f"{folder}, {time.time() - began:.0f} s", flush=True)
            common.verify(folder, test_x.numpy(), test_y)


if __name__ == "__main__":
    main()
