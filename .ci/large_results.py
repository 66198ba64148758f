"""Makes a result folder of 20 layers and 300 checkpoints out of a small one: for looking at, not a measurement of anything."""

import math
import os
import random
import shutil
import sys

import pyarrow
import pyarrow.parquet

source, target, n_layers, n_checkpoints = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
random.seed(1)
last = max(os.listdir(f"{source}/data/checkpoints"), key=lambda name: int(name.removeprefix("step=")))
read = lambda table: pyarrow.parquet.ParquetFile(f"{source}/data/{table}/{last}/part.parquet").read()
measurements, checkpoint = read("measurements"), read("checkpoints")
of_one_layer = [row for row in measurements.to_pylist() if row["tap_index"] == 0 and row["value"] is not None]
shutil.copytree(f"{source}/work", f"{target}/work")

steps = sorted({round(math.expm1(place * math.log(20_000) / (n_checkpoints - 1))) for place in range(n_checkpoints)})
steps += range(20_001, 20_001 + n_checkpoints - len(steps))
for step in steps:
    rows = []
    for layer in range(n_layers):
        for row in of_one_layer:
            learned = 1 / (1 + math.exp(-(math.log1p(step) - 4 - 0.1 * layer)))
            value = row["value"] * (0.3 + 0.7 * learned) + random.gauss(0, 0.01)
            moved = value - row["value"]
            ends = {name: row[name] + moved for name in ("interval_low", "interval_high") if row[name] is not None}
            rows.append(row | ends | {"value": value, "tap": f"layers.{layer}.mlp.act", "tap_index": layer})
    for name, table in [("measurements", pyarrow.Table.from_pylist(rows, schema=measurements.schema)), ("checkpoints", checkpoint)]:
        os.makedirs(f"{target}/data/{name}/step={step}")
        pyarrow.parquet.write_table(table, f"{target}/data/{name}/step={step}/part.parquet")
