"""kill -9 at random moments, then the same commands again: is every byte what it would have been?

usage: kills.py INFOPLANE [KILLS]

One or two processes at a time plan, measure a real archive into the same folder, and finish it, and are killed.
Half of the series cut checkpoints into units of one layer. After every kill, whatever file is there must be whole; at the end
the plan and the folder must be those of commands that nobody disturbed.
"""

import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from itertools import cycle
from pathlib import Path

from same_results import contents, differences, must_be_empty

PIPELINE = Path(__file__).with_name("digits-few.toml")
SEED = 7
# To plan, to run and to finish.
ATTEMPTS = (1, 6, 2)
CUTS = ([], ["--taps-per-unit", "1"])


def start(command: list[str]) -> subprocess.Popen:
    """Starts a command whose error stream is kept for the case that it fails."""
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def must_succeed(process: subprocess.Popen) -> None:
    """Waits, and fails with what the process said."""
    said = process.communicate()[1]
    if process.returncode != 0:
        sys.exit(f"`{' '.join(process.args)}` ended with {process.returncode}: {said}")


class Moment:
    """So many seconds after so many checkpoints are there."""

    def __init__(self, series: "Series", checkpoints: int, seconds: float) -> None:
        self.series, self.checkpoints, self.seconds = series, checkpoints, seconds
        self.began = None

    def has_come(self) -> bool:
        if self.began is None and self.series.checkpoints() >= self.checkpoints:
            self.began = time.monotonic()
        return self.began is not None and time.monotonic() - self.began >= self.seconds


def disturb(command: list[str], moments: list[Moment]) -> int:
    """Starts a command once for each moment and kills it then; how many were killed before they were through."""
    left = [(start(command), moment) for moment in moments]
    kills = 0
    try:
        while left:
            process, moment = left.pop(0)
            if process.poll() is not None:
                must_succeed(process)
            elif moment.has_come():
                process.kill()
                process.communicate()
                kills += 1
            else:
                left.append((process, moment))
                time.sleep(0.001)
    finally:
        for process, _ in left:
            process.kill()
            process.wait()
    return kills


def torn(reference: dict[str, str], found: dict[str, str]) -> list[str]:
    """Files of results that are there and are not what they will be at the end."""
    strange = [line for line in differences(reference, found) if not line.startswith("missing")]
    # What lies in `work` is not for readers.
    return [line for line in strange if not line.startswith("too much: work/")]


class Series:
    """The commands from a plan to tables, in a folder of their own."""

    def __init__(self, infoplane: str, folder: Path, cut: list[str]) -> None:
        self.results = folder / "results"
        self.plan = folder / "plan"
        output = ["--output", str(self.plan), "--results", str(self.results), *cut]
        quiet = [infoplane, "--offline", "--quiet"]
        self.commands = [
            [*quiet, "plan", str(PIPELINE), *output],
            [*quiet, "run", "--plan", str(self.plan), "--threads", "1"],
            [infoplane, "finish", str(self.results)],
        ]

    def checkpoints(self) -> int:
        """How many checkpoints are there."""
        return sum(1 for _ in (self.results / "data" / "checkpoints").glob("step=*/part.parquet"))

    def undisturbed(self) -> list[float]:
        """Runs the commands; the seconds that each takes."""
        seconds = []
        for command in self.commands:
            began = time.monotonic()
            must_succeed(start(command))
            seconds.append(time.monotonic() - began)
        return seconds


def main() -> None:
    """Prints one line of what was proven."""
    infoplane = str(Path(sys.argv[1]).resolve())
    wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    chance = random.Random(SEED)
    hit = Counter()
    with tempfile.TemporaryDirectory(prefix="infoplane-kills-") as scratch:
        # Where results lie is part of a plan: all of them must lie under one name, one after the other.
        folder = Path(scratch, "series")
        references = []
        for cut in CUTS:
            series = Series(infoplane, folder, cut)
            folder.mkdir()
            seconds = series.undisturbed()
            references.append((cut, seconds, series.plan.read_bytes(), contents(series.results)))
            shutil.rmtree(folder)
        (_, _, _, whole), (_, _, _, cut_up) = references
        must_be_empty(differences(whole, cut_up), "after measuring one layer at a time")
        planned = sum(name.startswith("data/checkpoints/") for name in whole)
        for cut, seconds, plan, reference in cycle(references):
            if hit["kills"] >= wanted:
                break
            series = Series(infoplane, folder, cut)
            folder.mkdir()
            for command, attempts, whole_time in zip(series.commands, ATTEMPTS, seconds):
                for _ in range(attempts):
                    before = series.checkpoints()
                    moments = []
                    for _ in range(chance.choice([1, 2])):
                        more = chance.randrange(planned - before) if "run" in command and before < planned else 0
                        # Without a checkpoint to wait for any time may do, with one about the time of the next.
                        moments.append(Moment(series, before + more, chance.uniform(0, 2 * whole_time / planned if more else whole_time)))
                    hit["kills"] += disturb(command, moments)
                    found = contents(series.results)
                    hit["in the middle of the archive"] += before < series.checkpoints() < planned
                    hit["that left working files"] += any(name.startswith("work/") and name not in reference for name in found)
                    must_be_empty(torn(reference, found), "after a kill")
                    if series.plan.exists() and series.plan.read_bytes() != plan:
                        sys.exit("after a kill: the plan has other bytes")
                must_succeed(start(command))
            must_be_empty(differences(reference, contents(series.results)), "after the last command")
            hit["series"] += 1
            shutil.rmtree(folder)
    if hit["in the middle of the archive"] < wanted // 10:
        sys.exit(f"too few kills hit a run at its work to prove anything: {dict(hit)}")
    told = ", ".join(f"{count} {what}" for what, count in hit.items())
    print(f"kill -9: {told}; every series ended with the {len(reference)} files of an undisturbed one, the same bytes")


if __name__ == "__main__":
    main()
