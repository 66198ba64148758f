"""Trains a tiny network that reads two digits at once and labels both: the smallest archive for `[replay] blocks`.

Images and labels are those of `digits_pytorch.py`; they are not written again. The metrics are those of replicated images."""

import common
import common_pytorch
import numpy as np
import torch
from aggregated import blocks, judge, summed
from torch import nn

FOLD, RATE, MOMENTUM = 2, 0.1, 0.9
STEPS = (0, 100, 1_000)


class Network(nn.Module):
    """Images [blocks, 2, 8, 8] to logits [blocks, 2, 10]; modules are named as in the graph."""

    def __init__(self):
        super().__init__()
        self.flat = nn.Flatten()
        self.fc1 = nn.Linear(64 * FOLD, 16)
        self.h = nn.ReLU()
        self.fc2 = nn.Linear(16, 10 * FOLD)
        self.heads = nn.Unflatten(1, (FOLD, 10))

    def forward(self, x):
        for module in self.children():
            x = module(x)
        return x


def main():
    args = common.options("digits-pairs", STEPS[-1], len(STEPS))
    common_pytorch.seeded(args.seed)
    (train_x, train_y), (test_x, test_y, _) = common.split()
    net = common_pytorch.initialise(Network())
    images = torch.from_numpy(train_x).reshape(-1, 8, 8)
    own, test = (torch.from_numpy(x.reshape(-1, 1, 8, 8).repeat(FOLD, axis=1)) for x in (train_x, test_x))

    def evaluate():
        return *judge(net(own).numpy(), train_y), *judge(net(test).numpy(), test_y)

    optimiser = torch.optim.SGD(net.parameters(), lr=RATE, momentum=MOMENTUM)
    order = blocks(len(train_y), FOLD, args.seed)
    training = images, torch.from_numpy(train_y.astype(np.int64))
    common_pytorch.series(args.output, net, optimiser, STEPS, order, training, evaluate, args.seed, loss=summed)
    common_pytorch.export(net.eval(), test[:4], args.output / "model.onnx", {"fc2": "outputs", "heads": "logits"})
    common.verify(args.output, test.numpy(), test_y, judge)


if __name__ == "__main__":
    main()
