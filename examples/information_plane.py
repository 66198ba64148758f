# %% The information plane of a run: I(X;T) against I(T;Y) of every layer, from the first checkpoint to the last.
#
#     pip install polars duckdb pyarrow matplotlib
#     python examples/information_plane.py results/digits plane.png
#
# The cells can be run one after another in an editor that knows `# %%`.
import sys

import duckdb
import matplotlib
import polars

matplotlib.use("Agg")
import matplotlib.pyplot as plot

folder, picture = sys.argv[1:]

# %% With polars: the folder of a table is all it needs; `step` comes from the path.
measurements = polars.scan_parquet(f"{folder}/data/measurements")
information = (
    measurements.filter(polars.col("measure") == "information", polars.col("estimator").is_in(["ksg", "ross"]))
    .with_columns(axis=polars.when(polars.col("variable") == "input").then(polars.lit("input")).otherwise(polars.lit("label")))
    .collect()
    .pivot(on="axis", index=["step", "tap", "tap_index"], values="value")
    .drop_nulls()
    .sort("tap_index", "step")
)
print(information.head())

# %% With DuckDB: the same in SQL, over the same files.
in_sql = duckdb.sql(
    f"""
    SELECT step, tap, tap_index,
           MAX(value) FILTER (variable = 'input') AS input,
           MAX(value) FILTER (variable <> 'input') AS label
    FROM read_parquet('{folder}/data/measurements/**/*.parquet', hive_partitioning = true)
    WHERE measure = 'information' AND estimator IN ('ksg', 'ross')
    GROUP BY ALL
    HAVING input IS NOT NULL AND label IS NOT NULL
    ORDER BY tap_index, step
    """
).pl()
assert in_sql.select(information.columns).rows() == information.rows(), "polars and DuckDB read the same files"

# %% One line a layer, from light (the first checkpoint) to dark (the last).
colors = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442"]
markers = "osD^vPX"
figure, axis = plot.subplots(figsize=(6, 4.5), layout="constrained")
for place, ((tap,), curve) in enumerate(information.group_by("tap", maintain_order=True)):
    color, marker = colors[place % len(colors)], markers[place % len(markers)]
    axis.plot(curve["input"], curve["label"], color=color, linewidth=0.8, alpha=0.6)
    shade = [0.25 + 0.75 * step / max(1, curve.height - 1) for step in range(curve.height)]
    axis.scatter(curve["input"], curve["label"], color=color, alpha=shade, s=22, marker=marker, label=tap)
steps = information["step"]
axis.set_title(f"steps {steps.min()} (light) to {steps.max()} (dark)", fontsize=10)
axis.set_xlabel("I(X;T), nats")
axis.set_ylabel("I(T;Y), nats")
axis.legend(fontsize=8, frameon=False)
axis.spines[["top", "right"]].set_visible(False)
figure.savefig(picture, dpi=120)
