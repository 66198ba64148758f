//! Rows as a Parquet file: the only file that names `arrow` and `parquet`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, ListBuilder, RecordBatch, StringArray, StringBuilder, UInt32Array,
    UInt64Array,
};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::{CheckpointRow, CurveColumns, LagRow, MeasurementRow, PhaseRow, PositionRow, SampleRow, TableError};

/// The version of the columns, in the metadata of every part.
pub const SCHEMA_VERSION: &str = "4";

const IDENTITY: &str = "infoplane.identity";
pub(super) const PLAN: &str = "infoplane.plan";
/// The pipeline file with every default filled in, in the metadata of every part.
pub(super) const PIPELINE: &str = "infoplane.pipeline";
const FAILED: &str = "infoplane.failed";
const RETRY: &str = "infoplane.retry";

/// Where a part comes from: written into its metadata, so that any part can be traced and rerun.
#[derive(Clone, Debug)]
pub struct Provenance {
    /// The hash of everything that the part depends on.
    pub identity: String,
    /// The hash of the plan.
    pub plan: String,
    /// The pipeline file with every default filled in.
    pub pipeline: String,
    /// The version of ONNX Runtime.
    pub runtime: String,
    /// Who feeds whom on what evidence, and the proof, as JSON.
    pub binding: String,
    /// How many rows of the checkpoint have no value, so that a rerun that keeps it can still tell.
    pub failed_rows: usize,
    /// Whether the checkpoint failed as a whole: the machine may have been at fault, so that a rerun tries again.
    pub retry: bool,
}

/// A column under construction: its field and its values.
type Column = (Field, ArrayRef);

/// Rows that can become a part.
pub(super) trait Rows {
    /// The table that they belong to.
    const TABLE: &'static str;

    /// The rows as columns.
    fn columns(rows: &[Self]) -> Vec<Column>
    where
        Self: Sized;
}

impl Rows for MeasurementRow {
    const TABLE: &'static str = "measurements";

    fn columns(rows: &[Self]) -> Vec<Column> {
        vec![
            text("run", rows.iter().map(|row| Some(&row.run)), false),
            text("file", rows.iter().map(|row| Some(&row.file)), false),
            text("tap", rows.iter().map(|row| Some(&row.tap)), false),
            place("tap_index", rows.iter().map(|row| row.tap_index)),
            text("measure", rows.iter().map(|row| Some(&row.measure)), false),
            text("variable", rows.iter().map(|row| Some(&row.variable)), false),
            text("given", rows.iter().map(|row| row.given.as_ref()), true),
            text("class", rows.iter().map(|row| row.class.as_ref()), true),
            text("estimator", rows.iter().map(|row| Some(&row.estimator)), false),
            text("compression", rows.iter().map(|row| Some(&row.compression)), false),
            text("parameters", rows.iter().map(|row| Some(&row.parameters)), false),
            text("unit", rows.iter().map(|row| Some(&row.unit)), false),
            real("value", rows.iter().map(|row| row.value)),
            real("std_error", rows.iter().map(|row| row.std_error)),
            real("interval_low", rows.iter().map(|row| row.interval_low)),
            real("interval_high", rows.iter().map(|row| row.interval_high)),
            real("null_mean", rows.iter().map(|row| row.null_mean)),
            real("null_high", rows.iter().map(|row| row.null_high)),
            real("p_value", rows.iter().map(|row| row.p_value)),
            count("n_samples", rows.iter().map(|row| row.n_samples)),
            count("n_train", rows.iter().map(|row| row.n_train)),
            count("n_units", rows.iter().map(|row| row.n_units)),
            count("n_components", rows.iter().map(|row| row.n_components)),
            count("seed", rows.iter().map(|row| Some(row.seed))),
            texts("flags", rows.iter().map(|row| Some(&row.flags)), false),
            text("details", rows.iter().map(|row| Some(&row.details)), false),
            text("error", rows.iter().map(|row| row.error.as_ref()), true),
        ]
    }
}

impl Rows for CheckpointRow {
    const TABLE: &'static str = "checkpoints";

    fn columns(rows: &[Self]) -> Vec<Column> {
        vec![
            text("run", rows.iter().map(|row| Some(&row.run)), false),
            text("file", rows.iter().map(|row| Some(&row.file)), false),
            text("hash", rows.iter().map(|row| row.hash.as_ref()), true),
            real("loss", rows.iter().map(|row| row.loss)),
            real("accuracy", rows.iter().map(|row| row.accuracy)),
            real("recorded_loss", rows.iter().map(|row| row.recorded_loss)),
            real("recorded_difference", rows.iter().map(|row| row.recorded_difference)),
            count("n_samples", rows.iter().map(|row| Some(row.n_samples))),
            count("n_tensors", rows.iter().map(|row| row.n_tensors)),
            texts("unchanged", rows.iter().map(|row| row.unchanged.as_ref()), true),
            texts("flags", rows.iter().map(|row| Some(&row.flags)), false),
            text("error", rows.iter().map(|row| row.error.as_ref()), true),
        ]
    }
}

impl Rows for SampleRow {
    const TABLE: &'static str = "samples";

