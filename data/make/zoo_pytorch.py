"""Trains the PyTorch networks of the zoo and exports each in several ways."""

import json
import math
import sys

import ml_dtypes
import numpy as np
import onnx
import torch
import zoo
from torch import nn

RATE, DECAY, SEED = 3e-3, 0.1, 7
LAST = zoo.STEPS[-1]


class ConvBn(nn.Module):
    """BatchNorm after a Conv without bias, a Conv with bias and a Linear."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 8, 3, stride=2, padding=1)
        self.bn2 = nn.BatchNorm2d(8, eps=1e-3)
        self.fc1 = nn.Linear(128, 16)
        self.bn3 = nn.BatchNorm1d(16)
        self.fc2 = nn.Linear(16, 10)

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu()
        x = self.bn2(self.conv2(x)).relu()
        x = self.bn3(self.fc1(x.flatten(1))).relu()
        return self.fc2(x)


class Attention(nn.Module):
    """Self-attention with one Linear for queries, keys and values."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x):
        samples, length, width = x.shape
        split = (samples, length, 3, self.heads, width // self.heads)
        q, k, v = self.qkv(x).reshape(split).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) / math.sqrt(width // self.heads)).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(samples, length, width))


class Block(nn.Module):
    """Attention and MLP, each after a LayerNorm and added to its input."""

    def __init__(self, width):
        super().__init__()
        self.ln1 = nn.LayerNorm(width)
        self.attn = Attention(width, 2)
        self.ln2 = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 2 * width)
        self.fc2 = nn.Linear(2 * width, width)

    def forward(self, x):
        x = x + self.attn(self.ln1(x))
        return x + self.fc2(nn.functional.gelu(self.fc1(self.ln2(x))))


class Transformer(nn.Module):
    """8 rows of 8 pixels as tokens; positions for 12, of which 8 are used."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(8, 16)
        self.pos = nn.Parameter(torch.randn(1, 12, 16) * 0.1)
        self.blocks = nn.ModuleList(Block(16) for _ in range(2))
        self.ln = nn.LayerNorm(16)
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        x = self.embed(x) + self.pos[:, : x.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.head(self.ln(x).mean(1))


class Mha(nn.Module):
    """PyTorch's own encoder layer: in_proj_weight holds queries, keys and values."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(8, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        return self.head(self.layer(self.embed(x)).mean(1))


class Shared(nn.Module):
    """A Linear used twice, and an embedding whose weight is also a Linear's."""

    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(17, 16)
        self.pos = nn.Parameter(torch.randn(64, 16))
        self.enter = nn.Linear(16, 24)
        self.twice = nn.Linear(24, 24)
        self.leave = nn.Linear(24, 16)
        self.decoder = nn.Linear(16, 17)
        self.decoder.weight = self.emb.weight
        self.head = nn.Linear(17, 10)

    def forward(self, x):
        x = self.enter((self.emb(x) * self.pos).mean(1)).relu()
        x = self.twice(self.twice(x).relu()).relu()
        return self.head(self.decoder(self.leave(x)).relu())


class Lstm(nn.Module):
    """8 rows of 8 pixels in time; the last hidden state is classified."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(8, 12, batch_first=True)
        self.head = nn.Linear(12, 10)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


class SelfAttention(nn.Module):
    """Queries, keys and values from a Linear each, named as in Hugging Face's BERT."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)

    def forward(self, x):
        heads = (*x.shape[:2], self.heads, x.shape[2] // self.heads)
        q, k, v = (linear(x).reshape(heads).transpose(1, 2) for linear in (self.query, self.key, self.value))
        mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        return mixed.transpose(1, 2).reshape(x.shape)


class Output(nn.Module):
    """The end of a sub-layer: a Linear, then LayerNorm of the sum with its input."""

    def __init__(self, before, width):
        super().__init__()
        self.dense = nn.Linear(before, width)
        self.LayerNorm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, x, residual):
        return self.LayerNorm(self.dense(x) + residual)


