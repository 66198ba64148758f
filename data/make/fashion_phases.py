"""Trains a small CNN on ten classes of Fashion-MNIST far past convergence, with a checkpoint at step 0
and at every power of two, and writes two labels that it was never told: for what a layer keeps and loses.

The evaluation images are those of `fashion_coarse.py`, in the same order; they are not written again."""

import argparse
import time
from pathlib import Path

import common
import common_pytorch
import numpy as np
import torch
from fashion_coarse import Scale, chosen, read
from torch import nn

BATCH, MOMENTUM = 128, 0.9
STEPS = (0, *(2**power for power in range(1, 16)))


class Network(nn.Module):
    """Four convolutions of stride 2, each with batch normalization, a narrow hidden layer, and one linear layer.

    Each module but the last is named as the tensor it makes in the graph."""

    def __init__(self, widths, hidden):
        super().__init__()
        self.scale = Scale()
        for layer, (narrow, wide) in enumerate(zip((1, *widths), widths), start=1):
            self.add_module(f"conv{layer}", nn.Conv2d(narrow, wide, 3, stride=2, padding=1))
            self.add_module(f"norm{layer}", nn.BatchNorm2d(wide))
            self.add_module(f"act{layer}", nn.ReLU())
        self.flat = nn.Flatten()
        self.fc1 = nn.Linear(4 * widths[-1], hidden)
        self.h = nn.ReLU()
        self.fc2 = nn.Linear(hidden, 10)

    def forward(self, x):
        for module in self.children():
            x = module(x)
        return x


def quadrant(images):
    """Which quarter of the image is the brightest: 0 top left, 1 top right, 2 bottom left, 3 bottom right."""
    sums = images.reshape(-1, 2, 14, 2, 14).astype(np.int64).sum((2, 4))
    return sums.reshape(-1, 4).argmax(1).astype(np.uint8)


def brightness(images):
    """The third of the evaluation images by summed brightness: 0 dark, 1 middle, 2 bright."""
    sums = images.reshape(len(images), -1).astype(np.int64).sum(1)
    return (3 * sums.argsort(kind="stable").argsort(kind="stable") // len(sums)).astype(np.uint8)


def options():
    parser = argparse.ArgumentParser()
    default = Path(__file__).resolve().parent.parent / "fashion-phases"
    source = Path("/usr/share/datasets/fashion-mnist")
    parser.add_argument("--source", type=Path, default=source, help="folder of the Debian package dataset-fashion-mnist")
    parser.add_argument("--output", type=Path, default=default, help="archive folder")
    parser.add_argument("--rate", type=float, default=0.01, help="learning rate")
    parser.add_argument("--decay", type=float, default=0.0, help="weight decay")
    parser.add_argument("--widths", type=int, nargs=4, default=(8, 16, 32, 32), help="channels of the convolutions")
    parser.add_argument("--hidden", type=int, default=32, help="units of the hidden layer")
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
    (train_x, train_y), (test_x, test_y) = read(args.source, "train"), read(args.source, "t10k")
    train_rows, rows = chosen(train_y, test_y)
    train_x, train_y = torch.from_numpy(train_x[train_rows]), train_y[train_rows]
    test_x, test_y = torch.from_numpy(test_x[rows]), test_y[rows]
    labels = {"class": test_y, "quadrant": quadrant(test_x.numpy()), "brightness": brightness(test_x.numpy())}
    for name, values in labels.items():
        np.save(args.output / f"{name}.npy", values)

    net = Network(args.widths, args.hidden)
    optimiser = torch.optim.SGD(net.parameters(), lr=args.rate, momentum=MOMENTUM, weight_decay=args.decay)
    metrics = []

    def record(step):
        train = common.loss_and_accuracy(net(train_x).numpy(), train_y)
        test = common.loss_and_accuracy(net(test_x).numpy(), test_y)
        epoch = step / (len(train_x) // BATCH)
        metrics.append((step, epoch, *train, *test))
        # The count of batches changes no output.
        kept = {key: value for key, value in common_pytorch.weights(net).items() if "num_batches" not in key}
        common.write_checkpoint(args.output, step, epoch, args.seed, kept)
        print(f"  step {step}: {train[0]:.4f} {train[1]:.4f}, {test[0]:.4f} {test[1]:.4f}", flush=True)

    order = common.batches(len(train_x), BATCH, args.seed)
    classes = torch.from_numpy(train_y.astype(np.int64))
    common_pytorch.train(net, optimiser, STEPS, order, train_x, classes, record)
    common.write_metrics(args.output, metrics)
    common_pytorch.export(net.eval(), test_x[:4], args.output / "model.onnx", {"fc2": "logits"})
    print(f"{args.output}: {len(metrics)} checkpoints")
    common.verify(args.output, test_x.numpy(), test_y)
    print(f"  {time.time() - began:.0f} s")


if __name__ == "__main__":
    main()
