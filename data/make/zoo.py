"""What the zoo scripts share: writing an archive, cleaning an export, and finding out
with ONNX Runtime what the exporter made of the checkpoint's tensors."""

import ast
import csv
import itertools
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import common
import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper

FOLDER = Path(__file__).resolve().parent.parent / "zoo"
SAMPLES, BATCH = 16, 32
STEPS = (0, 40, 200)
SCOPES = "pkg.torch.onnx.name_scopes"
# Of the largest value: a folded weight is computed in f32 by the exporter.
ROUNDING = 1e-6
# Logits of a graph and of its framework; they reach 20.
AGREE = 1e-5
# What the inputs of these nodes are called in a state_dict, from the second on.
SLOTS = ("weight", "bias", "running_mean", "running_var")


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


def training_rows(seed):
    """The row numbers of one batch a step."""
    return itertools.islice(common.batches(common.TRAIN_SAMPLES, BATCH, seed), STEPS[-1])


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


def write_series(folder, series):
    for step, tensors in series.items():
        common.write_tensors(folder / f"step-{step:06d}.safetensors", tensors, {"step": str(step)})


def clean(model):
    """Removes what holds local paths; of a node's metadata only its module path stays."""
    graph = model.graph
    for node in graph.node:
        kept = scopes(node)
        del node.metadata_props[:]
        if kept:
            node.metadata_props.add(key=SCOPES, value=str(kept))
    for item in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        item.doc_string = ""
        if not isinstance(item, onnx.NodeProto):
            del item.metadata_props[:]
    return model


def scopes(node):
    """The module path of a node as the dynamo exporter notes it; empty without."""
    return next((ast.literal_eval(p.value) for p in node.metadata_props if p.key == SCOPES), [])


@dataclass
class Export:
    """One ONNX file of an archive and the step of the checkpoint that it was made from.

    `formulas` are expressions in the checkpoint's tensors `t` for what the exporter computed."""

    file: str
    exporter: str
    step: int
    notes: str
    formulas: tuple = ()


