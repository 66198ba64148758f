"""What `plan`, `status` and `finish` cost for a large archive: real files, simulated compute.

    python benches/scale.py target/release/infoplane --checkpoints 1000 10000 100000 --taps 100

For each size an archive of so many small checkpoints of one chain of layers is written, with as many taps as asked. One
checkpoint is measured; its parts are then linked to all other steps, as if as many machines had measured them. Prints, for each
command, seconds, the most memory in MB, and bytes on the disk. Needs numpy and onnx.
"""

import argparse
import json
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import time

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

UNITS = 4


def archive(folder: pathlib.Path, checkpoints: int, taps: int) -> None:
    """A chain of `taps` layers of four units, and a series of checkpoints that differ in one number."""
    generator = np.random.default_rng(1)
    weights = [generator.normal(size=(UNITS, UNITS)).astype(np.float32) for _ in range(taps)]
    nodes, before = [], "x"
    for place in range(taps):
        nodes.append(helper.make_node("MatMul", [before, f"w{place}"], [f"m{place}"]))
        nodes.append(helper.make_node("Tanh", [f"m{place}"], [f"t{place}"]))
        before = f"t{place}"
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", UNITS])],
        [helper.make_tensor_value_info(before, TensorProto.FLOAT, ["n", UNITS])],
        [numpy_helper.from_array(weight, f"w{place}") for place, weight in enumerate(weights)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "model.onnx")
    np.save(folder / "inputs.npy", generator.normal(size=(64, UNITS)).astype(np.float32))
    np.save(folder / "labels.npy", np.arange(64) % 2)
    size = UNITS * UNITS * 4
    header = {f"w{p}": {"dtype": "F32", "shape": [UNITS, UNITS], "data_offsets": [p * size, (p + 1) * size]} for p in range(taps)}
    text = json.dumps(header).encode()
    start = struct.pack("<Q", len(text)) + text
    body = bytearray(b"".join(weight.tobytes() for weight in weights))
    (folder / "archive").mkdir()
    for step in range(checkpoints):
        path = folder / "archive" / f"step-{step:06}.safetensors"
        # The last one is the one that the graph was exported from, and the others share their bytes on the disk.
        if step in (0, checkpoints - 1):
            body[0] = weights[0].tobytes()[0] ^ (1 if step == 0 else 0)
            path.write_bytes(start + body)
        else:
            os.link(folder / "archive" / "step-000000.safetensors", path)
    (folder / "chain.toml").write_text(f"""seed = 1
[archive]
checkpoints = "archive"
[graph]
model = "model.onnx"
reference = "last"
taps = [{", ".join(f'"t{place}"' for place in range(taps))}]
[samples]
inputs = "inputs.npy"
labels = {{ class = "labels.npy" }}
[replay]
loss = "none"
[estimate]
measures = [{{ information = {{ of = "class", estimator = {{ ross = {{ neighbors = 3 }} }}, interval = {{ none = {{}} }} }} }}]
[table]
folder = "results"
""")


def timed(command: list[str]) -> tuple[float, float, str]:
    """Seconds, the most memory in MB, and the output."""
    begun = time.monotonic()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begun
        out.seek(0)
        text = out.read().decode()
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise SystemExit(f"{command}: exit code {os.waitstatus_to_exitcode(status)}")
    return seconds, usage.ru_maxrss / 1024, text


def spread(results: pathlib.Path, steps: range) -> None:
    """Gives the parts of the one measured step to all others: files of their own, which share their bytes on the disk."""
    for table in sorted((results / "data").iterdir()):
        measured = [path for path in table.glob("step=*/part.parquet")]
        if not measured:
            continue
        for step in steps:
            part = table / f"step={step}" / "part.parquet"
            if not part.exists():
                part.parent.mkdir()
                os.link(measured[0], part)


def measure(program: str, checkpoints: int, taps: int, cut: int, folder: pathlib.Path) -> None:
    begun = time.monotonic()
    archive(folder, checkpoints, taps)
    print(f"\n{checkpoints} checkpoints x {taps} taps (archive written in {time.monotonic() - begun:.0f} s)", flush=True)
    plan = str(folder / "chain.plan")

    def tell(name: str, command: list[str]) -> None:
        seconds, memory, text = timed([program, "--offline", "--quiet", *command])
        last = text.strip().splitlines()[-1] if text.strip() else ""
        print(f"{name:<28} {seconds:8.2f} s {memory:8.0f} MB   {last[:90]}", flush=True)

    tell("plan", ["plan", str(folder / "chain.toml"), "-o", plan])
    tell("plan, cut", ["plan", str(folder / "chain.toml"), "-o", f"{plan}.cut", "--taps-per-unit", str(cut)])
    for path in (plan, f"{plan}.cut"):
        print(f"{'':28} {pathlib.Path(path).stat().st_size / 1e6:8.2f} MB of plan file")
    tell("submit", ["submit", "slurm", "--plan", f"{plan}.cut", "--shards", "1000"])
    tell("run of one checkpoint", ["run", "--plan", plan, "--shard", f"{checkpoints - 1}/{checkpoints}", "--threads", "1"])
    tell("status, one done", ["status", "--plan", plan])
    begun = time.monotonic()
    spread(folder / "results", range(checkpoints))
    print(f"{'(parts linked)':<28} {time.monotonic() - begun:8.2f} s")
    tell("status, all done", ["status", "--plan", plan])
    tell("finish", ["finish", "--plan", plan])
    tables = folder / "results" / "tables"
    print(f"{'':28} {sum(path.stat().st_size for path in tables.iterdir()) / 1e6:8.2f} MB of tables")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--checkpoints", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--taps", type=int, default=100)
    parser.add_argument("--cut", type=int, default=10, help="taps per unit of the cut plan")
    parser.add_argument("--folder", type=pathlib.Path, default=None, help="where the archives are written")
    arguments = parser.parse_args()
    for checkpoints in arguments.checkpoints:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="infoplane-scale-", dir=arguments.folder))
        try:
            measure(arguments.program, checkpoints, arguments.taps, arguments.cut, folder)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