class BertLayer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.attention = nn.ModuleDict({"self": SelfAttention(width, 2), "output": Output(width, width)})
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, 2 * width)})
        self.output = Output(2 * width, width)

    def forward(self, x):
        x = self.attention["output"](self.attention["self"](x), x)
        return self.output(nn.functional.gelu(self.intermediate["dense"](x)), x)


class Bert(nn.Module):
    """64 pixel values as tokens; positions for 72, of which 64 are used."""

    def __init__(self):
        super().__init__()
        self.embeddings = nn.ModuleDict({
            "word_embeddings": nn.Embedding(17, 16),
            "position_embeddings": nn.Embedding(72, 16),
            "LayerNorm": nn.LayerNorm(16, eps=1e-12),
        })
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(BertLayer(16) for _ in range(2))})
        self.classifier = nn.Linear(16, 10)

    def forward(self, x):
        part = self.embeddings
        places = torch.arange(x.shape[1], device=x.device)
        x = part["LayerNorm"](part["word_embeddings"](x) + part["position_embeddings"](places))
        for layer in self.encoder["layer"]:
            x = layer(x)
        return self.classifier(x.mean(1))


class Mlp(nn.Module):
    """Three hidden layers of one width, each with LayerNorm: many tensors of equal shape."""

    def __init__(self):
        super().__init__()
        self.fc1, self.ln1 = nn.Linear(64, 24), nn.LayerNorm(24)
        self.fc2, self.ln2 = nn.Linear(24, 24), nn.LayerNorm(24)
        self.fc3, self.ln3 = nn.Linear(24, 24), nn.LayerNorm(24)
        self.head = nn.Linear(24, 10)

    def forward(self, x):
        x = self.ln1(self.fc1(x)).relu()
        x = self.ln2(self.fc2(x)).relu()
        x = self.ln3(self.fc3(x)).relu()
        return self.head(x)


def zero_biases(net):
    for module in net.modules():
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
    return net


def state(net):
    return {key: value.numpy().copy() for key, value in net.state_dict().items()}


def predict(net, inputs):
    net.eval()
    with torch.no_grad():
        return net(inputs).numpy()


def train(net, images, labels, inputs):
    """The checkpoints and the logits of the evaluation inputs, by step."""
    series, outputs = {}, {}
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    rows = zoo.training_rows(SEED)
    for step in range(LAST + 1):
        if step in zoo.STEPS:
            series[step], outputs[step] = state(net), predict(net, inputs)
        if step < LAST:
            batch = torch.from_numpy(next(rows))
            net.train()
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(images[batch]), labels[batch]).backward()
            optimiser.step()
    return series, outputs


def dynamo(net, example, path, external_data=False, **options):
    program = torch.onnx.export(
        net, (example,), dynamo=True, external_data=external_data, verbose=False,
        input_names=["input"], output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},), **options,
    )
    program.save(path, external_data=external_data)
    onnx.save(zoo.clean(onnx.load(path, load_external_data=False)), path)


def torchscript(net, example, path, **options):
    torch.onnx.export(
        net, (example,), path, dynamo=False, input_names=["input"], output_names=["logits"],
        dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}}, **options,
    )
    onnx.save(zoo.clean(onnx.load(path)), path)


# What users write: a file's name (before "-initial") -> exporter and its options.
FORMS = {
    "dynamo": (dynamo, {}),
    "dynamo-unoptimized": (dynamo, {"optimize": False}),
    "torchscript": (torchscript, {}),
    "torchscript-unfolded": (torchscript, {"do_constant_folding": False}),
    "overridable": (dynamo, {"keep_initializers_as_inputs": True}),
    "weights-as-inputs": (torchscript, {"export_params": False}),
    "external": (dynamo, {"external_data": True}),
}


def load(net, tensors):
    net.load_state_dict({key: torch.from_numpy(value) for key, value in tensors.items()})
    return net.eval()


