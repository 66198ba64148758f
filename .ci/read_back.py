"""Reads a result folder in DuckDB, polars and pyarrow, and checks that all three see the same table."""

import math
import sys

import duckdb
import polars
import pyarrow.dataset

folder = sys.argv[1]
for table in ["measurements", "checkpoints"]:
    root = f"{folder}/data/{table}"
    in_polars = polars.scan_parquet(root).collect()
    in_polars_glob = polars.scan_parquet(f"{root}/**/*.parquet", hive_partitioning=True).collect()
    in_duckdb = duckdb.sql(f"SELECT * FROM read_parquet('{root}/**/*.parquet', hive_partitioning = true)").pl()
    in_arrow = polars.from_arrow(pyarrow.dataset.dataset(root, partitioning="hive").to_table())
    frames = [in_polars, in_polars_glob, in_duckdb, in_arrow]
    assert len({frame.height for frame in frames}) == 1, [frame.height for frame in frames]
    assert all(sorted(frame.columns) == sorted(in_polars.columns) for frame in frames)
    assert "step" in in_polars.columns and in_polars.height > 0
    print(table, in_polars.shape, in_polars.schema)

measurements = polars.scan_parquet(f"{folder}/data/measurements").collect()
assert measurements["value"].null_count() == measurements["error"].len() - measurements["error"].null_count()
assert measurements.schema["value"] == polars.Float64 and measurements.schema["flags"] == polars.List(polars.String)
best = duckdb.sql(
    f"""SELECT tap, step, value FROM read_parquet('{folder}/data/measurements/**/*.parquet', hive_partitioning = true)
        WHERE measure = 'usable' ORDER BY value DESC LIMIT 1"""
).fetchall()
assert len(best) == 1 and 0.0 < best[0][2] <= math.log(10) + 1e-9, best
print("most usable information:", best[0])
