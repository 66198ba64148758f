"""kill -9 at random moments, then resume: is every byte what it would have been?

usage: kills.py INFOPLANE [KILLS]

One or two processes at a time measure a real archive into the same folder, and later finish it, and are killed.
After every kill, whatever file is there must be whole; at the end the folder must be that of a run that nobody disturbed.
"""

import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from same_results import contents, differences

PIPELINE = Path(__file__).with_name("digits-few.toml")
SEED = 7
ATTEMPTS = 3


def start(command: list[str]) -> subprocess.Popen:
    """Starts a command whose error stream is kept for the case that it fails."""
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def must_succeed(process: subprocess.Popen) -> None:
    """Waits, and fails with what the process said."""
    said = process.communicate()[1]
    if process.returncode != 0:
        sys.exit(f"{process.args} ended with {process.returncode}: {said}")


def torn(reference: dict[str, str], found: dict[str, str]) -> list[str]:
    """Files of results that are there and are not what they will be at the end."""
    # What lies in `work` is not for readers.
    strange = [line for line in differences(reference, found) if not line.startswith("missing")]
    return [line for line in strange if not line.startswith("too much: work/")]


def disturb(commands: list[list[str]], moments: list[float]) -> int:
    """Starts the commands together and kills each at its moment, in seconds; how many were killed before they were through."""
    began = time.monotonic()
    processes = [start(command) for command in commands]
    kills = 0
    for moment, process in sorted(zip(moments, processes), key=lambda pair: pair[0]):
        try:
            process.wait(max(0, moment - (time.monotonic() - began)))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
        else:
            must_succeed(process)
    return kills


def main() -> None:
    """Prints one line of what was proven."""
    infoplane = str(Path(sys.argv[1]).resolve())
    wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    chance = random.Random(SEED)
    hit = Counter()
    with tempfile.TemporaryDirectory(prefix="infoplane-kills-") as scratch:
        undisturbed, results = Path(scratch, "undisturbed"), Path(scratch, "results")
        run = [infoplane, "--offline", "--quiet", "run", str(PIPELINE), "--threads", "1", "--output"]
        finish = [infoplane, "finish"]
        seconds = []
        for command in (run, finish):
            began = time.monotonic()
            must_succeed(start([*command, str(undisturbed)]))
            seconds.append(time.monotonic() - began)
        reference = contents(undisturbed)
        planned = sum(name.startswith("data/checkpoints/") for name in reference)
        while hit["kills"] < wanted:
            shutil.rmtree(results, ignore_errors=True)
            for command, whole in zip((run, finish), seconds):
                for _ in range(ATTEMPTS):
                    copies = chance.choice([1, 2])
                    moments = [chance.uniform(0, whole) for _ in range(copies)]
                    hit["kills"] += disturb([[*command, str(results)]] * copies, moments)
                    found = contents(results)
                    hit["with parts there and others not"] += 0 < sum(name.startswith("data/checkpoints/") for name in found) < planned
                    hit["with working files left"] += any(name.startswith("work/") and name not in reference for name in found)
                    if strange := torn(reference, found):
                        sys.exit("\n".join(["after a kill:", *strange]))
                must_succeed(start([*command, str(results)]))
            if strange := differences(reference, contents(results)):
                sys.exit("\n".join(["after the last run:", *strange]))
            hit["series"] += 1
    if hit["with parts there and others not"] < wanted // 10:
        sys.exit(f"too few kills hit a run at its work to prove anything: {dict(hit)}")
    told = ", ".join(f"{count} {what}" for what, count in hit.items())
    print(f"kill -9: {told}; every series ended with the {len(reference)} files of an undisturbed one, the same bytes")


if __name__ == "__main__":
    main()