def export(folder, net, example, series, name, notes, formulas=()):
    """`name`.onnx from the last checkpoint, or from the initial one if the name says so."""
    form = name.removesuffix("-initial")
    step = LAST if form == name else 0
    exporter, options = FORMS[form]
    exporter(load(net, series[step]), example, folder / f"{name}.onnx", **options)
    said = {"dynamo": exporter is dynamo} | options
    if exporter is dynamo:
        said.setdefault("external_data", False)
    call = ", ".join(f"{key}={value}" for key, value in said.items())
    exporter = f"torch {torch.__version__.split('+')[0]}, torch.onnx.export({call})"
    return zoo.Export(f"{name}.onnx", exporter, step, notes, formulas)


def samples(shape, integers=False):
    """Training images and labels, and evaluation images (tensors) and labels (an array)."""
    (images, labels), (inputs, digits) = zoo.digits()
    if integers:
        images, inputs = ((16 * part).astype(np.int64) for part in (images, inputs))
    images, inputs = (torch.from_numpy(part.reshape(-1, *shape)) for part in (images, inputs))
    return images, torch.from_numpy(labels), inputs, digits


def archive(name, net, shape, exports, integers=False):
    """Trains `net` on digits of one shape and exports it in every way named."""
    folder = zoo.fresh(name)
    images, labels, inputs, digits = samples(shape, integers)
    series, outputs = train(net, images, labels, inputs)
    zoo.write_series(folder, series)
    made = [export(folder, net, inputs[:4], series, *each) for each in exports]
    zoo.finish(folder, made, series, inputs.numpy(), digits, outputs)
    return folder, series


def folded(layer, norm, eps, axes, bias=True):
    """Weight and bias of a layer that has taken in the BatchNorm behind it."""
    scale = f"t['{norm}.weight'] / np.sqrt(t['{norm}.running_var'] + np.float32({eps}))"
    mean = f"(t['{layer}.bias'] - t['{norm}.running_mean'])" if bias else f"-t['{norm}.running_mean']"
    ones = ", None" * axes
    return f"t['{layer}.weight'] * ({scale})[:{ones}]", f"t['{norm}.bias'] + {mean} * ({scale})"


UNCHANGED = "Every checkpoint tensor is an initializer of the same name and value."


def conv_bn():
    convs = (*folded("conv1", "bn1", 1e-5, 3, bias=False), *folded("conv2", "bn2", 1e-3, 3))
    linear = folded("fc1", "bn3", 1e-5, 1)
    archive("conv-bn", ConvBn(), (1, 8, 8), [
        ("dynamo", "All three BatchNorms are folded into the Conv or Gemm before them (eps 1e-5, 1e-3, 1e-5), and the "
         "folded values KEEP the names conv1.weight, conv2.weight, conv2.bias, fc1.weight, fc1.bias; conv1 had no bias "
         "and gets conv1.weight_bias. The merged node's scope is the norm's (bn1), not the layer's.", (*convs, *linear)),
        ("dynamo-unoptimized", UNCHANGED + " num_batches_tracked is left out. The Conv without bias gets a zero bias "
         "made by nodes (Shape of conv1.weight, Slice, Expand)."),
        ("torchscript", "BatchNorm2d is folded into Conv under new names onnx::Conv_N; BatchNorm1d after Gemm is not "
         "folded and stays a node.", convs),
        ("torchscript-unfolded", UNCHANGED + " num_batches_tracked is left out."),
        ("dynamo-initial", "As dynamo, of the initial checkpoint: the new bias of conv1 is all zero and is dropped, so "
         "nothing in the graph can take bn1.bias - bn1.running_mean * scale of later checkpoints.", (*convs, *linear)),
    ])


