"""Are two result folders the same, byte by byte, and is nothing else in them?

usage: same_results.py EXPECTED FOUND
"""

import hashlib
import sys
from pathlib import Path

LISTED = 20


def contents(folder: Path) -> dict[str, str]:
    """The hash of each file, by its path; of those that tell of times and machines the path alone.

    What lies in `metrics` is named after processes, and left out.
    """
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and not name.startswith("metrics/"):
            of_one_run = name.startswith("work/") or name == "tables/units.parquet"
            found[name] = "" if of_one_run else hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def differences(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    """What is missing, what is too much, and what has other bytes."""
    lines = [f"missing: {name}" for name in expected if name not in found]
    lines += [f"too much: {name}" for name in found if name not in expected]
    lines += [f"other bytes: {name}" for name in expected if found.get(name, expected[name]) != expected[name]]
    return lines


def must_be_empty(lines: list[str], what: str) -> None:
    """Fails with the first few of the lines."""
    if lines:
        more = [f"{len(lines) - LISTED} more"] if len(lines) > LISTED else []
        sys.exit("\n".join([f"{what}:", *lines[:LISTED], *more]))


def must_be_same(expected: Path, found: Path) -> int:
    """The number of files, or fails with all differences."""
    files = contents(expected)
    if "tables/measurements.parquet" not in files:
        sys.exit(f"`{expected}`: found no tables/measurements.parquet; needed a finished run to compare with")
    must_be_empty(differences(files, contents(found)), f"`{found}` differs from `{expected}`")
    return len(files)


if __name__ == "__main__":
    print(f"{must_be_same(Path(sys.argv[1]), Path(sys.argv[2]))} files, the same bytes")