def constants(model):
    """The float initializers and constant nodes, by name."""
    found = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            found[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return {name: value for name, value in found.items() if value.dtype == np.float32}


def evaluate(expression, tensors):
    return np.asarray(eval(expression, {"t": tensors, "np": np}), dtype=np.float32)


def layouts(key, tensor, shape):
    """Expressions that bring a tensor into a shape and only move its elements, the plain ones first."""
    permutations = itertools.permutations(range(tensor.ndim))
    orders = [f".transpose{axes}" if list(axes) != sorted(axes) else "" for axes in permutations]
    for order in orders:
        expression = f"t['{key}']{order}"
        if evaluate(expression, {key: tensor}).shape == shape:
            yield expression
    yield from (f"t['{key}']{order}.reshape{shape}" for order in orders)


def explain(value, tensors, formulas):
    """Every expression that gives an initializer's value: the formulas to rounding, moved
    elements in every bit."""
    for expression in formulas:
        result = evaluate(expression, tensors)
        if result.shape == value.shape and np.abs(result - value).max() <= ROUNDING * np.abs(value).max():
            return [expression]
    found = []
    for key, tensor in tensors.items():
        if tensor.size == value.size > 1:
            same = (e for e in layouts(key, tensor, value.shape) if np.array_equal(evaluate(e, tensors), value))
            found += itertools.islice(same, 1)
    return found


def use(node, slot, name, found):
    """Which of the expressions that give an initializer's value is meant by one node."""
    keys = {expression: re.match(r"t\['(.+?)'\]", expression)[1] for expression in found}
    wanted = []
    if node.op_type == "Identity":
        wanted.append(node.output[0])
    if module := scopes(node)[-2:-1]:
        wanted += [f"{module[0]}.{SLOTS[slot - 1]}", f"{module[0]}.bias"]
    wanted.append(name)
    return next((e for key in wanted for e in found if keys[e] == key), found[0])


def uses(model, tensors, formulas):
    """(initializer, node, slot) -> expression, and the constants that no tensor explains."""
    explained = {name: explain(value, tensors, formulas) for name, value in constants(model).items()}
    weights = {}
    for node in model.graph.node:
        for slot, name in enumerate(node.input):
            if name in explained and explained[name]:
                found = explained[name]
                expression = found[0] if len(found) == 1 else use(node, slot, name, found)
                weights[name, node.output[0], slot] = expression
            elif name in tensors and name not in explained:
                weights[name, node.output[0], slot] = f"t['{name}']"
    unexplained = [name for name, found in explained.items() if not found]
    return weights, unexplained


def swap(model, weights, tensors):
    """The model with every use of a weight replaced by its expression in `tensors`."""
    swapped = onnx.ModelProto()
    swapped.CopyFrom(model)
    position = {node.output[0]: node for node in swapped.graph.node}
    for (name, output, slot), expression in weights.items():
        own = f"{output}[{slot}]"
        value = np.ascontiguousarray(evaluate(expression, tensors))
        swapped.graph.initializer.append(numpy_helper.from_array(value, own))
        position[output].input[slot] = own
    left = {name for node in swapped.graph.node for name in node.input}
    inputs = [item for item in swapped.graph.input if item.name in left]
    del swapped.graph.input[:]
    swapped.graph.input.extend(inputs)
    return swapped


def run(model, feed):
    """The first output by ONNX Runtime without optimisation."""
    setup = ort.SessionOptions()
    setup.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    setup.log_severity_level = 3  # errors: the weights that were swapped are unused, and warned of
    setup.intra_op_num_threads = setup.inter_op_num_threads = 1
    session = ort.InferenceSession(model, setup, providers=["CPUExecutionProvider"])
    return session.run(None, {item.name: feed[item.name] for item in session.get_inputs()})[0]


def summary(weights):
    """Initializer -> expression, or one for each use where these differ."""
    grouped = {}
    for (name, output, slot), expression in weights.items():
        grouped.setdefault(name, {})[f"{output}[{slot}]"] = expression
    return {
        name: next(iter(each.values())) if len(set(each.values())) == 1 else each for name, each in grouped.items()
    }


def shown(value):
    """The first numbers of a constant; JSON has no NaN."""
    return [float(number) if np.isfinite(number) else None for number in value.ravel()[:4]]


def examine(folder, export, series, source, inputs, outputs):
    """Runs an export as it is, and then every checkpoint through it."""
    path, own = folder / export.file, series[export.step]
    own = {key: value for key, value in own.items() if np.issubdtype(value.dtype, np.floating)}
    difference = lambda logits, step: float(f"{np.abs(logits - outputs[step]).max():.2e}")
    model = onnx.load(path)
    weights, unexplained = uses(model, own, export.formulas)
    text = " ".join(weights.values())
    values = constants(model)
    return {
        "exporter": export.exporter,
        "checkpoint": export.step,
        "runs": True,
        "own_outputs_max_abs_diff": difference(run(str(path), own | {source: inputs}), export.step),
        "weights": summary(weights),
        "constants": {name: shown(values[name]) for name in unexplained},
        "dropped": [key for key in own if f"t['{key}']" not in text],
        "replay_max_abs_diff": {
            step: difference(run(swap(model, weights, tensors).SerializeToString(), {source: inputs}), step)
            for step, tensors in series.items()
        },
        "notes": export.notes,
    }


def finish(folder, exports, series, inputs, labels, outputs, source="input"):
    """Writes everything but checkpoints and graphs, and shows what was found."""
    write_samples(folder, inputs, labels, outputs)
    found = {export.file: examine(folder, export, series, source, inputs, outputs) for export in exports}
    (folder / "exports.json").write_text(json.dumps(found, indent=1, allow_nan=False) + "\n")
    print(f"{folder.name}: {sum(f.stat().st_size for f in folder.rglob('*') if f.is_file()) / 1e3:.0f} kB")
    for file, facts in found.items():
        print(f"  {file}: own {facts['own_outputs_max_abs_diff']}, replay {facts['replay_max_abs_diff']}")
        print(f"    {len(facts['weights'])} weights, constants {facts['constants']}, dropped {facts['dropped']}")
        worst = max(facts["replay_max_abs_diff"].values())
        if facts["own_outputs_max_abs_diff"] > AGREE or (worst > AGREE and not facts["dropped"]):
            raise SystemExit("the graph does not reproduce the archive")
