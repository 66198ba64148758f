"""The script that `submit hyperqueue` prints, run by HyperQueue on this machine: are the bytes those of one process?

usage: on_hyperqueue.py INFOPLANE PIPELINE EXPECTED      EXPECTED: the finished results of one process

HyperQueue's Python package has its server and workers, and no `hq`: the script's `#HQ` lines are read here.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from same_results import must_be_same

SHARDS = 3


def main() -> None:
    """Prints one line of what was proven."""
    infoplane, pipeline, expected = (Path(argument).resolve() for argument in sys.argv[1:4])
    with tempfile.TemporaryDirectory(prefix="infoplane-hyperqueue-") as scratch:
        folder = Path(scratch)
        results, plan, script = folder / "results", folder / "my.plan", folder / "job.sh"

        def run(*arguments: object) -> str:
            return subprocess.run([infoplane, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True).stdout

        run("--quiet", "plan", pipeline, "--output", plan, "--results", results)
        script.write_text(run("submit", "hyperqueue", "--plan", plan, "--shards", SHARDS, "--threads", 1))
        options = dict(re.findall(r"^#HQ --([a-z-]+)=(.*)$", script.read_text(), flags=re.MULTILINE))
        if (options.get("array"), options.get("cpus")) != (f"0-{SHARDS - 1}", "1"):
            sys.exit(f"`submit hyperqueue`: found {options}, needed an array of {SHARDS} with one core each")
        in_cluster(script, folder)
        run("finish", "--plan", plan)
        must_be_same(expected, results)
    print(f"HyperQueue: {SHARDS} tasks on two workers made the bytes of one process")


def in_cluster(script: Path, folder: Path) -> None:
    """Runs the array: a task for each index, which HyperQueue tells the script by `HQ_TASK_ID`."""
    from hyperqueue import Job, LocalCluster
    from hyperqueue.cluster import WorkerConfig

    with LocalCluster(server_dir=str(folder / "server")) as cluster:
        for _ in range(2):
            cluster.start_worker(WorkerConfig(cores=1))
        job = Job(default_workdir=folder)
        for _ in range(SHARDS):
            job.program(["bash", str(script)])
        client = cluster.client()
        # Fails where a task does.
        client.wait_for_jobs([client.submit(job)])


if __name__ == "__main__":
    main()
