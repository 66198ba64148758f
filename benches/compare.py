"""infoplane beside its rivals, in turns, as a Markdown table.

    pip install -r benches/rivals/requirements.txt
    cargo build --release
    python benches/compare.py [RACE]... [--rounds 5] [--infoplane target/release/infoplane] [--mnist ARCHIVE]

Both sides use the ONNX Runtime of the Python that runs this. infoplane's seconds are those of the whole process,
start, reading and writing included. Where it says "task", the rival's are those of the task alone, without Python's
start and imports; where it says "process", those of the whole process too. `--replay-bench`, `--usable-bench`,
`--information-bench` and `--compress-bench` name the executables of those benches (`cargo bench --no-run --bench
information` prints it): then both sides of `checkpoint-...`, `fit-...`, `estimate-...` and `pca-...` are the bare task,
that of `checkpoint-...` in CPU seconds.
"""

import argparse
import csv
import io
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

BENCHES = Path(__file__).resolve().parent
RIVALS = BENCHES / "rivals"
DIGITS = BENCHES.parent / "data/digits"
sys.path.insert(0, str(RIVALS))

REPLAY = """
seed = 1
[archive]
checkpoints = "{folder}/step-*.safetensors"
[graph]
model = "{folder}/model.onnx"
reference = "last"
taps = {taps}
[samples]
inputs = "{folder}/inputs.npy"
labels = {{ digit = "{folder}/labels.npy" }}
[replay]
batch = 250
[estimate]
measures = []
[table]
folder = "unused"
"""
DIGITS_TAPS = ["conv1_act", "pool1", "conv2_act", "fc1_act", "logits"]
# Of the neural decoder.
STEPS = 500
MNIST_TAPS = ["conv1_act", "conv2_act", "conv3_act", "fc1_act", "logits"]


def environment(threads):
    """The given number of threads for both sides, and the same library."""
    package = Path(find_spec("onnxruntime").origin).parent
    library = next(path for path in sorted((package / "capi").iterdir()) if path.name.startswith("libonnxruntime."))
    own = {"ORT_DYLIB_PATH": str(library), "PYTHONDONTWRITEBYTECODE": "1"}
    return os.environ | own | {name: str(threads) for name in ("RAYON_NUM_THREADS", "OMP_NUM_THREADS")}


@dataclass
class Finished:
    """What a command took: seconds of wall and of CPU, its largest resident memory in KiB; and what it printed."""

    wall: float
    cpu: float
    peak: int
    output: str


def run(command, threads):
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        words = [str(word) for word in command]
        child = subprocess.Popen(words, env=environment(threads), stdout=output, stderr=errors)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if child.returncode != 0:
            sys.exit(f"{' '.join(words)} ended with {child.returncode}: {errors.read()}")
        return Finished(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, output.read())


class Side:
    """The seconds of one side of a race over all rounds."""

    def __init__(self):
        self.wall, self.cpu = [], []

    def add(self, wall, cpu):
        self.wall += wall
        self.cpu += cpu

    def cells(self):
        both = ((times, pick) for times in (self.wall, self.cpu) for pick in (min, statistics.median))
        return [f"{pick(times):.3g}" if times else "" for times, pick in both]


class Race:
    """A task for both sides; `task` says that the rival clocks itself."""

    def __init__(self, name, threads, ours, rival, task):
        self.name, self.threads, self.task, self.ours, self.rival = name, threads, task, ours, rival
        self.us, self.them = Side(), {}
        self.values = {}

    def round(self):
        ours = run(self.ours(), self.threads)
        self.us.add([ours.wall], [ours.cpu])
        # A rival on several processes parallelizes by them, not inside them.
        theirs = run([sys.executable, *self.rival], 1 if "--processes" in self.rival else self.threads)
        if self.task:
            for line in theirs.output.splitlines():
                found = json.loads(line)
                self.them.setdefault(found["rival"], Side()).add(found["seconds"], found["cpu_seconds"])
                if isinstance(found["value"], dict):
                    own = json.loads(ours.output)
                    self.values[found["rival"]] = [
                        (name, (own["details"] | own)[name], value) for name, value in found["value"].items()
                    ]
        else:
            self.them.setdefault(Path(self.rival[0]).name, Side()).add([theirs.wall], [theirs.cpu])

    def rows(self):
        for name, side in self.them.items():
            clocked = "task" if self.task else "process"
            ratios = [
                f"{pick(theirs) / pick(ours):.1f}x" if ours else ""
                for theirs, ours in ((side.wall, self.us.wall), (side.cpu, self.us.cpu))
                for pick in (min, statistics.median)
            ]
            yield [f"{self.name}, {self.threads} thr.", f"{name} ({clocked})", *self.us.cells(), *side.cells(), *ratios]


