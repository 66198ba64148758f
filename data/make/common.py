"""What the training scripts share: the split of the digits, the checkpoint schedule,
the metrics table, and the check of a finished archive with ONNX Runtime."""

import argparse
import csv
import itertools
import json
import os
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before onnxruntime is loaded

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper
from safetensors.numpy import load_file, save
from sklearn.datasets import load_digits

SPLIT_SEED = 20261121
TRAIN_SAMPLES = 797
REFERENCE_SAMPLES = 16
METRICS = ("step", "epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy")


def options(output, steps, checkpoints):
    """The command line of both scripts."""
    parser = argparse.ArgumentParser()
    default = Path(__file__).resolve().parent.parent / output
    parser.add_argument("--output", type=Path, default=default, help="archive folder")
    parser.add_argument("--steps", type=int, default=steps, help="optimiser steps")
    parser.add_argument("--checkpoints", type=int, default=checkpoints, help="number, step 0 included")
    parser.add_argument("--spacing", choices=("log", "even"), default="log", help="of the checkpoints")
    parser.add_argument("--seed", type=int, default=7, help="of the initial weights and the batch order")
    args = parser.parse_args()
    if not 3 <= args.checkpoints <= args.steps + 1:
        parser.error("--checkpoints must lie between 3 and --steps + 1")
    new_folder(parser, args.output)
    return args


def new_folder(parser, folder):
    if any(folder.glob("step-*.safetensors")):
        parser.error(f"{folder} holds checkpoints already: remove them or name another folder")
    folder.mkdir(parents=True, exist_ok=True)


def schedule(steps, count, spacing):
    """Exactly `count` rising steps from 0 to `steps`."""
    if spacing == "even":
        return [round(i * steps / (count - 1)) for i in range(count)]
    chosen = [0, 1]
    while len(chosen) < count:
        left = count - len(chosen)
        ratio = (steps / chosen[-1]) ** (1 / left)
        chosen.append(max(chosen[-1] + 1, round(chosen[-1] * ratio)))
    return chosen


def split():
    """Images in [0, 1] as [n, 64] f32, labels and dataset rows of both parts."""
    digits = load_digits()
    rows = np.random.RandomState(SPLIT_SEED).permutation(len(digits.target)).astype(np.int64)
    images, labels = (digits.data / 16).astype(np.float32), digits.target.astype(np.int64)
    train, test = rows[:TRAIN_SAMPLES], np.sort(rows[TRAIN_SAMPLES:])
    return (images[train], labels[train]), (images[test], labels[test], test)


def batches(samples, size, seed):
    """Endless mini-batches: a fresh permutation each epoch, the rest dropped."""
    order = np.random.RandomState(seed)
    while True:
        rows = order.permutation(samples)
        for start in range(0, samples - size + 1, size):
            yield rows[start : start + size]


def loss_and_accuracy(logits, labels):
    """Mean cross-entropy in nats and accuracy, computed in f64."""
    z = np.asarray(logits, dtype=np.float64)
    z = z - z.max(axis=1, keepdims=True)
    picked = z[np.arange(len(labels)), labels] - np.log(np.exp(z).sum(axis=1))
    return -picked.mean(), (z.argmax(axis=1) == labels).mean()


