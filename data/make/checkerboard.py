"""Trains a small network on the perceptual decision task of Kleinman et al. (2021) under four
settings, and writes a checkpoint archive for each.

A checkerboard of 225 red and green squares, most of them of one colour, stands between two targets, one red
and one green. The network sees four noisy numbers (how much is red, how much is green, the colour of the left
target, the colour of the right one) and is taught on which side the target of the dominant colour lies.
It needs the colour to decide, but not once it has decided."""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import common
import common_pytorch
import numpy as np
import torch
from torch import nn

SQUARES = 225
# Red squares: the seven difficulties of the experiments with monkeys, both ways.
RED = (11, 45, 67, 78, 90, 101, 108, 117, 124, 135, 147, 158, 180, 214)
NOISE = 0.1
TRAIN, EVALUATION = 20_000, 3_000
TASK_SEED = 20261121
# Learning rate times step, so that all settings are looked at when gradients and decay have
# acted equally long; step 80,000 of both rates is among them.
MOMENTS = (0, 1, 3, 10, 20, 40, 100, 200, 400, 800, 1_600, 3_200, 5_600, 8_000)


@dataclass
class Setting:
    rate: float
    batch: int
    decay: float


SETTINGS = {
    "high-decay": Setting(0.1, 32, 5e-4),
    "high-plain": Setting(0.1, 32, 0.0),
    "low-decay": Setting(0.04, 256, 5e-4),
    "low-plain": Setting(0.04, 256, 0.0),
}


class Decision(nn.Module):
    """Each module but the last is named as the tensor it makes in the graph."""

    def __init__(self):
        super().__init__()
        widths = (4, 100, 20, 20, 20)
        for layer, (narrow, wide) in enumerate(zip(widths, widths[1:]), start=1):
            self.add_module(f"fc{layer}", nn.Linear(narrow, wide))
            self.add_module(f"h{layer}", nn.ReLU())
        self.fc5 = nn.Linear(20, 2)

    def forward(self, x):
        for module in self.children():
            x = module(x)
        return x


def trials():
    """All trials: inputs [n, 4] f32, and for each trial the direction (1: left), the dominant colour
    (1: red), the configuration (1: the left target is red) and the signed coherence in [-1, 1]."""
    random = np.random.RandomState(TASK_SEED)
    count = TRAIN + EVALUATION
    red = random.choice(RED, count) / SQUARES
    configuration = random.randint(0, 2, count)
    colour = (red > 0.5).astype(int)
    left = 2 * configuration - 1
    inputs = np.stack([red, 1 - red, left, -left], axis=1) + random.normal(0, NOISE, (count, 4))
    columns = {"direction": colour == configuration, "colour": colour, "configuration": configuration}
    columns = {name: values.astype(np.uint8) for name, values in columns.items()}
    return inputs.astype(np.float32), columns | {"coherence": (2 * red - 1).astype(np.float32)}


def options():
    parser = argparse.ArgumentParser()
    default = Path(__file__).resolve().parent.parent / "checkerboard"
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS), help="those to train")
    parser.add_argument("--output", type=Path, default=default, help="folder of the archives")
    parser.add_argument("--seed", type=int, default=7, help="of the initial weights and the batch order")
    args = parser.parse_args()
    for name in args.settings:
        common.new_folder(parser, args.output / name)
    return args


def make(folder, setting, seed, inputs, direction):
    """Trains one network; the first trials are for training, the others for evaluation."""
    torch.manual_seed(seed)
    net = Decision()
    optimiser = torch.optim.SGD(net.parameters(), lr=setting.rate, weight_decay=setting.decay)
    steps = [round(moment / setting.rate) for moment in MOMENTS]
    x, y = torch.from_numpy(inputs), torch.from_numpy(direction.astype(np.int64))
    rows = []

    def record(step):
        logits = net(x).numpy()
        train = common.loss_and_accuracy(logits[:TRAIN], direction[:TRAIN])
        test = common.loss_and_accuracy(logits[TRAIN:], direction[TRAIN:])
        epoch = step / (TRAIN // setting.batch)
        rows.append((step, epoch, *train, *test))
        common.write_checkpoint(folder, step, epoch, seed, common_pytorch.weights(net))

    order = common.batches(TRAIN, setting.batch, seed)
    common_pytorch.train(net, optimiser, steps, order, x, y, record)
    common.write_metrics(folder, rows)
    common_pytorch.export(net.eval(), x[:4], folder / "model.onnx", {"fc5": "logits"})


def main():
    args = options()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    inputs, columns = trials()
    shipped = {name: values[TRAIN:] for name, values in columns.items()}
    shipped |= {"inputs": inputs[TRAIN:], "ids": np.arange(TRAIN, len(inputs), dtype=np.int32)}
    for name, values in shipped.items():
        np.save(args.output / f"{name}.npy", values)
    for name in args.settings:
        began = time.time()
        folder = args.output / name
        make(folder, SETTINGS[name], args.seed, inputs, columns["direction"])
        print(f"{folder}, {SETTINGS[name]}, seed {args.seed}")
        common.verify(folder, shipped["inputs"], shipped["direction"])
        print(f"  {time.time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