    fn columns(rows: &[Self]) -> Vec<Column> {
        vec![
            text("run", rows.iter().map(|row| Some(&row.run)), false),
            text("file", rows.iter().map(|row| Some(&row.file)), false),
            text("tap", rows.iter().map(|row| Some(&row.tap)), false),
            place("tap_index", rows.iter().map(|row| row.tap_index)),
            text("measure", rows.iter().map(|row| Some(&row.measure)), false),
            text("variable", rows.iter().map(|row| Some(&row.variable)), false),
            text("given", rows.iter().map(|row| row.given.as_ref()), true),
            text("estimator", rows.iter().map(|row| Some(&row.estimator)), false),
            text("parameters", rows.iter().map(|row| Some(&row.parameters)), false),
            count("sample", rows.iter().map(|row| Some(row.sample))),
            text("label", rows.iter().map(|row| Some(&row.label)), false),
            text("predicted", rows.iter().map(|row| row.predicted.as_ref()), true),
            real("value", rows.iter().map(|row| Some(row.value))),
        ]
    }
}

impl Rows for PositionRow {
    const TABLE: &'static str = "positions";

    fn columns(rows: &[Self]) -> Vec<Column> {
        vec![
            text("run", rows.iter().map(|row| Some(&row.run)), false),
            text("file", rows.iter().map(|row| Some(&row.file)), false),
            text("tap", rows.iter().map(|row| Some(&row.tap)), false),
            place("tap_index", rows.iter().map(|row| row.tap_index)),
            text("variable", rows.iter().map(|row| Some(&row.variable)), false),
            text("estimator", rows.iter().map(|row| Some(&row.estimator)), false),
            text("parameters", rows.iter().map(|row| Some(&row.parameters)), false),
            place("position", rows.iter().map(|row| row.position)),
            count("sample", rows.iter().map(|row| row.sample)),
            real("target", rows.iter().map(|row| row.target)),
            real("rebuilt", rows.iter().map(|row| row.rebuilt)),
            real("value", rows.iter().map(|row| Some(row.value))),
            real("mean_predictor", rows.iter().map(|row| Some(row.mean_predictor))),
        ]
    }
}

impl Rows for PhaseRow {
    const TABLE: &'static str = "phases";

    fn columns(rows: &[Self]) -> Vec<Column> {
        let mut columns = curves(&rows.iter().map(|row| &row.curve).collect::<Vec<_>>());
        columns.extend([
            text("phase", rows.iter().map(|row| Some(&row.phase)), false),
            count("from_step", rows.iter().map(|row| Some(row.from_step))),
            count("to_step", rows.iter().map(|row| Some(row.to_step))),
            count("from_earliest", rows.iter().map(|row| row.from_earliest)),
            count("from_latest", rows.iter().map(|row| row.from_latest)),
            truth("resolved", rows.iter().map(|row| row.resolved)),
            text("method", rows.iter().map(|row| Some(&row.method)), false),
            text("settings", rows.iter().map(|row| Some(&row.settings)), false),
            count("n_checkpoints", rows.iter().map(|row| Some(row.n_checkpoints))),
        ]);
        columns
    }
}

impl Rows for LagRow {
    const TABLE: &'static str = "lags";

    fn columns(rows: &[Self]) -> Vec<Column> {
        let mut columns = curves(&rows.iter().map(|row| &row.curve).collect::<Vec<_>>());
        columns.extend([
            text("other_tap", rows.iter().map(|row| row.other_tap.as_ref()), true),
            text("other_measure", rows.iter().map(|row| Some(&row.other_measure)), false),
            text("other_variable", rows.iter().map(|row| row.other_variable.as_ref()), true),
            text("other_parameters", rows.iter().map(|row| row.other_parameters.as_ref()), true),
            text("event", rows.iter().map(|row| Some(&row.event)), false),
            count("step", rows.iter().map(|row| Some(row.step))),
            count("other_step", rows.iter().map(|row| Some(row.other_step))),
            real("octaves", rows.iter().map(|row| Some(row.octaves))),
            real("octaves_low", rows.iter().map(|row| row.octaves_low)),
            real("octaves_high", rows.iter().map(|row| row.octaves_high)),
            text("came", rows.iter().map(|row| row.order.as_ref()), true),
            text("settings", rows.iter().map(|row| Some(&row.settings)), false),
        ]);
        columns
    }
}

/// Which curve a row is about.
fn curves(rows: &[&CurveColumns]) -> Vec<Column> {
    vec![
        text("run", rows.iter().map(|row| Some(&row.run)), false),
        text("tap", rows.iter().map(|row| row.tap.as_ref()), true),
        count("tap_index", rows.iter().map(|row| row.tap_index)),
        text("measure", rows.iter().map(|row| Some(&row.measure)), false),
        text("variable", rows.iter().map(|row| row.variable.as_ref()), true),
        text("given", rows.iter().map(|row| row.given.as_ref()), true),
        text("class", rows.iter().map(|row| row.class.as_ref()), true),
        text("estimator", rows.iter().map(|row| row.estimator.as_ref()), true),
        text("parameters", rows.iter().map(|row| row.parameters.as_ref()), true),
    ]
}