def write_metrics(folder, rows):
    with open(folder / "metrics.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(METRICS)
        for step, *values in rows:
            writer.writerow([step, *(f"{value:.9g}" for value in values)])


def write_evaluation(folder, inputs, labels, ids):
    np.save(folder / "inputs.npy", inputs)
    np.save(folder / "labels.npy", labels)
    np.save(folder / "ids.npy", ids)


def read_evaluation(folder):
    return np.load(folder / "inputs.npy"), np.load(folder / "labels.npy")


def write_checkpoint(folder, step, epoch, seed, tensors):
    metadata = {"step": str(step), "epoch": f"{epoch:.9g}", "seed": str(seed)}
    write_tensors(folder / f"step-{step:06d}.safetensors", tensors, metadata)


def write_tensors(path, tensors, metadata):
    """A safetensors file whose metadata are sorted, so that a second run gives the
    same bytes (the library writes them in random order)."""
    data = save({key: np.ascontiguousarray(value) for key, value in tensors.items()}, metadata)
    length = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:length])
    header["__metadata__"] = dict(sorted(metadata.items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[length:])


def write_reference(folder, step, tensors, engine):
    golden = folder / "ref_activations"
    golden.mkdir(exist_ok=True)
    write_tensors(golden / f"step-{step:06d}.safetensors", tensors, {"engine": engine})


def match(model, tensors):
    """Initializer name -> (checkpoint key, axis order), by value alone.

    Every float initializer must equal one checkpoint tensor under one axis order,
    and every checkpoint tensor must be used once."""
    found = {}
    for initializer in model.graph.initializer:
        value = numpy_helper.to_array(initializer)
        if value.dtype != np.float32:
            continue
        hits = [
            (key, axes)
            for key, tensor in tensors.items()
            for axes in itertools.permutations(range(tensor.ndim))
            if tensor.transpose(axes).shape == value.shape
            and np.array_equal(tensor.transpose(axes), value)
        ]
        # An axis of length one may stand anywhere: keep the first, the identity.
        keys = {key for key, _ in hits}
        if len(keys) != 1:
            raise SystemExit(f"{initializer.name}: matches {sorted(keys)}")
        found[initializer.name] = hits[0]
    if sorted(key for key, _ in found.values()) != sorted(tensors):
        raise SystemExit("initializers and checkpoint tensors do not pair off")
    return found


def verify(folder, inputs, labels, judge=loss_and_accuracy):
    """Replays every checkpoint through model.onnx and compares with the archive."""
    files = sorted(folder.glob("step-*.safetensors"))
    model = onnx.load(folder / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    last = load_file(files[-1])
    if not all(np.count_nonzero(value) for value in last.values()):
        raise SystemExit("a tensor of the last checkpoint is all zero")
    pairs = match(model, last)
    for name, (key, axes) in pairs.items():
        how = "as is" if list(axes) == sorted(axes) else f"axes {axes}"
        print(f"  {name} = {key} {list(last[key].shape)} {how}")
    floats = {info.name for info in [*model.graph.value_info, *model.graph.output]
              if info.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}
    taps = [out for node in model.graph.node for out in node.output if out in floats]
    source = model.graph.input[0].name
    with open(folder / "metrics.csv", newline="") as file:
        metrics = {int(row["step"]): row for row in csv.DictReader(file)}
    if len(metrics) != len(files):
        raise SystemExit("metrics.csv and the checkpoints differ in number")

    setup = ort.SessionOptions()
    setup.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    setup.intra_op_num_threads = setup.inter_op_num_threads = 1
    worst_loss = worst_accuracy = worst_tap = scaled_tap = 0.0
    for file in files:
        tensors, step = load_file(file), int(file.stem.split("-")[1])
        swapped = onnx.ModelProto()
        swapped.CopyFrom(model)
        for initializer in swapped.graph.initializer:
            if initializer.name in pairs:
                key, axes = pairs[initializer.name]
                value = np.ascontiguousarray(tensors[key].transpose(axes))
                initializer.CopyFrom(numpy_helper.from_array(value, initializer.name))
        exposed = {out.name for out in swapped.graph.output}
        for tap in taps:
            if tap not in exposed:
                swapped.graph.output.add().name = tap
        session = ort.InferenceSession(swapped.SerializeToString(), setup, providers=["CPUExecutionProvider"])
        logits = session.run(["logits"], {source: inputs})[0]
        loss, accuracy = judge(logits, labels)
        row = metrics[step]
        worst_loss = max(worst_loss, abs(loss / float(row["test_loss"]) - 1))
        worst_accuracy = max(worst_accuracy, abs(accuracy - float(row["test_accuracy"])))
        golden = folder / "ref_activations" / file.name
        if golden.exists():
            reference = load_file(golden)
            if sorted(reference) != sorted(taps):
                raise SystemExit(f"{golden}: taps differ from the graph's")
            values = session.run(taps, {source: inputs[:REFERENCE_SAMPLES]})
            for tap, value in zip(taps, values):
                off = float(np.abs(value - reference[tap]).max())
                worst_tap = max(worst_tap, off)
                scaled_tap = max(scaled_tap, off / max(1.0, float(np.abs(reference[tap]).max())))
    print(f"  {len(files)} checkpoints: test_loss to {worst_loss:.2e} relative, test_accuracy to {worst_accuracy:.1e}")
    if (folder / "ref_activations").exists():
        print(f"  reference activations to {worst_tap:.2e}, or {scaled_tap:.2e} of a tap's largest value where above 1")
    if worst_loss > 1e-5 or worst_accuracy > 1e-9 or scaled_tap > 1e-5:
        raise SystemExit("the graph does not reproduce the archive")
