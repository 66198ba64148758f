"""What the training scripts in PyTorch share: the loop, a whole series, and the export that keeps names."""

import ast
import itertools

import common
import onnx
import torch
from torch import nn


def seeded(seed):
    """The same bits in every run: one thread, and no operation whose result depends on timing."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)


def initialise(net):
    """Weights of He et al. (2015) and no biases: with PyTorch's own, small networks stand still at first."""
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)
    return net


def series(folder, net, optimiser, steps, order, training, evaluate, seed, **how):
    """Trains, and writes checkpoints and metrics.

    `training` has the inputs and the labels; `evaluate()` gives loss and accuracy of the training and of the
    evaluation samples; an epoch is as many samples as there are, whether or not each was drawn once."""
    metrics, (inputs, _) = [], training
    first = next(order)
    order = itertools.chain([first], order)

    def record(step):
        epoch = step * first.size / len(inputs)
        metrics.append((step, epoch, *evaluate()))
        common.write_checkpoint(folder, step, epoch, seed, weights(net))

    train(net, optimiser, steps, order, *training, record, **how)
    common.write_metrics(folder, metrics)


def train(net, optimiser, steps, order, inputs, labels, record, loss=nn.functional.cross_entropy):
    """Plain training; `record(step)` is called at each of `steps`, in evaluation mode."""
    last = max(steps)
    for step in range(last + 1):
        if step in steps:
            net.eval()
            with torch.no_grad():
                record(step)
            net.train()
        if step < last:
            batch = torch.from_numpy(next(order))
            optimiser.zero_grad()
            loss(net(inputs[batch]), labels[batch]).backward()
            optimiser.step()


def weights(net):
    return {key: value.numpy() for key, value in net.state_dict().items()}


def export(net, example, path, tensor):
    """The graph of the last checkpoint: all names kept, nothing folded, no local paths.

    A module's output is called as the module, or as `tensor` says."""
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
    rename = {old: tensor.get(module, module) for module, old in rename.items()}
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