def transformer():
    sliced = ("t['pos'][:, :8]",)
    merged = ("Zero biases that end in Gemm (head.bias) are dropped; equal initializers are merged into the first of "
              "them, across modules: each node's scope tells whose it is.")
    archive("transformer", zero_biases(Transformer()), (8, 8), [
        ("dynamo", "Linear on 3-D input is MatMul + Add with a transposed weight called val_N; pos is sliced to the 8 "
         "rows used and called slice_1 (rows 8 to 11 are nowhere). Other names are kept.", sliced),
        ("dynamo-unoptimized", UNCHANGED + " Transpose and Slice stay nodes."),
        ("torchscript", "Linear on 3-D input is MatMul + Add with a transposed weight called onnx::MatMul_N; pos keeps its "
         "name and all 12 rows, a Slice node stays."),
        ("torchscript-unfolded", UNCHANGED + " Transpose and Slice stay nodes."),
        ("dynamo-initial", "As dynamo, of the initial checkpoint with zero biases. " + merged, sliced),
        ("torchscript-initial", "As torchscript, of the initial checkpoint with zero biases: equal initializers are merged "
         "into the first, and Identity nodes give the others' state_dict names back. Nothing is dropped."),
    ])


def mlp():
    folder, series = archive("mlp", zero_biases(Mlp()), (64,), [
        ("dynamo", UNCHANGED),
        ("dynamo-unoptimized", UNCHANGED),
        ("torchscript", UNCHANGED),
        ("torchscript-unfolded", UNCHANGED),
        ("dynamo-initial", "Zero biases of Gemm (fc1, fc2, fc3, head) are dropped; the three ln weights are one initializer "
         "ln1.weight, the three ln biases one ln1.bias: each node's scope tells whose it is."),
        ("overridable", UNCHANGED + " Each is listed as a graph input, too, so that it has a default value only."),
        ("weights-as-inputs", "No initializers: every checkpoint tensor is a graph input of the same name without a value."),
        ("external", UNCHANGED + " Values lie in external.onnx.data."),
    ])
    kinds = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f64": np.float64}
    (folder / "cast").mkdir()
    for step, tensors in series.items():
        for kind, dtype in kinds.items():
            cast = {key: value.astype(dtype) for key, value in tensors.items()}
            zoo.common.write_tensors(folder / "cast" / f"step-{step:06d}-{kind}.safetensors", cast, {"step": str(step)})


def mha():
    archive("mha", Mha(), (8, 8), [
        ("dynamo", "in_proj_weight [48, 16] (queries, keys, values) is transposed as one: val_N, as are linear1, linear2 and "
         "embed; out_proj is a Gemm and keeps name and value. The constant 0.5946 is 8 ** -0.25, times q and times k."),
        ("dynamo-unoptimized", UNCHANGED + " Transpose stays a node; the fused result is split by Gather."),
        ("torchscript", "As dynamo, transposed weights are called onnx::MatMul_N."),
        ("torchscript-unfolded", UNCHANGED + " Transpose stays a node."),
    ])


def shared():
    merged = "emb.weight and decoder.weight are one initializer, called {}, with two uses (Gather and Gemm): the other key is " \
             "in no graph. twice.weight and twice.bias are used by two Gemm nodes."
    archive("shared", Shared(), (64,), [
        ("dynamo", merged.format("decoder.weight")),
        ("dynamo-unoptimized", merged.format("decoder.weight")),
        ("torchscript", merged.format("emb.weight") + " Node names: /twice/Gemm and /twice_1/Gemm."),
        ("torchscript-unfolded", merged.format("emb.weight") + " Node names: /twice/Gemm and /twice_1/Gemm."),
    ], integers=True)


