"""The `mlp` decoder in PyTorch: the same network, batches, steps and looks at the rows that tell when to stop.

`python network.py X.npy TARGET.npy [--steps 500] [--repeat 1]`. Each side draws its own weights and batches, so that the
losses agree as those of two seeds do.
"""

import argparse

import clock
import numpy as np
import splitmix
import torch

BATCH = 128
CHECK = 32
HIDDEN = 128


def sides(layer, target):
    """Training and test rows: the layer standardized, the target about its mean in units of one deviation."""
    train, test = splitmix.split(np.arange(len(layer), dtype=np.uint64), 0.2, 0)
    mean, deviation = layer[train].mean(0), layer[train].std(0)
    kept = deviation > 0
    z = (layer[:, kept] - mean[kept]) / deviation[kept]
    y = target - target[train].mean(0)
    scale = float(np.sqrt(np.square(y[train], dtype=np.float64).mean()))
    rows = [np.ascontiguousarray(values[side], np.float32) for side in (train, test) for values in (z, y / scale)]
    return [torch.from_numpy(values) for values in rows], scale


def trained(layer, target, steps):
    (z, y, test_z, test_y), scale = sides(layer, target)
    learn = len(z) - len(z) // 5
    network = torch.nn.Sequential(
        torch.nn.Linear(z.shape[1], HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, y.shape[1])
    )
    torch.nn.init.zeros_(network[2].weight)
    torch.nn.init.zeros_(network[2].bias)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.01)
    best, kept = np.inf, None
    order, at = torch.randperm(learn), 0
    for step in range(1, steps + 1):
        if at + BATCH > learn:
            order, at = torch.randperm(learn), 0
        rows = order[at : at + BATCH]
        at += BATCH
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(network(z[rows]), y[rows]).backward()
        optimizer.step()
        if step % CHECK == 0:
            with torch.no_grad():
                loss = float(torch.nn.functional.mse_loss(network(z[learn:]), y[learn:]))
            if loss < best:
                best, kept = loss, [parameter.detach().clone() for parameter in network.parameters()]
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), kept, strict=True):
            parameter.copy_(value)
        error = float((network(test_z) - test_y).square().mean()) * scale**2
    return {"steps": steps, "value": error}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("x")
    parser.add_argument("target")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--repeat", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(clock.THREADS)
    torch.manual_seed(0)
    layer, target = np.load(options.x), np.load(options.target)
    clock.report("torch", lambda: trained(layer, target, options.steps), options.repeat)


if __name__ == "__main__":
    main()
