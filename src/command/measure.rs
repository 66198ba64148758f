//! `measure`: one estimator on arrays on disk, as one JSON object.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use infoplane::estimate::compress::{Compression, Margins};
use infoplane::estimate::information::{self, Against, Estimator, Intervals};
use infoplane::estimate::reconstruction::Decoder;
use infoplane::estimate::usable::{Probe, Target};
use infoplane::estimate::{Estimate, Labels, Permutations, Split, finite};
use infoplane::samples::{Array, Column, ColumnKind, ColumnLabels, Description};
use ndarray::{Array1, Array2, Axis, concatenate};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::bottleneck::bottleneck;
use super::codebook::codebook;
use super::gradient::gradient;
use super::print;
use super::typicality::typicality;
use crate::cli::{InformationArguments, Measure, Quantity, ReconstructionArguments, SplitArguments, UsableArguments};

/// `measure`
pub(crate) fn measure(arguments: &Measure) -> anyhow::Result<ExitCode> {
    let object = match &arguments.quantity {
        Quantity::Bottleneck(arguments) => bottleneck(arguments)?,
        Quantity::Codebook(arguments) => codebook(arguments)?,
        Quantity::Gradient(arguments) => gradient(arguments)?,
        Quantity::Typicality(arguments) => typicality(arguments)?,
        Quantity::Information(arguments) => mutual_information(arguments)?,
        Quantity::Usable(arguments) => usable(arguments)?,
        Quantity::Reconstruction(arguments) => reconstruction(arguments)?,
    };
    print(&format!("{}\n", serde_json::to_string_pretty(&object)?))?;
    Ok(ExitCode::SUCCESS)
}

fn mutual_information(arguments: &InformationArguments) -> anyhow::Result<Value> {
    let estimator: Estimator = toml_value("--estimator", &arguments.estimator)?;
    let compress: Compression = toml_value("--compress", &arguments.compress)?;
    let compress_y: Compression =
        arguments.compress_y.as_deref().map_or(Ok(compress.clone()), |text| toml_value("--compress-y", text))?;
    if compress.basis().or(compress_y.basis()).is_some() {
        bail!("`basis`: found one for a series, and an array has none; remove it");
    }
    let margins: Margins = toml_value("--margins", &format!("\"{}\"", arguments.margins))?;
    let prepare = |path: &Path, compress: &Compression| -> anyhow::Result<(Array2<f64>, Map<String, Value>)> {
        let compressed = compress.compress(matrix(path)?.view(), arguments.seed)?;
        Ok((margins.rescale(compressed.scores.view())?.samples, compressed.details))
    };
    let (x, details_x) = prepare(&arguments.x, &compress)?;
    let interval: Intervals = toml_value("--interval", &arguments.interval)?;
    let permutations = arguments.permutations.map(Permutations::try_from).transpose().map_err(anyhow::Error::msg)?;
    let uncertainty = (&interval, permutations);
    let mut details_y = Map::new();
    let estimates = match (&arguments.y, &arguments.labels) {
        (Some(path), _) => {
            let (y, details) = prepare(path, &compress_y)?;
            details_y = details;
            same_rows(path, y.nrows(), &arguments.x, x.nrows())?;
            let wrong = "`--estimator`: this estimator is for labels; give `--labels`, or use `ksg` or `gaussian`";
            estimator.continuous().context(wrong)?;
            information::measure(&estimator, x.view(), Against::Variable(y.view()), uncertainty, arguments.seed)?
        }
        (None, Some(path)) => {
            let labels = labels(path, x.nrows(), &arguments.x)?;
            let wrong = "`--estimator`: this estimator is for two continuous variables; give `--y`, or use `ross`";
            estimator.labeled().context(wrong)?;
            information::measure(&estimator, x.view(), Against::Labels(&labels), uncertainty, arguments.seed)?
        }
        (None, None) => bail!("needed `--y` or `--labels`"),
    };
    let settings = json!({
        "compress": compress,
        "compress_y": compress_y,
        "margins": margins,
        "interval": interval,
        "seed": arguments.seed,
    });
    let each = estimates.into_iter().zip(estimator.each()).map(|(mut estimate, one)| {
        for (name, details) in [("x", &details_x), ("y", &details_y)] {
            if !details.is_empty() {
                estimate.detail(name, details.clone());
            }
        }
        object(estimate, &one, &settings)
    });
    let mut objects = each.collect::<anyhow::Result<Vec<Value>>>()?;
    // One object for one estimate, as for every other quantity.
    Ok(if objects.len() == 1 { objects.remove(0) } else { Value::Array(objects) })
}

