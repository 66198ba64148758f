"""Trains a small CNN on the 8x8 digits with PyTorch and writes a checkpoint archive."""

import ast
import time

import common
import onnx
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
    with torch.no_grad():
        net(inputs)
    for hook in hooks:
        hook.remove()
    return caught


def export(net, example, path):
    """The graph of the last checkpoint: all names kept, nothing folded, no local paths."""
    program = torch.onnx.export(
        net, (example,), dynamo=True, optimize=False, external_data=False, verbose=False,
        input_names=["input"], output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    )
    model = program.model_proto
    names = dict(net.named_children())
    graph, scopes = model.graph, "pkg.torch.onnx.name_scopes"
    rename = {}
    for node in graph.node:
        kept = next(p.value for p in node.metadata_props if p.key == scopes)
        # What else the exporter notes holds stack traces with local file paths.
        del node.metadata_props[:]
        node.metadata_props.add(key=scopes, value=kept)
        node.doc_string = ""
        module = ast.literal_eval(kept)[-2]
        if module in names:  # the last node of a module makes its output
            rename[module] = node.output[0]
    rename = {old: TENSOR.get(module, module) for module, old in rename.items()}
    for node in graph.node:
        node.input[:] = [rename.get(name, name) for name in node.input]
        node.output[:] = [rename.get(name, name) for name in node.output]
    for value in [*graph.input, *graph.output, *graph.value_info, *graph.initializer]:
        value.name = rename.get(value.name, value.name)
        value.doc_string = ""
        del value.metadata_props[:]
    del model.metadata_props[:], graph.metadata_props[:]
    model.doc_string = graph.doc_string = ""
    onnx.save(model, path)


def main():
    began = time.time()
    args = common.options("digits", steps=4000, checkpoints=28)
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    torch.use_deterministic_algorithms(True)
    (train_x, train_y), (test_x, test_y, ids) = common.split()
    images = lambda x: torch.from_numpy(x.reshape(-1, 1, 8, 8))
    train_images, test_images, train_labels = images(train_x), images(test_x), torch.from_numpy(train_y)
    common.write_evaluation(args.output, test_images.numpy(), test_y, ids)

    net = Digits()
    optimiser = torch.optim.SGD(net.parameters(), lr=RATE, momentum=MOMENTUM)
    steps = common.schedule(args.steps, args.checkpoints, args.spacing)
    golden = {steps[0], steps[len(steps) // 2], steps[-1]}
    order = common.batches(len(train_y), BATCH, args.seed)
    per_epoch = len(train_y) // BATCH
    rows = []
    for step in range(args.steps + 1):
        if step in steps:
            net.eval()
            with torch.no_grad():
                train = common.loss_and_accuracy(net(train_images).numpy(), train_y)
                test = common.loss_and_accuracy(net(test_images).numpy(), test_y)
            epoch = step / per_epoch
            rows.append((step, epoch, *train, *test))
            tensors = {key: value.numpy() for key, value in net.state_dict().items()}
            common.write_checkpoint(args.output, step, epoch, args.seed, tensors)
            if step in golden:
                tensors = activations(net, test_images[: common.REFERENCE_SAMPLES])
                common.write_reference(args.output, step, tensors, f"torch {torch.__version__.split('+')[0]} CPU")
            net.train()
        if step < args.steps:
            batch = torch.from_numpy(next(order))
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(train_images[batch]), train_labels[batch]).backward()
            optimiser.step()
    common.write_metrics(args.output, rows)
    export(net.eval(), test_images[:4], args.output / "model.onnx")
    print(f"{args.output}: {len(rows)} checkpoints")
    common.verify(args.output)
    print(f"  {time.time() - began:.0f} s")


if __name__ == "__main__":
    main()