def lstm():
    order = "[[0, 3, 1, 2]]"  # PyTorch: input, forget, cell, output; ONNX: input, output, forget, cell
    gates = lambda key, *shape: f"t['lstm.{key}_l0'].reshape(4, 12, -1){order}.reshape{shape}"
    fused = (
        gates("weight_ih", 1, 48, 8), gates("weight_hh", 1, 48, 12),
        f"np.concatenate([{gates('bias_ih', 1, 48)}, {gates('bias_hh', 1, 48)}], axis=1)",
    )
    notes = "W, R and B of the ONNX node LSTM: the four gates reordered from i f g o to i o f g, a leading axis of 1, " \
            "both biases one after the other in B. They are called {}."
    archive("lstm", Lstm(), (8, 8), [
        ("dynamo", notes.format("val_N"), fused),
        ("dynamo-unoptimized", UNCHANGED + " Slice, Concat and Unsqueeze nodes reorder the gates; their bounds come from the "
         "Shape of the initial state."),
        ("torchscript", notes.format("onnx::LSTM_N"), fused),
        ("torchscript-unfolded", UNCHANGED + " Slice, Concat and Unsqueeze nodes reorder the gates."),
    ])


def write_trainer(folder, step, tensors):
    """A checkpoint as Hugging Face's Trainer leaves it, in two shards. What is no model is a stub."""
    folder = folder / f"checkpoint-{step}"
    folder.mkdir()
    keys = list(tensors)
    half = len(keys) // 2
    weight_map = {}
    for part, names in enumerate((keys[:half], keys[half:]), start=1):
        file = f"model-{part:05d}-of-00002.safetensors"
        zoo.common.write_tensors(folder / file, {key: tensors[key] for key in names}, {"format": "pt"})
        weight_map |= dict.fromkeys(names, file)
    size = sum(value.nbytes for value in tensors.values())
    texts = {
        "model.safetensors.index.json": {"metadata": {"total_size": size}, "weight_map": weight_map},
        "config.json": {"architectures": ["Bert"], "model_type": "bert", "hidden_size": 16, "num_hidden_layers": 2},
        "trainer_state.json": {"epoch": step / 24, "global_step": step, "max_steps": LAST, "log_history": []},
    }
    for name, content in texts.items():
        (folder / name).write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin"):
        (folder / name).write_bytes(b"stub\n")


def hugging_face(name, dtype):
    """Exports the inner network; the checkpoints hold it under `model.`, in `dtype`."""
    folder = zoo.fresh(name)
    images, labels, inputs, digits = samples((64,), integers=True)
    net = Bert()
    series, _ = train(net, images, labels, inputs)
    stored = {step: {key: value.astype(dtype) for key, value in tensors.items()} for step, tensors in series.items()}
    series = {step: {key: value.astype(np.float32) for key, value in tensors.items()} for step, tensors in stored.items()}
    outputs = {step: predict(load(net, tensors), inputs) for step, tensors in series.items()}
    prefixed = lambda tensors: {f"model.{key}": value for key, value in tensors.items()}
    for step, tensors in stored.items():
        write_trainer(folder, step, prefixed(tensors))
    sliced = ("t['model.embeddings.position_embeddings.weight'][:64]",)
    made = [
        export(folder, net, inputs[:4], series, "dynamo", "The keys have a prefix `model.` that the graph has not. Linear is "
               "MatMul + Add with a transposed val_N, but classifier is a Gemm; the position embeddings are gathered and sliced "
               "to 64 rows.", sliced),
        export(folder, net, inputs[:4], series, "dynamo-unoptimized",
               "Names without the prefix `model.` of the keys, values unchanged. Transpose and Gather stay nodes."),
    ]
    zoo.finish(folder, made, {step: prefixed(tensors) for step, tensors in series.items()}, inputs.numpy(), digits, outputs)


ARCHIVES = {
    "conv-bn": conv_bn, "transformer": transformer, "mlp": mlp, "mha": mha, "shared": shared, "lstm": lstm,
    "hf-transformer": lambda: hugging_face("hf-transformer", np.float32),
    "hf-transformer-bf16": lambda: hugging_face("hf-transformer-bf16", ml_dtypes.bfloat16),
}


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name in sys.argv[1:] or ARCHIVES:
        torch.manual_seed(SEED)
        ARCHIVES[name]()


if __name__ == "__main__":
    main()
