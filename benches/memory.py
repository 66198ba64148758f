"""The peak memory of `infoplane run` on archives of the same network with ever more checkpoints: it must be flat.

    python benches/memory.py ARCHIVE... [--infoplane target/release/infoplane] [--threads 2]

`data/make/digits_pytorch.py --checkpoints 400 --spacing even --output FOLDER` makes such an archive.
"""

import argparse
import tempfile
from pathlib import Path

import compare


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("archive", nargs="+", type=Path)
    parser.add_argument("--infoplane", type=Path, default=compare.BENCHES.parent / "target/release/infoplane")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    shipped = (compare.BENCHES.parent / "pipelines/digits.toml").read_text()
    print("| checkpoints | measures | peak MiB | wall s | CPU s |\n|---|---|---|---|---|")
    for archive in options.archive:
        count = len(list(archive.glob("step-*.safetensors")))
        all_measures = shipped.replace("../data/digits", str(archive.resolve()))
        none = compare.REPLAY.format(folder=archive.resolve(), taps=str(compare.DIGITS_TAPS).replace("'", '"'))
        for name, text in (("none", none), ("all", all_measures)):
            with tempfile.TemporaryDirectory(prefix="infoplane-memory-") as scratch:
                file = Path(scratch, "digits.toml")
                file.write_text(text)
                command = [options.infoplane, "run", file, "--threads", options.threads]
                result = compare.run([*command, "--output", Path(scratch, "out")], options.threads)
            print(f"| {count} | {name} | {result.peak / 1024:.1f} | {result.wall:.1f} | {result.cpu:.1f} |", flush=True)


if __name__ == "__main__":
    main()
