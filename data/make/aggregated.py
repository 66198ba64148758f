"""Trains a small CNN on Fashion-MNIST that reads 1, 2 or 4 images at once, as channels, and labels each of them, on
several numbers of training images and with several seeds: aggregated learning (Guo et al., AAAI 2020), without its
penalty on information. No code of it was published; widths and settings are ours, and the same at every fold.

The evaluation images are those of `fashion_coarse.py`; they are not written again. The metrics are those of replicated
images: every slot has the same one, and the class is that of the mean probability over slots."""

import argparse
import time
from pathlib import Path

import common
import common_pytorch
import numpy as np
import torch
from fashion_coarse import Scale, chosen, read
from torch import nn

BATCH, RATE, MOMENTUM = 32, 0.02, 0.9
FOLDS, SIZES = (1, 2, 4), (500, 2_000, 8_000)
STEPS = (0, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)


class Network(nn.Module):
    """Images [blocks, fold, 28, 28] to logits [blocks, fold, 10]; modules are named as in the graph."""

    def __init__(self, fold):
        super().__init__()
        self.scale = Scale()
        for layer, (narrow, wide) in enumerate(((fold, 16), (16, 32), (32, 32)), start=1):
            self.add_module(f"conv{layer}", nn.Conv2d(narrow, wide, 3, stride=2, padding=1))
            self.add_module(f"act{layer}", nn.ReLU())
        self.flat = nn.Flatten()
        self.fc1 = nn.Linear(512, 64)
        self.h = nn.ReLU()
        self.fc2 = nn.Linear(64, 10 * fold)
        self.heads = nn.Unflatten(1, (fold, 10))

    def forward(self, x):
        for module in self.children():
            x = module(x)
        return x


def blocks(samples, fold, seed):
    """Endless minibatches of blocks: each slot goes through the images in an order of its own."""
    slots = [common.batches(samples, BATCH, 1_000 * seed + slot) for slot in range(fold)]
    while True:
        yield np.stack([next(slot) for slot in slots], axis=1)


def judge(logits, labels):
    """Loss and accuracy of the mean probability over slots, with one label a block."""
    z = np.asarray(logits, dtype=np.float64)
    z = z - z.max(axis=2, keepdims=True)
    probabilities = np.exp(z) / np.exp(z).sum(axis=2, keepdims=True)
    return common.loss_and_accuracy(np.log(probabilities.mean(axis=1)), labels)


def summed(logits, labels):
    """The sum over slots of the mean cross-entropy, as published."""
    return logits.shape[1] * nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())


def main():
    began = time.time()
    parser = argparse.ArgumentParser()
    default = Path(__file__).resolve().parent.parent / "aggregated"
    source = Path("/usr/share/datasets/fashion-mnist")
    parser.add_argument("--source", type=Path, default=source, help="folder of the Debian package dataset-fashion-mnist")
    parser.add_argument("--output", type=Path, default=default, help="folder of the archives, each called FOLD-SIZE-SEED")
    parser.add_argument("--folds", type=int, nargs="*", default=FOLDS, help="images at once")
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES, help="numbers of training images")
    parser.add_argument("--seeds", type=int, nargs="*", default=(1, 2, 3), help="of the initial weights and the blocks")
    args = parser.parse_args()

    (all_x, all_y), (test_x, test_y) = read(args.source, "train"), read(args.source, "t10k")
    train_rows, rows = chosen(all_y, test_y)
    test_x, test_y = test_x[rows], test_y[rows]
    for seed, size, fold in [(seed, size, fold) for seed in args.seeds for size in args.sizes for fold in args.folds]:
        folder = args.output / f"{fold}-{size}-{seed}"
        common.new_folder(parser, folder)
        common_pytorch.seeded(seed)
        net, labels = common_pytorch.initialise(Network(fold)), all_y[train_rows[:size]]
        train_x = torch.from_numpy(all_x[train_rows[:size], 0])
        test = torch.from_numpy(test_x.repeat(fold, axis=1))

        def evaluate(net=net, train_x=train_x, labels=labels, test=test, fold=fold):
            own = train_x[:2_000, None].repeat(1, fold, 1, 1)
            return *judge(net(own).numpy(), labels[:2_000]), *judge(net(test).numpy(), test_y)

        optimiser = torch.optim.SGD(net.parameters(), lr=RATE, momentum=MOMENTUM)
        training = train_x, torch.from_numpy(labels.astype(np.int64))
        common_pytorch.series(folder, net, optimiser, STEPS, blocks(size, fold, seed), training, evaluate, seed, loss=summed)
        common_pytorch.export(net.eval(), test[:4], folder / "model.onnx", {"fc2": "outputs", "heads": "logits"})
        print(f"{folder}, {time.time() - began:.0f} s", flush=True)
        common.verify(folder, test.numpy(), test_y, judge)


if __name__ == "__main__":
    main()