/// Writes the rows of a checkpoint as a Parquet file: the same rows and provenance give the same bytes.
pub(super) fn write<R: Rows>(
    file: impl Write + Send,
    path: &Path,
    rows: &[R],
    provenance: &Provenance,
) -> Result<(), TableError> {
    let failed_rows = provenance.failed_rows.to_string();
    let retry = provenance.retry.to_string();
    let pairs: [(&str, &str); 7] = [
        (IDENTITY, &provenance.identity),
        (FAILED, &failed_rows),
        (RETRY, &retry),
        (PLAN, &provenance.plan),
        (PIPELINE, &provenance.pipeline),
        ("infoplane.onnxruntime", &provenance.runtime),
        ("infoplane.binding", &provenance.binding),
    ];
    write_with(file, path, rows, &pairs)
}

/// Writes rows as a Parquet file with some words in its metadata.
pub(super) fn write_with<R: Rows>(
    file: impl Write + Send,
    path: &Path,
    rows: &[R],
    words: &[(&str, &str)],
) -> Result<(), TableError> {
    let fail = |reason: String| TableError::Encode { path: path.to_owned(), reason };
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = R::columns(rows).into_iter().unzip();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(|error| fail(error.to_string()))?;
    let own = [
        ("infoplane.table", R::TABLE),
        ("infoplane.schema", SCHEMA_VERSION),
        ("infoplane.version", env!("CARGO_PKG_VERSION")),
    ];
    let pairs = own.iter().chain(words).map(|&(key, value)| KeyValue::new(key.to_owned(), value.to_owned()));
    let pairs: Vec<KeyValue> = pairs.collect();
    let properties = WriterProperties::builder()
        .set_created_by(concat!("infoplane ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(Some(pairs))
        .build();
    let written = ArrowWriter::try_new(file, schema, Some(properties)).and_then(|mut writer| {
        writer.write(&batch)?;
        writer.close()
    });
    written.map(drop).map_err(|error| match error {
        // A full disk is the disk's fault, not the rows'.
        parquet::errors::ParquetError::External(source) => {
            TableError::Write { path: path.to_owned(), source: std::io::Error::other(source) }
        }
        other => fail(other.to_string()),
    })
}

/// What the metadata of a whole part say of it.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub identity: String,
    pub plan: String,
    pub failed_rows: usize,
    pub retry: bool,
}

/// Reads the metadata of a part; none if it is not there or not whole.
pub(super) fn find(path: &Path) -> Option<Found> {
    let reader = SerializedFileReader::new(File::open(path).ok()?).ok()?;
    let pairs = reader.metadata().file_metadata().key_value_metadata()?;
    let value = |key: &str| pairs.iter().find(|pair| pair.key == key)?.value.clone();
    Some(Found {
        identity: value(IDENTITY)?,
        plan: value(PLAN)?,
        failed_rows: value(FAILED)?.parse().ok()?,
        retry: value(RETRY)?.parse().ok()?,
    })
}

/// What the tool wrote into the metadata of a file, by name; nothing if it is not there or not whole.
pub(super) fn metadata(path: &Path) -> BTreeMap<String, String> {
    let reader = File::open(path).ok().and_then(|file| SerializedFileReader::new(file).ok());
    let pairs = reader.and_then(|reader| reader.metadata().file_metadata().key_value_metadata().cloned());
    let own = pairs.into_iter().flatten().filter_map(|pair| {
        let name = pair.key.strip_prefix("infoplane.")?.to_owned();
        Some((name, pair.value?))
    });
    own.collect()
}

fn text<'r>(name: &str, values: impl Iterator<Item = Option<&'r String>>, nullable: bool) -> Column {
    (Field::new(name, DataType::Utf8, nullable), Arc::new(values.collect::<StringArray>()))
}

fn place(name: &str, values: impl Iterator<Item = u32>) -> Column {
    (Field::new(name, DataType::UInt32, false), Arc::new(values.map(Some).collect::<UInt32Array>()))
}

fn real(name: &str, values: impl Iterator<Item = Option<f64>>) -> Column {
    (Field::new(name, DataType::Float64, true), Arc::new(values.collect::<Float64Array>()))
}

fn count(name: &str, values: impl Iterator<Item = Option<u64>>) -> Column {
    (Field::new(name, DataType::UInt64, true), Arc::new(values.collect::<UInt64Array>()))
}

fn truth(name: &str, values: impl Iterator<Item = Option<bool>>) -> Column {
    (Field::new(name, DataType::Boolean, true), Arc::new(values.collect::<BooleanArray>()))
}

fn texts<'r>(name: &str, values: impl Iterator<Item = Option<&'r Vec<String>>>, nullable: bool) -> Column {
    let mut list = ListBuilder::new(StringBuilder::new());
    for row in values {
        list.append_option(row.map(|row| row.iter().map(Some)));
    }
    let list = list.finish();
    let item = Arc::new(Field::new("item", DataType::Utf8, true));
    (Field::new(name, DataType::List(item), nullable), Arc::new(list))
}