class Bench(Race):
    """One function of a bench by criterion, without the start of a process: on one thread also in CPU seconds."""

    def __init__(self, name, threads, bench, function, scratch, rival, count=1, settings=()):
        words = ["env", f"CRITERION_HOME={scratch / 'criterion'}", *settings, bench, "--bench", f"^{re.escape(function)}$"]
        self.samples = scratch / "criterion" / function / "new/sample.json"
        # What the rival does at once.
        self.count = count
        options = ["--noplot", "--warm-up-time", 0.5, "--measurement-time", 3]
        super().__init__(name, threads, lambda: [*words, *options], rival, True)

    def round(self):
        output = run(self.ours(), self.threads).output
        samples = json.loads(self.samples.read_text())
        seconds = [time / iters / 1e9 for time, iters in zip(samples["times"], samples["iters"], strict=True)]
        # The best of a round, since it is held against the best of the rival's; the mean where checkpoints differ.
        best = statistics.mean(seconds) if self.count > 1 else min(seconds)
        self.us.add([best], [best] if self.threads == 1 else [])
        for line in run([sys.executable, *self.rival], self.threads).output.splitlines():
            found = json.loads(line)
            if isinstance(found["value"], dict):
                own = next(json.loads(line) for line in output.splitlines() if line.startswith("{"))
                self.values[found["rival"]] = [(name, own[name], value) for name, value in found["value"].items()]
            walls, cpus = ([time / self.count for time in found[name]] for name in ("seconds", "cpu_seconds"))
            # One checkpoint after the other, on one thread: what else ran beside it counts in neither.
            self.them.setdefault(found["rival"], Side()).add(cpus if self.count > 1 else walls, cpus)


def races(options, scratch):
    infoplane, fresh = options.infoplane, iter(range(10**6))

    def pipeline(file, threads):
        # A new folder each time: infoplane goes on where an earlier run stopped.
        command = [infoplane, "run", file, "--threads", threads, "--output"]
        return lambda: [*command, scratch / f"{file.stem}-{next(fresh)}"]

    def measure(*words):
        return lambda: [infoplane, "measure", *words]

    for threads in (1, 2):
        for name, folder, taps in (("digits", DIGITS, DIGITS_TAPS), ("mnist", options.mnist, MNIST_TAPS)):
            if folder is None:
                continue
            file = scratch / f"replay-{name}.toml"
            file.write_text(REPLAY.format(folder=folder.resolve(), taps=json.dumps(taps)))
            rival = [RIVALS / "replay.py", folder, *taps, "--processes", threads]
            yield Race(f"replay-{name}", threads, pipeline(file, threads), rival, True)
            if threads == 1 and options.replay_bench:
                count = len(list(folder.glob("step-*.safetensors")))
                settings = [f"INFOPLANE_ARCHIVE={folder.resolve()}", f"INFOPLANE_TAPS={','.join(taps)}"]
                yield Bench(
                    f"checkpoint-{name}", 1, options.replay_bench, "replay/checkpoint", scratch, rival, count, settings
                )
    digits = BENCHES.parent / "pipelines/digits.toml"
    glue = [RIVALS / "glue.py", DIGITS, scratch / "glue.csv", "--processes"]
    for threads in (1, 2):
        yield Race("pipeline", threads, pipeline(digits, threads), [*glue, threads], False)
    # As both come: infoplane takes all cores, a script goes through the checkpoints one by one.
    yield Race("pipeline-as-is", 2, pipeline(digits, 2), [*glue, 1], False)
    for threads in (1, 2):
        for d in (1, 4, 8):
            x, y = scratch / f"x{d}.npy", scratch / f"y{d}.npy"
            ours = measure("information", "--x", x, "--y", y, "--estimator", "{ ksg = { neighbors = 5 } }",
                           "--interval", "{ none = {} }")
            yield Race(f"ksg-{d}+{d}", threads, ours, [RIVALS / "information.py", x, y, "--repeat", 2], True)
        for n, d in ((10_000, 2), (10_000, 4), (10_000, 8), (50_000, 2), (50_000, 4), (50_000, 8)):
            if options.information_bench:
                rival = [RIVALS / "information.py", "--samples", n, "--dimensions", d, "--repeat", 1]
                function = f"ksg/{n}x{d}+{d}"
                yield Bench(f"estimate-{n}-{d}+{d}", threads, options.information_bench, function, scratch, rival)
        for units, components in ((784, 4), (784, 16), (4096, 4), (4096, 16)):
            if options.compress_bench:
                rival = [RIVALS / "linear.py", "--units", units, "--components", components, "--repeat", 2]
                function = f"compress/pca/{units}-{components}"
                yield Bench(f"pca-{units}-{components}", threads, options.compress_bench, function, scratch, rival)
        for d in (64, 512):
            x, y = scratch / f"layer{d}.npy", scratch / "labels.npy"
            words = ["--x", x, "--labels", y, "--test-x", scratch / f"layer{d}-test.npy"]
            words += ["--test-labels", scratch / "labels-test.npy", "--probe", "{ linear = {} }"]
            rival = [RIVALS / "usable.py", x, y, "--repeat", 1]
            yield Race(f"probe-{d}", threads, measure("usable", *words), rival, True)
        for d in (64, 512, 4096) if options.usable_bench else ():
            rival = [RIVALS / "usable.py", "--units", d, "--repeat", 5 if d < 4096 else 1]
            yield Bench(f"fit-{d}", threads, options.usable_bench, f"usable/fit/{d}", scratch, rival)
        for d in (64, 512, 4096):
            x, y = scratch / f"layer{d}.npy", scratch / f"target{d}.npy"
            words = ["reconstruction", "--x", x, "--target", y, "--held-out", 0.2, "--seed", 0, "--decoder"]
            rival = [RIVALS / "linear.py", x, "--target", y, "--repeat", 1]
            yield Race(f"decoder-{d}", threads, measure(*words, "{ linear = {} }"), rival, True)
            if d != 512:
                continue
            # As many steps on both sides: no stop before.
            mlp = f"{{ mlp = {{ max-steps = {STEPS}, patience = {STEPS} }} }}"
            # The first time PyTorch takes twice as long.
            rival = [RIVALS / "network.py", x, y, "--steps", STEPS, "--repeat", 3]
            yield Race(f"mlp-decoder-{d}", threads, measure(*words, mlp), rival, True)


