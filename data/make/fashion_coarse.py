"""Trains a small CNN to tell four coarse classes of Fashion-MNIST apart, long past convergence, and
writes a checkpoint archive with the ten fine classes beside it, which it was never told."""

import argparse
import gzip
import time
from pathlib import Path

import common
import common_pytorch
import numpy as np
import torch
from torch import nn

TRAIN, EVALUATION_PER_CLASS = 10_000, 200
CHOICE_SEED = 20261121
BATCH, RATE, MOMENTUM = 64, 0.05, 0.9
# Coarse class of t-shirt, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, boot: top, trouser, shoe, bag.
COARSE = np.array([0, 1, 0, 0, 0, 2, 0, 2, 3, 2])
STEPS = (0, 20, 50, 150, 400, 1_000, 2_000, 4_000, 7_000, 10_000, 13_000, 16_000)


class Scale(nn.Module):
    """Pixels of 0 to 255 to [0, 1], in the graph: so the images ship as bytes."""

    def forward(self, x):
        return x.float() / 255


class Coarse(nn.Module):
    """Each module but the last is named as the tensor it makes in the graph."""

    def __init__(self):
        super().__init__()
        self.scale = Scale()
        widths = (1, 8, 16, 24)
        for layer, (narrow, wide) in enumerate(zip(widths, widths[1:]), start=1):
            self.add_module(f"conv{layer}", nn.Conv2d(narrow, wide, 3, padding=1))
            self.add_module(f"conv{layer}_act", nn.ReLU())
            self.add_module(f"pool{layer}", nn.MaxPool2d(2))
        self.flat = nn.Flatten()
        self.fc1 = nn.Linear(216, 32)
        self.h1 = nn.ReLU()
        self.fc2 = nn.Linear(32, 16)
        self.h2 = nn.ReLU()
        self.fc3 = nn.Linear(16, 4)

    def forward(self, x):
        for module in self.children():
            x = module(x)
        return x


def read(source, part):
    """Images [n, 1, 28, 28] and fine classes [n] of one part, as bytes."""

    def values(kind, header):
        return np.frombuffer(gzip.decompress((source / f"{part}-{kind}-ubyte.gz").read_bytes()), np.uint8, offset=header)

    return values("images-idx3", 16).reshape(-1, 1, 28, 28), values("labels-idx1", 8)


def chosen(train_fine, test_fine):
    """Rows to train on, and rows to evaluate on, as many of each fine class."""
    random = np.random.RandomState(CHOICE_SEED)
    train = random.permutation(len(train_fine))[:TRAIN]
    of_class = [random.permutation(np.flatnonzero(test_fine == fine)) for fine in range(10)]
    return train, np.sort(np.concatenate([rows[:EVALUATION_PER_CLASS] for rows in of_class]))


def options():
    parser = argparse.ArgumentParser()
    default = Path(__file__).resolve().parent.parent / "fashion-coarse"
    source = Path("/usr/share/datasets/fashion-mnist")
    parser.add_argument("--source", type=Path, default=source, help="folder of the Debian package dataset-fashion-mnist")
    parser.add_argument("--output", type=Path, default=default, help="archive folder")
    parser.add_argument("--decay", type=float, default=1e-3, help="weight decay")
    parser.add_argument("--seed", type=int, default=7, help="of the initial weights and the batch order")
    args = parser.parse_args()
    common.new_folder(parser, args.output)
    return args


def main():
    began = time.time()
    args = options()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    torch.use_deterministic_algorithms(True)
    (train_x, train_fine), (test_x, test_fine) = read(args.source, "train"), read(args.source, "t10k")
    train_rows, rows = chosen(train_fine, test_fine)
    train_x, train_y = torch.from_numpy(train_x[train_rows]), COARSE[train_fine[train_rows]]
    test_x, test_y = torch.from_numpy(test_x[rows]), COARSE[test_fine[rows]]
    for name, values in {"inputs": test_x.numpy(), "fine": test_fine[rows], "ids": rows.astype(np.int32)}.items():
        np.save(args.output / f"{name}.npy", values)

    net = Coarse()
    optimiser = torch.optim.SGD(net.parameters(), lr=RATE, momentum=MOMENTUM, weight_decay=args.decay)
    metrics = []

    def record(step):
        train = common.loss_and_accuracy(net(train_x).numpy(), train_y)
        test = common.loss_and_accuracy(net(test_x).numpy(), test_y)
        epoch = step / (TRAIN // BATCH)
        metrics.append((step, epoch, *train, *test))
        common.write_checkpoint(args.output, step, epoch, args.seed, common_pytorch.weights(net))

    order = common.batches(TRAIN, BATCH, args.seed)
    common_pytorch.train(net, optimiser, STEPS, order, train_x, torch.from_numpy(train_y), record)
    common.write_metrics(args.output, metrics)
    common_pytorch.export(net.eval(), test_x[:4], args.output / "model.onnx", {"fc3": "logits"})
    print(f"{args.output}: {len(metrics)} checkpoints")
    common.verify(args.output, test_x.numpy(), test_y)
    print(f"  {time.time() - began:.0f} s")


if __name__ == "__main__":
    main()
