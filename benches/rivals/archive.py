"""An archive in Python: its checkpoints, and a session of ONNX Runtime with the weights of one of them."""

import clock  # first: it sets the environment
import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file

FLOAT = onnx.TensorProto.FLOAT


class Archive:
    def __init__(self, folder, taps, batch):
        self.checkpoints = sorted(folder.glob("step-*.safetensors"))
        self.inputs, self.labels = np.load(folder / "inputs.npy"), np.load(folder / "labels.npy")
        self.taps, self.batch = taps, batch
        self.model = onnx.load(folder / "model.onnx")
        listed = {output.name for output in self.model.graph.output}
        self.model.graph.output.extend(onnx.ValueInfoProto(name=tap) for tap in taps if tap not in listed)
        self.options = onnxruntime.SessionOptions()
        self.options.intra_op_num_threads = self.options.inter_op_num_threads = 1

    def session(self, checkpoint):
        weights = load_file(checkpoint)
        for initializer in self.model.graph.initializer:
            if initializer.data_type == FLOAT:
                # The bytes alone: several times faster than a new tensor from `numpy_helper`.
                initializer.raw_data = weights[initializer.name].tobytes()
        model = self.model.SerializeToString()
        return onnxruntime.InferenceSession(model, self.options, providers=["CPUExecutionProvider"])

    def replay(self, checkpoint):
        """The activations of every tap, one row a sample."""
        session = self.session(checkpoint)
        name, rows = session.get_inputs()[0].name, len(self.inputs)
        batches = [
            session.run(self.taps, {name: self.inputs[start : start + self.batch]})
            for start in range(0, rows, self.batch)
        ]
        return {tap: np.concatenate(parts).reshape(rows, -1) for tap, parts in zip(self.taps, zip(*batches))}

    def score(self, logits):
        """The loss in nats and the accuracy."""
        logits = logits.astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        picked = logits[np.arange(len(logits)), self.labels] - np.log(np.exp(logits).sum(axis=1))
        return float(-picked.mean()), float((logits.argmax(axis=1) == self.labels).mean())


def each(task, checkpoints, processes):
    """What a task makes of every checkpoint, on several processes if asked to."""
    if processes == 1:
        return [task(checkpoint) for checkpoint in checkpoints]
    from joblib import Parallel, delayed

    # Forked workers have everything loaded; joblib's own start would import it all again.
    return Parallel(processes, backend="multiprocessing", batch_size=1)(delayed(task)(path) for path in checkpoints)
