"""Replay in Python: the samples of an archive through each of its checkpoints, every tap read out.

`python replay.py ARCHIVE TAP... [--batch 250] [--processes 1] [--repeat 1]`; the last tap is taken as logits.
"""

import argparse
from pathlib import Path

import clock
from archive import Archive, each


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("archive", type=Path)
    parser.add_argument("taps", nargs="+")
    parser.add_argument("--batch", type=int, default=250)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=1)
    options = parser.parse_args()
    global archive
    archive = Archive(options.archive, options.taps, options.batch)
    everything = lambda: each(one, archive.checkpoints, options.processes)[-1]
    clock.report("onnxruntime", everything, options.repeat)


def one(checkpoint):
    return archive.score(archive.replay(checkpoint)[archive.taps[-1]])


if __name__ == "__main__":
    main()
