"""Trains the network of Shwartz-Ziv and Tishby (2017), 12-10-7-5-4-3-2 with tanh, on their task of 12 bits,
and writes a checkpoint archive with exact information of each layer's binned activations beside it.

The label of each of the 4,096 patterns is read from ../tanh/labels.npy, which ships (see ../README.md)."""

import argparse
import csv
import time
from pathlib import Path

import common
import common_pytorch
import numpy as np
import torch
from torch import nn

BITS, WIDTHS = 12, (12, 10, 7, 5, 4, 3)
TRAIN = 3_277  # of 4,096: four fifths
SPLIT_SEED = 20261121
BATCH, RATE, STEPS, CHECKPOINTS = 256, 0.02, 104_000, 40
BINS = 30


class Net(nn.Module):
    """Each module but the last is named as the tensor it makes in the graph."""

    def __init__(self):
        super().__init__()
        for layer, (narrow, wide) in enumerate(zip(WIDTHS, WIDTHS[1:]), start=1):
            linear = nn.Linear(narrow, wide)
            nn.init.trunc_normal_(linear.weight, std=wide**-0.5, a=-2 * wide**-0.5, b=2 * wide**-0.5)
            nn.init.zeros_(linear.bias)
            self.add_module(f"fc{layer}", linear)
            self.add_module(f"h{layer}", nn.Tanh())
        self.fc6 = nn.Linear(WIDTHS[-1], 2)

    def forward(self, x):
        for module in self.children():
            x = module(x)
        return x

    def layers(self, x):
        """The values of each tanh layer."""
        values = {}
        for name, module in self.named_children():
            x = module(x)
            if name.startswith("h"):
                values[name] = x.numpy()
        return values


def patterns():
    """All patterns of 12 bits; row i spells i, the highest bit first."""
    return ((np.arange(2**BITS)[:, None] >> np.arange(BITS - 1, -1, -1)) & 1).astype(np.float32)


def entropy(counts):
    """In bits."""
    p = counts[counts > 0] / counts.sum()
    return -(p * np.log2(p)).sum()


def plug_in(values, labels):
    """I(X;T) = H(T) and I(T;Y) = H(T) - H(T|Y) in bits, and the number of states, of 30 equal bins on [-1, 1]."""
    bins = np.clip(np.floor((values.astype(np.float64) + 1) * (BINS / 2)), 0, BINS - 1).astype(np.int64)
    states = np.unique(bins, axis=0, return_inverse=True)[1].ravel()
    h = entropy(np.bincount(states))
    given = sum((labels == y).mean() * entropy(np.bincount(states[labels == y])) for y in np.unique(labels))
    return h, h - given, len(np.unique(states))


def options():
    parser = argparse.ArgumentParser()
    default = Path(__file__).resolve().parent.parent / "tanh"
    parser.add_argument("--output", type=Path, default=default, help="archive folder")
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
    inputs = patterns()
    labels = np.load(Path(__file__).resolve().parent.parent / "tanh" / "labels.npy").astype(np.int64)
    train = np.sort(np.random.RandomState(SPLIT_SEED).permutation(len(labels))[:TRAIN])
    test = np.setdiff1d(np.arange(len(labels)), train)
    # Half precision holds bits exactly; the graph's own type is single.
    np.save(args.output / "inputs.npy", inputs.astype(np.float16))
    held_out = np.ones(len(labels), np.uint8)
    held_out[train] = 0
    np.save(args.output / "held_out.npy", held_out)

    net = Net()
    optimiser = torch.optim.SGD(net.parameters(), lr=RATE)
    steps = common.schedule(STEPS, CHECKPOINTS, "log")
    x, y = torch.from_numpy(inputs), torch.from_numpy(labels)
    metrics, information = [], []

    def record(step):
        logits = net(x).numpy()
        epoch = step / (TRAIN // BATCH)
        everywhere = common.loss_and_accuracy(logits, labels)
        metrics.append((step, epoch, *common.loss_and_accuracy(logits[train], labels[train]), *everywhere,
                        *common.loss_and_accuracy(logits[test], labels[test])))
        common.write_checkpoint(args.output, step, epoch, args.seed, common_pytorch.weights(net))
        for layer, values in net.layers(x).items():
            information.append((step, layer, *plug_in(values, labels)))

    def order():
        for rows in common.batches(TRAIN, BATCH, args.seed):
            yield train[rows]

    common_pytorch.train(net, optimiser, steps, order(), x, y, record)
    # The evaluation samples are all patterns, those of training among them: information is about all.
    common.write_metrics(args.output, [row[:6] for row in metrics])
    with open(args.output / "held_out.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["step", "loss", "accuracy"])
        writer.writerows([row[0], *(f"{value:.9g}" for value in row[6:])] for row in metrics)
    with open(args.output / f"plug_in_{BINS}_bins.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["step", "layer", "input_bits", "label_bits", "states"])
        writer.writerows([step, layer, f"{x:.12f}", f"{y:.12f}", states] for step, layer, x, y, states in information)
    common_pytorch.export(net.eval(), x[:4], args.output / "model.onnx", {"fc6": "logits"})
    print(f"{args.output}: {len(metrics)} checkpoints; entropy of the label {entropy(np.bincount(labels)):.6f} bits")
    common.verify(args.output, inputs, labels)
    print(f"  {time.time() - began:.0f} s")


if __name__ == "__main__":
    main()
