"""Draws what each layer knew over training from a result folder: the picture of the README.

    pip install polars matplotlib
    python examples/layers.py results/digits docs/digits.png
"""

import sys

import matplotlib
import polars

matplotlib.use("Agg")
import matplotlib.pyplot as plot

folder, picture = sys.argv[1:]
measurements = polars.scan_parquet(f"{folder}/data/measurements").collect().sort("step", "tap_index")
checkpoints = polars.scan_parquet(f"{folder}/data/checkpoints").collect().sort("step")

panels = [
    ("usable", "linear", "usable information about the label (nats)"),
    ("information", "ksg", "I(X;T), KSG on 4 components (nats)"),
    ("reconstruction", "linear", "loss of reconstructing the input"),
]
# Colors that color-blind people tell apart (Okabe and Ito).
colors = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00"]
taps = measurements.sort("tap_index")["tap"].unique(maintain_order=True).to_list()
figure, axes = plot.subplots(1, 4, figsize=(15, 3.6), layout="constrained")
for axis, (measure, estimator, title) in zip(axes, panels):
    rows = measurements.filter(polars.col("measure") == measure, polars.col("estimator") == estimator)
    for tap, color in zip(taps, colors):
        curve = rows.filter(polars.col("tap") == tap)
        low, high = (curve["value"] + sign * curve["std_error"] for sign in (-1, 1))
        axis.plot(curve["step"] + 1, curve["value"], color=color, label=tap)
        axis.fill_between(curve["step"] + 1, low, high, color=color, alpha=0.2, linewidth=0)
    axis.set_title(title, fontsize=10)
axes[0].legend(fontsize=8, frameon=False, loc="lower right")
axes[3].plot(checkpoints["step"] + 1, checkpoints["loss"], color="black", label="loss (nats)")
axes[3].plot(checkpoints["step"] + 1, checkpoints["accuracy"], color="black", linestyle="--", label="accuracy")
axes[3].set_title("the network itself, on held-out digits", fontsize=10)
axes[3].legend(fontsize=8, frameon=False)
for axis in axes:
    axis.set_xscale("log")
    axis.set_xlabel("training step + 1")
    axis.spines[["top", "right"]].set_visible(False)
figure.savefig(picture, dpi=90)