def agreement(options, scratch):
    """The largest difference of each measure between the last runs of the pipeline and of the glue."""
    outputs = list(scratch.glob("digits-*"))
    if not outputs:
        return
    query = "SELECT step, tap, estimator, measure, value FROM measurements"
    text = run([options.infoplane, "query", outputs[0], query, "--format", "csv"], 1).output
    ours = {}
    for row in csv.DictReader(io.StringIO(text)):
        name = row["estimator"] if row["measure"] == "information" else row["measure"]
        ours[int(row["step"]), row["tap"], name] = float(row["value"])
    differences = {}
    with (scratch / "glue.csv").open() as file:
        for row in csv.DictReader(file):
            key = int(row["step"]), row["tap"], row["measure"]
            if key in ours:
                differences.setdefault(row["measure"], []).append(abs(ours[key] - float(row["value"])))
    print("\nDifferences between the values of infoplane and of the glue: ", end="")
    words = [f"{name} median {statistics.median(all):.1e}, largest {max(all):.1e}" for name, all in differences.items()]
    print("; ".join(words))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("race", nargs="*", help="names or their beginnings; without any, all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, choices=(1, 2), help="only these")
    parser.add_argument("--infoplane", type=Path, default=BENCHES.parent / "target/release/infoplane")
    parser.add_argument("--replay-bench", type=Path, help="the executable of benches/replay.rs")
    parser.add_argument("--usable-bench", type=Path, help="the executable of benches/usable.rs")
    parser.add_argument("--information-bench", type=Path, help="the executable of benches/information.rs")
    parser.add_argument("--compress-bench", type=Path, help="the executable of benches/compress.rs")
    parser.add_argument("--mnist", type=Path, help="an archive with 40 checkpoints and 10,000 samples")
    options = parser.parse_args()
    from splitmix import write

    with tempfile.TemporaryDirectory(prefix="infoplane-compare-") as scratch:
        scratch = Path(scratch)
        chosen = [
            race
            for race in races(options, scratch)
            if not options.race or any(race.name.startswith(name) for name in options.race)
            if options.threads in (None, race.threads)
        ]
        write(scratch, [d for d in (64, 512, 4096) if any(race.name.endswith(f"-{d}") for race in chosen)])
        for number in range(options.rounds):
            for race in chosen:
                race.round()
                print(f"round {number + 1} of {options.rounds}: {race.name}, {race.threads}", file=sys.stderr)
        print("Seconds, minimum and median.\n")
        print("| task | rival | infoplane wall | | CPU | | rival wall | | CPU | | ratio wall | | CPU | |")
        print("|---|---|" + "---|" * 12)
        for race in chosen:
            for row in race.rows():
                print("| " + " | ".join(row) + " |")
        for race in chosen:
            for rival, values in race.values.items():
                words = [f"{name} {ours:.9g} here and {theirs:.9g} there" for name, ours, theirs in values]
                print(f"\n{race.name}, {race.threads} thr., {rival}: {'; '.join(words)}", end="")
        agreement(options, scratch)


if __name__ == "__main__":
    main()
