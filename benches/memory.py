"""The peak memory of `infoplane run` on archives of the same network with ever more checkpoints: it must be flat.

    python benches/memory.py ARCHIVE... [--all-up-to 40] [--infoplane target/release/infoplane] [--threads 2]

All measures take a while: archives with more checkpoints than `--all-up-to` go without probe and decoder.

`data/make/digits_pytorch.py --checkpoints 400 --spacing even --output FOLDER` makes such an archive.
"""

import argparse
import json
import tempfile
from pathlib import Path

import compare


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("archive", nargs="+", type=Path)
    parser.add_argument("--infoplane", type=Path, default=compare.BENCHES.parent / "target/release/infoplane")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--all-up-to", type=int, default=40)
    options = parser.parse_args()
    shipped = (compare.BENCHES.parent / "pipelines/digits.toml").read_text()
    print("| checkpoints | measures | peak MiB of the run | wall s | CPU s | peak MiB of the table at its end |")
    print("|---|---|---|---|---|---|")
    for archive in options.archive:
        count = len(list(archive.glob("step-*.safetensors")))
        everything = shipped.replace("../data/digits", str(archive.resolve()))
        lines = everything.splitlines(keepends=True)
        information = "".join(line for line in lines if "{ usable" not in line and "{ reconstruction" not in line)
        none = compare.REPLAY.format(folder=archive.resolve(), taps=json.dumps(compare.DIGITS_TAPS))
        runs = {"none": none, "information": information, "all": everything}
        if count > options.all_up_to:
            del runs["all"]
        for name, text in runs.items():
            with tempfile.TemporaryDirectory(prefix="infoplane-memory-") as scratch:
                file = Path(scratch, "digits.toml")
                file.write_text(text)
                command = [options.infoplane, "run", file, "--threads", options.threads]
                command += ["--output", Path(scratch, "out")]
                run = compare.run([*command, "--quiet"], options.threads)
                # All checkpoints are kept: what is left is the table that a run ends with.
                table = compare.run(command, options.threads)
            row = [count, name, run.peak // 1024, f"{run.wall:.1f}", f"{run.cpu:.1f}", table.peak // 1024]
            print("| " + " | ".join(map(str, row)) + " |", flush=True)


if __name__ == "__main__":
    main()
