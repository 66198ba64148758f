//! Rows as a Parquet file, and what the metadata of one say.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::provenance::{CHECKPOINT, FAILED, IDENTITY, PLAN, RETRY, SCHEMA};
use super::row::Rows;
use super::schema::{Column, Kind, SCHEMA_VERSION};
use super::{Origin, Provenance, TableError};

/// Fewer rows than this are not compressed: it saves little, and a column of thousands of small files each takes a compressor
/// and a decompressor of its own, which takes longer than all else of reading it.
const FEW: usize = 1_000;

/// Rows that are kept in memory until they are written, and that a reader takes at a time.
const ROW_GROUP: usize = 1 << 17;

/// How rows are compressed, where there are many.
pub(super) fn compressed() -> Compression {
    Compression::ZSTD(ZstdLevel::default())
}

/// Writes the rows of a checkpoint: the same rows and provenance give the same bytes.
pub(super) fn write<R: Rows>(
    file: impl Write + Send,
    path: &Path,
    rows: &[R],
    origin: &Origin,
    provenance: Option<&Provenance>,
) -> Result<(), TableError> {
    let schema = schema(&R::file_columns());
    let batch = RecordBatch::try_new(Arc::clone(&schema), R::file_arrays(rows)).map_err(|error| encode(path, error))?;
    let mut pairs = origin.pairs();
    pairs.extend(provenance.into_iter().flat_map(Provenance::pairs));
    let compression = if rows.len() < FEW { Compression::UNCOMPRESSED } else { compressed() };
    let mut writer = open(file, path, R::TABLE, schema, pairs, compression)?;
    let written = writer.write(&batch).and_then(|()| writer.close());
    written.map(drop).map_err(|error| failed(path, error))
}

/// A writer of a table, with what belongs into the metadata of all of them.
pub(super) fn open<W: Write + Send>(
    file: W,
    path: &Path,
    table: &str,
    schema: SchemaRef,
    pairs: Vec<(&'static str, String)>,
    compression: Compression,
) -> Result<ArrowWriter<W>, TableError> {
    let own = [
        ("infoplane.table", table.to_owned()),
        (SCHEMA, SCHEMA_VERSION.to_owned()),
        ("infoplane.version", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    let pairs = own.into_iter().chain(pairs).map(|(key, value)| pair(key, value));
    let properties = WriterProperties::builder()
        .set_created_by(concat!("infoplane ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(compression)
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .set_key_value_metadata(Some(pairs.collect()))
        .build();
    ArrowWriter::try_new(file, schema, Some(properties)).map_err(|error| failed(path, error))
}

/// Something that the metadata of a file say.
pub(super) fn pair(key: &str, value: String) -> KeyValue {
    KeyValue::new(key.to_owned(), value)
}

/// Columns as Arrow has them.
pub(super) fn schema(columns: &[Column]) -> SchemaRef {
    let field = |column: &Column| {
        let kind = match column.kind {
            Kind::Text => DataType::Utf8,
            Kind::Texts => DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))),
            Kind::Real => DataType::Float64,
            Kind::Reals => DataType::List(Arc::new(Field::new("item", DataType::Float64, true))),
            Kind::Integer => DataType::Int64,
            Kind::Id => DataType::UInt64,
            Kind::Truth => DataType::Boolean,
        };
        Field::new(column.name, kind, column.null.is_some())
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// A failure to write; a full disk is the disk's fault, not the rows'.
pub(super) fn failed(path: &Path, error: ParquetError) -> TableError {
    match error {
        ParquetError::External(source) => TableError::Write { path: path.to_owned(), source: io::Error::other(source) },
        other => encode(path, other),
    }
}

pub(super) fn encode(path: &Path, error: impl ToString) -> TableError {
    TableError::Encode { path: path.to_owned(), reason: error.to_string() }
}

/// What the metadata of a whole part say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub plan: String,
    pub identity: String,
    pub checkpoint: Option<String>,
    pub failed_rows: usize,
    pub retry: bool,
}

impl Found {
    /// What they say of a part of a checkpoint; none if they are none of one.
    pub(super) fn of(words: &Words) -> Option<Self> {
        Some(Self {
            plan: words.get(PLAN)?,
            identity: words.get(IDENTITY)?,
            checkpoint: words.get(CHECKPOINT),
            failed_rows: words.get(FAILED)?.parse().ok()?,
            retry: words.get(RETRY)?.parse().ok()?,
        })
    }
}

/// What the metadata of a whole file say, by name.
#[derive(Clone, Debug)]
pub(super) struct Words(Vec<KeyValue>);

impl Words {
    /// What the metadata of an open file say.
    pub(super) fn of(metadata: &ParquetMetaData) -> Self {
        Self(metadata.file_metadata().key_value_metadata().cloned().unwrap_or_default())
    }

    fn get(&self, key: &str) -> Option<String> {
        self.0.iter().find(|pair| pair.key == key)?.value.clone()
    }

    /// The plan that the file was made by.
    pub(super) fn plan(&self) -> Option<String> {
        self.get(PLAN)
    }

    /// The version of its columns.
    pub(super) fn schema(&self) -> Option<String> {
        self.get(SCHEMA)
    }
}

/// The words of a file; none if it is not whole.
///
/// # Errors
///
/// What the system says when it cannot be read.
pub(super) fn words_of_file(file: File) -> io::Result<Option<Words>> {
    match ParquetMetaDataReader::new().parse_and_finish(&file) {
        Ok(metadata) => Ok(Some(Words::of(&metadata))),
        Err(ParquetError::External(error)) => match error.downcast::<io::Error>() {
            // The reader says so of a file that is too short.
            Ok(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(*error),
            _ => Ok(None),
        },
        Err(_) => Ok(None),
    }
}

/// The words of a file of `size` bytes, of which these are the last ones; none if it is not whole.
///
/// # Errors
///
/// How many of the last bytes are needed.
pub(super) fn words_of_tail(tail: &Bytes, size: u64) -> Result<Option<Words>, u64> {
    let mut reader = ParquetMetaDataReader::new();
    match reader.try_parse_sized(tail, size) {
        Ok(()) => Ok(reader.finish().ok().map(|metadata| Words::of(&metadata))),
        Err(ParquetError::NeedMoreData(needed)) if (tail.len() as u64) < size => Err(needed as u64),
        Err(_) => Ok(None),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::row::{
        AgreementRow, BindingRow, CheckpointRow, FailureRow, LagRow, MeasurementRow, PhaseRow, PositionRow, SampleRow,
        TypicalityRow, UnitRow,
    };

    #[track_caller]
    fn has_the_types_of_its_schema<R: Rows>() {
        let arrays = R::file_arrays(&[]);
        RecordBatch::try_new(schema(&R::file_columns()), arrays).unwrap();
    }

    #[test]
    fn every_table_has_the_types_of_its_schema() {
        has_the_types_of_its_schema::<MeasurementRow>();
        has_the_types_of_its_schema::<CheckpointRow>();
        has_the_types_of_its_schema::<FailureRow>();
        has_the_types_of_its_schema::<BindingRow>();
        has_the_types_of_its_schema::<SampleRow>();
        has_the_types_of_its_schema::<PositionRow>();
        has_the_types_of_its_schema::<TypicalityRow>();
        has_the_types_of_its_schema::<AgreementRow>();
        has_the_types_of_its_schema::<PhaseRow>();
        has_the_types_of_its_schema::<LagRow>();
        has_the_types_of_its_schema::<UnitRow>();
    }
}
