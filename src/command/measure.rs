//! `measure`: one estimator on arrays on disk, as one JSON object.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use infoplane::estimate::compress::{Compression, Margins};
use infoplane::estimate::information::Estimator;
use infoplane::estimate::reconstruction::Decoder;
use infoplane::estimate::usable::Probe;
use infoplane::estimate::{Estimate, Labels, Paired, Split, finite};
use infoplane::samples::Array;
use ndarray::{Array1, Array2, Axis, concatenate};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::print;
use crate::cli::{InformationArguments, Measure, Quantity, ReconstructionArguments, SplitArguments, UsableArguments};

/// `measure`
pub(crate) fn measure(arguments: &Measure) -> anyhow::Result<ExitCode> {
    let object = match &arguments.quantity {
        Quantity::Information(arguments) => information(arguments)?,
        Quantity::Usable(arguments) => usable(arguments)?,
        Quantity::Reconstruction(arguments) => reconstruction(arguments)?,
    };
    print(&format!("{}\n", serde_json::to_string_pretty(&object)?))?;
    Ok(ExitCode::SUCCESS)
}

fn information(arguments: &InformationArguments) -> anyhow::Result<Value> {
    let estimator: Estimator = toml_value("--estimator", &arguments.estimator)?;
    let compress: Compression = toml_value("--compress", &arguments.compress)?;
    let margins: Margins = toml_value("--margins", &format!("\"{}\"", arguments.margins))?;
    let prepare = |path: &Path| -> anyhow::Result<Array2<f64>> {
        let compressed = compress.compress(matrix(path)?.view())?;
        Ok(margins.rescale(compressed.scores.view()).samples)
    };
    let x = prepare(&arguments.x)?;
    let estimate = match (&arguments.y, &arguments.labels) {
        (Some(y), _) => {
            let path = y;
            let y = prepare(path)?;
            same_rows(path, y.nrows(), &arguments.x, x.nrows())?;
            let estimator = estimator
                .continuous()
                .context("`--estimator`: this estimator is for labels; give `--labels`, or use `ksg` or `gaussian`")?;
            if x.ncols() == 0 || y.ncols() == 0 {
                Estimate::constant(x.nrows())
            } else {
                estimator.estimate(Paired::new(x.view(), y.view())?)?
            }
        }
        (None, Some(path)) => {
            let labels = labels(path, x.nrows(), &arguments.x)?;
            let estimator = estimator
                .labeled()
                .context("`--estimator`: this estimator is for two continuous variables; give `--y`, or use `ross`")?;
            if x.ncols() == 0 { Estimate::constant(x.nrows()) } else { estimator.estimate(x.view(), &labels)? }
        }
        (None, None) => bail!("needed `--y` or `--labels`"),
    };
    object(estimate, &estimator, &json!({ "compress": compress, "margins": margins }))
}

fn usable(arguments: &UsableArguments) -> anyhow::Result<Value> {
    let probe: Probe = toml_value("--probe", &arguments.probe)?;
    let mut x = matrix(&arguments.x)?;
    let mut values = integers(&arguments.labels, x.nrows(), &arguments.x)?;
    let split = match (&arguments.test_x, &arguments.test_labels) {
        (Some(test_x), Some(test_labels)) => {
            let test = matrix(test_x)?;
            if test.ncols() != x.ncols() {
                bail!(
                    "`{}`: found {} columns, needed the {} of `{}`",
                    test_x.display(),
                    test.ncols(),
                    x.ncols(),
                    arguments.x.display()
                );
            }
            values.extend(integers(test_labels, test.nrows(), test_x)?);
            let train = x.nrows();
            x = concatenate(Axis(0), &[x.view(), test.view()])?;
            Split { train: (0..train).collect(), test: (train..x.nrows()).collect() }
        }
        _ => held_out(x.nrows(), &arguments.split)?,
    };
    let labels = Labels::new(Array1::from(values).view());
    let settings = match &arguments.test_x {
        Some(path) => json!({ "test_x": path }),
        None => split_settings(&arguments.split),
    };
    object(probe.estimate(x.view(), &labels, &split)?, &probe, &settings)
}

fn reconstruction(arguments: &ReconstructionArguments) -> anyhow::Result<Value> {
    let decoder: Decoder = toml_value("--decoder", &arguments.decoder)?;
    let x = matrix(&arguments.x)?;
    let target = flat(&arguments.target)?;
    same_rows(&arguments.target, target.nrows(), &arguments.x, x.nrows())?;
    let split = held_out(x.nrows(), &arguments.split)?;
    object(decoder.estimate(x.view(), target.view(), &split)?, &decoder, &split_settings(&arguments.split))
}

fn object(estimate: Estimate, estimator: &impl Serialize, settings: &Value) -> anyhow::Result<Value> {
    if !estimate.value.is_finite() {
        bail!("the estimate is {}", estimate.value);
    }
    Ok(json!({
        "value": estimate.value,
        "unit": estimate.unit,
        "std_error": estimate.std_error,
        "n_samples": estimate.n_samples,
        "flags": estimate.flags,
        "estimator": estimator,
        "settings": settings,
        "details": estimate.details,
        "version": env!("CARGO_PKG_VERSION"),
    }))
}

fn split_settings(arguments: &SplitArguments) -> Value {
    json!({ "held_out": arguments.held_out, "seed": arguments.seed })
}

fn held_out(rows: usize, arguments: &SplitArguments) -> anyhow::Result<Split> {
    let ids: Vec<u64> = (0..rows as u64).collect();
    Ok(Split::by_id(&ids, arguments.held_out, arguments.seed)?)
}

/// A value in the TOML of pipeline files.
fn toml_value<T: DeserializeOwned>(option: &str, text: &str) -> anyhow::Result<T> {
    #[derive(serde::Deserialize)]
    struct Wrapped<T> {
        value: T,
    }
    let wrapped: Wrapped<T> =
        toml::from_str(&format!("value = {text}")).with_context(|| format!("cannot read `{option} {text}`"))?;
    Ok(wrapped.value)
}

fn matrix(path: &Path) -> anyhow::Result<Array2<f64>> {
    let matrix = read(path)?.matrix()?;
    finite("the array", matrix.view()).with_context(|| format!("`{}`", path.display()))?;
    Ok(matrix)
}

/// An array of any number of dimensions, flattened behind the first.
fn flat(path: &Path) -> anyhow::Result<Array2<f64>> {
    let array = read(path)?;
    let matrix = if array.values.shape().len() > 2 && array.values.is_float() {
        array.rows_of_numbers()
    } else {
        array.matrix()?
    };
    finite("the array", matrix.view()).with_context(|| format!("`{}`", path.display()))?;
    Ok(matrix)
}

fn labels(path: &Path, rows: usize, other: &Path) -> anyhow::Result<Labels> {
    Ok(Labels::new(Array1::from(integers(path, rows, other)?).view()))
}

fn integers(path: &Path, rows: usize, other: &Path) -> anyhow::Result<Vec<i64>> {
    let values = read(path)?.integers()?;
    same_rows(path, values.len(), other, rows)?;
    Ok(values)
}

fn same_rows(path: &Path, found: usize, other: &Path, needed: usize) -> anyhow::Result<()> {
    if found != needed {
        bail!(
            "`{}`: found {found} rows, needed the {needed} of `{}`: one row a sample",
            path.display(),
            other.display()
        );
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Array> {
    Ok(Array::read_npy(path)?)
}
