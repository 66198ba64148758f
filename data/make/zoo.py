"""What the zoo scripts share: writing an archive, cleaning an export, and finding out
with ONNX Runtime what the exporter made of the checkpoint's tensors."""

import csv
import itertools
import json
import re
import shutil
from pathlib import Path

import common
import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper

FOLDER = Path(__file__).resolve().parent.parent / "zoo"
SAMPLES = 16
SCOPES = "pkg.torch.onnx.name_scopes"
# Of the largest value: a folded weight is computed in f32 by the exporter.
FOLDED = 1e-5
MERGED = re.compile(r"(.+)@(.+)")


def fresh(name):
    """An empty folder for the archive `name`."""
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def digits():
    """Training images and labels, and 16 of the others."""
    train, (test_x, test_y, _) = common.split()
    return train, (test_x[:SAMPLES], test_y[:SAMPLES])


def training_rows(steps, batch, seed):
    """One batch of row numbers a step."""
    return itertools.islice(common.batches(common.TRAIN_SAMPLES, batch, seed), steps)


def write_samples(folder, inputs, labels, outputs):
    """Inputs and labels, and what the framework itself makes of them at each step."""
    np.save(folder / "inputs.npy", inputs)
    np.save(folder / "labels.npy", labels)
    np.savez(folder / "outputs.npz", **{f"step-{step:06d}": logits for step, logits in outputs.items()})
    with open(folder / "metrics.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("step", "test_loss"))
        for step, logits in outputs.items():
            writer.writerow((step, f"{common.loss_and_accuracy(logits, labels)[0]:.9g}"))


def write_checkpoint(folder, step, tensors):
    common.write_tensors(folder / f"step-{step:06d}.safetensors", tensors, {"step": str(step)})


def clean(model):
    """Removes what holds local paths; of a node's metadata only its module path stays."""
    for graph in (model.graph, *model.functions):
        for node in graph.node:
            scopes = [p.value for p in node.metadata_props if p.key == SCOPES]
            del node.metadata_props[:]
            for value in scopes:
                node.metadata_props.add(key=SCOPES, value=value)
            node.doc_string = ""
        values = [*graph.value_info]
        if isinstance(graph, onnx.GraphProto):
            values += [*graph.input, *graph.output, *graph.initializer]
        for value in values:
            value.doc_string = ""
            del value.metadata_props[:]
        graph.doc_string = ""
        del graph.metadata_props[:]
    model.doc_string = ""
    del model.metadata_props[:]
    return model


class Export:
    """One ONNX file of an archive, and the step of the checkpoint that it was made from."""

    def __init__(self, file, exporter, step, notes, formulas=()):
        self.file, self.exporter, self.step, self.notes, self.formulas = file, exporter, step, notes, formulas


def constants(model):
    """Float initializers and constant nodes by name."""
    found = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            found[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return {name: value for name, value in found.items() if value.dtype == np.float32}


def layouts(key, tensor, shape):
    """Expressions that give `tensor` the wanted shape by moving elements only."""
    if tensor.size != np.prod(shape, dtype=int):
        return
    for axes in itertools.permutations(range(tensor.ndim)):
        moved = tensor.transpose(axes)
        expression = f"t['{key}']"
        if list(axes) != sorted(axes):
            expression += f".transpose{axes}"
        if moved.shape != shape:
            expression += f".reshape{shape}"
        yield expression


def evaluate(expression, tensors):
    return np.asarray(eval(expression, {"t": tensors, "np": np}))


def explain(name, value, tensors, formulas):
    """Every expression in checkpoint tensors `t` that gives an initializer's value: layout
    changes must agree in every bit, the formulas given with the export to rounding."""
    exact = {}
    for key, tensor in tensors.items():
        for expression in layouts(key, tensor, value.shape):
            if np.array_equal(evaluate(expression, tensors), value):
                exact.setdefault(key, expression)
    if exact:
        return list(exact.values())
    close = []
    for expression in formulas:
        result = evaluate(expression, tensors)
        if result.shape == value.shape and np.abs(result - value).max() <= FOLDED * np.abs(value).max():
            close.append(expression)
    return close