fn usable(arguments: &UsableArguments) -> anyhow::Result<Value> {
    let probe: Probe = toml_value("--probe", &arguments.probe)?;
    let kind = arguments.numbers.then_some(ColumnKind::Numbers);
    let mut x = matrix(&arguments.x)?;
    let mut target = target(&arguments.labels, kind, (x.nrows(), &arguments.x))?;
    let given = arguments.given.as_deref().map(matrix).transpose()?;
    if let (Some(given), Some(path)) = (&given, &arguments.given) {
        same_rows(path, given.nrows(), &arguments.x, x.nrows())?;
    }
    let split = match (&arguments.test_x, &arguments.test_labels) {
        (Some(test_x), Some(test_labels)) => {
            let train = x.nrows();
            x = below(&x, &arguments.x, test_x)?;
            let test = self::target(test_labels, kind, (x.nrows() - train, test_x))?;
            target = both(target, test).with_context(|| format!("`{}`", test_labels.display()))?;
            Split { train: (0..train).collect(), test: (train..x.nrows()).collect() }
        }
        _ => held_out(x.nrows(), &arguments.split)?,
    };
    let seed = arguments.split.seed;
    let mut reading = probe.read(x.view(), &target, &split, seed)?;
    if let Some(permutations) = arguments.permutations {
        let permutations = permutations.try_into().map_err(anyhow::Error::msg)?;
        probe.hold_against_permutations(&mut reading, x.view(), (&target, &split), permutations, (seed, seed))?;
    }
    let settings = match &arguments.test_x {
        Some(path) => json!({ "test_x": path }),
        None => split_settings(&arguments.split),
    };
    let mut others = vec![(if reading.predicted.is_some() { "accuracy" } else { "r-squared" }, reading.score.clone())];
    others.extend(reading.calibrated.clone().map(|estimate| ("usable-calibrated", estimate)));
    others.extend(reading.fraction().map(|estimate| ("usable-fraction", estimate)));
    if let Some(given) = given {
        let baseline = probe.read(given.view(), &target, &split, seed)?;
        let joint = probe.read(concatenate(Axis(1), &[given.view(), x.view()])?.view(), &target, &split, seed)?;
        others.push(("usable-given", joint.beyond(&baseline)));
    }
    let mut all = object(reading.usable, &probe, &settings)?;
    for (name, estimate) in others {
        all[name] = short(&estimate);
    }
    Ok(all)
}

/// Test samples below the training ones.
fn below(x: &Array2<f64>, path: &Path, test: &Path) -> anyhow::Result<Array2<f64>> {
    let more = matrix(test)?;
    if more.ncols() != x.ncols() {
        bail!("`{}`: found {} columns, needed the {} of `{}`", test.display(), more.ncols(), x.ncols(), path.display());
    }
    Ok(concatenate(Axis(0), &[x.view(), more.view()])?)
}

/// The labels of a file: one for each row of another one.
fn target(path: &Path, kind: Option<ColumnKind>, (rows, other): (usize, &Path)) -> anyhow::Result<Target> {
    let description = Description { kind, ..Description::default() };
    let column = Column::read("labels", &read(path)?, &description)?;
    let known = column.known().len();
    let (target, all) = match column.labels {
        ColumnLabels::Classes { values, .. } => {
            let all: Array1<i64> = values.iter().flatten().copied().collect();
            (Target::Classes(Labels::new(all.view())), values.len())
        }
        ColumnLabels::Numbers(numbers) => (Target::Numbers(numbers.iter().flatten().copied().collect()), numbers.len()),
    };
    same_rows(path, all, other, rows)?;
    if known < all {
        bail!("`{}`: found {} rows without a label; leave them out of both files", path.display(), all - known);
    }
    Ok(target)
}

