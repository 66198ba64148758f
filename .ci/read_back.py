"""Reads a result folder in polars, DuckDB, pyarrow and pandas, and checks that all see the tables that the schema describes.

    python read_back.py results/digits schema.json
"""

import json
import math
import pathlib
import shutil
import sys
import tempfile

import duckdb
import polars
import pyarrow.dataset

TYPES = {
    "string": polars.String,
    "list<string>": polars.List(polars.String),
    "list<float64>": polars.List(polars.Float64),
    "float64": polars.Float64,
    "int64": polars.Int64,
    "uint64": polars.UInt64,
    "bool": polars.Boolean,
}


def seen(root, by_step):
    """A table as each reader sees it, by folder and by glob, in one order of columns and rows."""
    hive = {"hive_partitioning": True} if by_step else {}
    arrow = pyarrow.dataset.dataset(root, partitioning="hive").to_table()
    frames = {
        "polars, folder": polars.scan_parquet(root).collect(),
        "polars, glob": polars.scan_parquet(f"{root}/**/*.parquet", **hive).collect(),
        "DuckDB, glob": duckdb.sql(f"FROM read_parquet('{root}/**/*.parquet', hive_partitioning = {by_step})").pl(),
        "pyarrow, folder": polars.from_arrow(arrow),
    }
    assert len(arrow.to_pandas()) == arrow.num_rows
    columns = sorted(frames["polars, folder"].columns)
    for reader, frame in frames.items():
        assert sorted(frame.columns) == columns, (reader, frame.columns)
        if "step" in frame.columns:
            # pyarrow takes a narrower type from the path.
            frame = frame.with_columns(polars.col("step").cast(polars.Int64))
        frames[reader] = frame.select(columns)
    return frames


def as_rows(frame):
    return sorted(json.dumps(row, default=str, sort_keys=True) for row in frame.to_dicts())


folder, schema_file = sys.argv[1:]
data = pathlib.Path(folder, "data")
schema = json.loads(pathlib.Path(schema_file).read_text())
there = []
for table in schema["tables"]:
    # What tells how long units took lies apart: it differs from run to run.
    by_process = table["parts"] == "process"
    root = (pathlib.Path(folder, "metrics") if by_process else data) / table["name"]
    by_step = table["parts"].startswith("checkpoint")
    # Which of these are there depends on the pipeline; those that always are, are named below.
    if table["parts"].endswith("-if-asked") and not root.exists():
        continue
    if not by_process:
        there.append(table["name"])
    frames = seen(root, by_step)
    first = frames["polars, folder"]
    needed = {column["name"]: TYPES[column["type"]] for column in table["columns"]}
    for reader, frame in frames.items():
        assert dict(frame.schema) == needed, (table["name"], reader, frame.schema)
        assert as_rows(frame) == as_rows(first), (table["name"], reader)
    for column in table["columns"]:
        assert column["null"] is not None or first[column["name"]].null_count() == 0, (table["name"], column["name"])
    print(f"{table['name']}: {first.height} rows of {first.width} columns")
    if by_process:
        continue
    # The one file that `finish` makes: the same rows, in the order of the steps, with the columns as documented.
    whole = polars.read_parquet(pathlib.Path(folder, "tables", table["name"] + ".parquet"))
    assert whole.columns == [column["name"] for column in table["columns"]], whole.columns
    assert as_rows(whole) == as_rows(first), table["name"]
    assert not by_step or whole["step"].is_sorted(), table["name"]
    if by_step:
        # Any part of the parts is a table too: those with rows, those without, a single one.
        parts = sorted(root.iterdir())
        for some in (parts[:1], parts[1::2]):
            with tempfile.TemporaryDirectory() as copy:
                for part in some:
                    shutil.copytree(part, pathlib.Path(copy, part.name))
                counts = {frame.height for frame in seen(copy, True).values()}
                steps = [int(part.name.removeprefix("step=")) for part in some]
                assert counts == {first.filter(polars.col("step").is_in(steps)).height}, (table["name"], counts)
assert {"measurements", "checkpoints", "failures", "bindings", "phases", "lags"} <= set(there), there
assert sorted(path.name for path in data.iterdir()) == sorted(there), "tables that the schema does not name"

measurements = polars.read_parquet(f"{folder}/tables/measurements.parquet")
assert measurements["value"].null_count() == measurements["error"].len() - measurements["error"].null_count()
best = duckdb.sql(
    f"""SELECT tap, step, value FROM '{folder}/tables/measurements.parquet'
        WHERE measure = 'usable' ORDER BY value DESC LIMIT 1"""
).fetchall()
assert len(best) == 1 and 0.0 < best[0][2] <= math.log(10) + 1e-9, best
print("most usable information:", best[0])
