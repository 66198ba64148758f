"""Trains a small CNN on the 8x8 digits with PyTorch and writes a checkpoint archive."""

import time

import common
import common_pytorch
import torch
from torch import nn

BATCH, RATE, MOMENTUM = 32, 0.02, 0.9


class Digits(nn.Module):
    """Each module but the last is named as the tensor it makes in the graph."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv1_act = nn.ReLU()
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(8, 12, 3, padding=1)
        self.conv2_act = nn.ReLU()
        self.flat = nn.Flatten()
        self.fc1 = nn.Linear(192, 24)
        self.fc1_act = nn.ReLU()
        self.fc2 = nn.Linear(24, 10)

    def forward(self, x):
        for module in self.children():
            x = module(x)
        return x


TENSOR = {"fc2": "logits"}


def activations(net, inputs):
    """Every module's output, caught by forward hooks."""
    caught = {}
    hooks = [
        module.register_forward_hook(
            lambda _m, _i, out, name=TENSOR.get(name, name): caught.update({name: out.detach().clone().numpy()})
        )
        for name, module in net.named_children()
    ]
    net(inputs)
    for hook in hooks:
        hook.remove()
    return caught


def main():
    began = time.time()
    args = common.options("digits", steps=4000, checkpoints=28)
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    torch.use_deterministic_algorithms(True)
    (train_x, train_y), (test_x, test_y, ids) = common.split()
    images = lambda x: torch.from_numpy(x.reshape(-1, 1, 8, 8))
    train_images, test_images = images(train_x), images(test_x)
    common.write_evaluation(args.output, test_images.numpy(), test_y, ids)

    net = Digits()
    optimiser = torch.optim.SGD(net.parameters(), lr=RATE, momentum=MOMENTUM)
    steps = common.schedule(args.steps, args.checkpoints, args.spacing)
    golden = {steps[0], steps[len(steps) // 2], steps[-1]}
    order = common.batches(len(train_y), BATCH, args.seed)
    per_epoch = len(train_y) // BATCH
    rows = []

    def record(step):
        train = common.loss_and_accuracy(net(train_images).numpy(), train_y)
        test = common.loss_and_accuracy(net(test_images).numpy(), test_y)
        epoch = step / per_epoch
        rows.append((step, epoch, *train, *test))
        common.write_checkpoint(args.output, step, epoch, args.seed, common_pytorch.weights(net))
        if step in golden:
            tensors = activations(net, test_images[: common.REFERENCE_SAMPLES])
            common.write_reference(args.output, step, tensors, f"torch {torch.__version__.split('+')[0]} CPU")

    common_pytorch.train(net, optimiser, steps, order, train_images, torch.from_numpy(train_y), record)
    common.write_metrics(args.output, rows)
    common_pytorch.export(net.eval(), test_images[:4], args.output / "model.onnx", TENSOR)
    print(f"{args.output}: {len(rows)} checkpoints")
    common.verify(args.output, *common.read_evaluation(args.output))
    print(f"  {time.time() - began:.0f} s")


if __name__ == "__main__":
    main()
