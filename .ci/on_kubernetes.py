"""The manifest that `submit kubernetes` prints: is it one, and does its container do the work?

usage: on_kubernetes.py INFOPLANE PIPELINE EXPECTED      EXPECTED: the finished results of one process

There is no control plane here. The manifest is held strictly against the published schemas, with a misspelt field too, and against
the rules between fields that schemas cannot say; then the container's command is started for every index, as a node would.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from same_results import must_be_same

SHARDS = 3


def validate(manifest: str, folder: Path) -> subprocess.CompletedProcess:
    """What the validator says, offline."""
    path = folder / "job.yaml"
    path.write_text(manifest)
    command = [Path(sys.executable).with_name("kubernetes-validate"), "--strict", path]
    return subprocess.run(command, capture_output=True, text=True)


def must(holds: bool, needed: str) -> None:
    """Fails with what was needed of the manifest."""
    if not holds:
        sys.exit(f"the manifest of `submit kubernetes`: needed {needed}")


def main() -> None:
    """Prints one line of what was proven."""
    infoplane, pipeline, expected = (Path(argument).resolve() for argument in sys.argv[1:4])
    with tempfile.TemporaryDirectory(prefix="infoplane-kubernetes-") as scratch:
        folder = Path(scratch)
        results, plan = folder / "results", folder / "my.plan"
        (folder / "infoplane").symlink_to(infoplane)
        environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}

        def run(*arguments: object) -> str:
            return subprocess.run(["infoplane", *map(str, arguments)], env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout

        run("--quiet", "plan", pipeline, "--output", plan, "--results", results)
        volume = ("--image", "infoplane", "--claim", "data", "--mount", folder)
        manifest = run("submit", "kubernetes", "--plan", plan, "--shards", SHARDS, "--threads", 1, *volume)

        said = validate(manifest, folder)
        if said.returncode != 0:
            sys.exit(f"the manifest is refused: {said.stdout}{said.stderr}\n{manifest}")
        misspelt = manifest.replace("backoffLimitPerIndex", "backOffLimitPerIndex")
        said = validate(misspelt, folder)
        must(misspelt != manifest and said.returncode != 0 and "backOffLimitPerIndex" in said.stdout + said.stderr, "a misspelt field to be refused")

        spec = yaml.safe_load(manifest)["spec"]
        pod = spec["template"]["spec"]
        container = pod["containers"][0]
        must(spec["completionMode"] == "Indexed" and spec["completions"] == SHARDS, f"an Indexed job of {SHARDS}")
        must(pod["restartPolicy"] == "Never", "restartPolicy Never, as a podFailurePolicy asks for")
        final = [rule["onExitCodes"] for rule in spec["podFailurePolicy"]["rules"] if rule["action"] == "FailIndex"]
        must(all(rule["containerName"] == container["name"] for rule in final), "rules about the container that there is")
        codes = {code for rule in final for code in rule["values"]}
        must({64, 65} <= codes and not codes & {0, 75}, "64 and 65 to be final, and 75 to be tried again")

        for index in range(SHARDS):
            command = [*container["command"], *container["args"]]
            subprocess.run(command, env={**environment, "JOB_COMPLETION_INDEX": str(index)}, check=True, stdout=subprocess.DEVNULL, cwd="/")
        run("finish", "--plan", plan)
        must_be_same(expected, results)
    print(f"Kubernetes: the manifest is valid, one with a misspelt field is not, and its {SHARDS} indexes made the bytes of one process")


if __name__ == "__main__":
    main()