/// The labels of training and test samples, one after the other.
fn both(train: Target, test: Target) -> anyhow::Result<Target> {
    match (train, test) {
        (Target::Classes(train), Target::Classes(test)) => {
            let value =
                |labels: &Labels| labels.classes().iter().map(|&class| labels.names()[class]).collect::<Vec<_>>();
            Ok(Target::Classes(Labels::new(Array1::from([value(&train), value(&test)].concat()).view())))
        }
        (Target::Numbers(train), Target::Numbers(test)) => Ok(Target::Numbers([train, test].concat())),
        _ => bail!("found classes on one side and numbers on the other, needed the same on both"),
    }
}

/// An estimate beside another one of the same samples.
pub(super) fn short(estimate: &Estimate) -> Value {
    json!({
        "value": estimate.value,
        "unit": estimate.unit,
        "std_error": estimate.std_error,
        "flags": estimate.flags,
        "details": estimate.details,
    })
}

fn reconstruction(arguments: &ReconstructionArguments) -> anyhow::Result<Value> {
    let decoder: Decoder = toml_value("--decoder", &arguments.decoder)?;
    let x = matrix(&arguments.x)?;
    let target = flat(&arguments.target)?;
    same_rows(&arguments.target, target.nrows(), &arguments.x, x.nrows())?;
    let split = held_out(x.nrows(), &arguments.split)?;
    let decoded = decoder.decode(x.view(), target.view(), &split, arguments.split.seed)?;
    let unexplained = decoded.unexplained();
    let mut all = object(decoded.loss, &decoder, &split_settings(&arguments.split))?;
    if let Some(unexplained) = unexplained {
        all["fraction-unexplained"] = short(&unexplained);
    }
    Ok(all)
}

pub(super) fn object(estimate: Estimate, estimator: &impl Serialize, settings: &Value) -> anyhow::Result<Value> {
    if !estimate.value.is_finite() {
        bail!("the estimate is {}", estimate.value);
    }
    Ok(json!({
        "value": estimate.value,
        "unit": estimate.unit,
        "std_error": estimate.std_error,
        "interval": estimate.interval,
        "null": estimate.null,
        "n_samples": estimate.n_samples,
        "flags": estimate.flags,
        "estimator": estimator,
        "settings": settings,
        "details": estimate.details,
        "version": env!("CARGO_PKG_VERSION"),
    }))
}

pub(super) fn split_settings(arguments: &SplitArguments) -> Value {
    json!({ "held_out": arguments.held_out, "seed": arguments.seed })
}

pub(super) fn held_out(rows: usize, arguments: &SplitArguments) -> anyhow::Result<Split> {
    let ids: Vec<u64> = (0..rows as u64).collect();
    Ok(Split::by_id(&ids, arguments.held_out, arguments.seed)?)
}

/// A value in the TOML of pipeline files.
pub(super) fn toml_value<T: DeserializeOwned>(option: &str, text: &str) -> anyhow::Result<T> {
    #[derive(serde::Deserialize)]
    struct Wrapped<T> {
        value: T,
    }
    let wrapped: Wrapped<T> =
        toml::from_str(&format!("value = {text}")).with_context(|| format!("cannot read `{option} {text}`"))?;
    Ok(wrapped.value)
}

pub(super) fn matrix(path: &Path) -> anyhow::Result<Array2<f64>> {
    let matrix = read(path)?.matrix()?;
    finite("the array", matrix.view()).with_context(|| format!("`{}`", path.display()))?;
    Ok(matrix)
}

/// An array of any number of dimensions, flattened behind the first.
pub(super) fn flat(path: &Path) -> anyhow::Result<Array2<f64>> {
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

pub(super) fn integers(path: &Path, rows: usize, other: &Path) -> anyhow::Result<Vec<i64>> {
    let values = read(path)?.integers()?;
    same_rows(path, values.len(), other, rows)?;
    Ok(values)
}

pub(super) fn same_rows(path: &Path, found: usize, other: &Path, needed: usize) -> anyhow::Result<()> {
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
