//! Inputs, labels and ids that belong together, checked once.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::{Array, Column, Description, SamplesError, Source, Values};

/// The fixed evaluation samples of a run.
#[derive(Clone, Debug)]
pub struct Samples {
    /// The inputs of the graph, in name order.
    pub inputs: Vec<Input>,
    /// The label columns, in name order.
    pub labels: Vec<Column>,
    /// An id for each sample: the same sample has the same id in every run.
    pub ids: Vec<u64>,
}

/// One input of the graph: an array with one row a sample.
#[derive(Clone, Debug)]
pub struct Input {
    /// The graph's name for it, or none when the graph has a single input.
    pub name: Option<String>,
    /// The values, samples along the first axis.
    pub array: Array,
}

impl Samples {
    /// Reads inputs, labels and ids, and checks that they have the same rows and that inputs are finite.
    ///
    /// Without `ids` the row number is the id.
    ///
    /// # Errors
    ///
    /// [`SamplesError`] names the array at fault.
    pub fn read(
        folder: &Path,
        inputs: &Source,
        labels: Option<&Source>,
        ids: Option<&Source>,
        descriptions: &BTreeMap<String, Description>,
    ) -> Result<Self, SamplesError> {
        let inputs: Vec<Input> = inputs.read(folder)?.into_iter().map(|(name, array)| Input { name, array }).collect();
        let first = inputs.first().map(|input| input.array.clone()).ok_or_else(|| SamplesError::Array {
            array: "inputs".to_owned(),
            reason: "found an archive without arrays; needed one at least".to_owned(),
        })?;
        let rows = first.rows();
        if rows == 0 {
            return Err(first.fail("found no rows; needed one a sample".to_owned()));
        }
        let check = |array: &Array| match array.rows() {
            found if found == rows => Ok(()),
            found => {
                Err(SamplesError::Length { array: array.name.clone(), found, needed: rows, other: first.name.clone() })
            }
        };
        for input in &inputs {
            check(&input.array)?;
            check_finite(&input.array)?;
        }
        let mut columns = BTreeMap::new();
        for (name, array) in labels.map_or(Ok(Vec::new()), |labels| labels.read(folder))? {
            check(&array)?;
            columns.insert(name.unwrap_or_else(|| "label".to_owned()), array);
        }
        let labels = described(&columns, descriptions)?;
        let ids = match ids.map(|ids| ids.read(folder)).transpose()? {
            None => (0..rows as u64).collect(),
            Some(arrays) => {
                let [(_, array)] = &arrays[..] else {
                    return Err(first.fail(format!(
                        "`ids`: found {} arrays, needed one; name it like `file.npz#ids`",
                        arrays.len()
                    )));
                };
                check(array)?;
                unique(array)?
            }
        };
        Ok(Self { inputs, labels, ids })
    }

    /// The number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Never true: an archive without samples is refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The first samples alone, at most this many.
    #[must_use]
    pub fn first(&self, rows: usize) -> Self {
        let rows = rows.min(self.len());
        let first = |input: &Input| {
            let array = Array { name: input.array.name.clone(), values: input.array.values.first(rows) };
            Input { name: input.name.clone(), array }
        };
        Self { inputs: self.inputs.iter().map(first).collect(), labels: Vec::new(), ids: self.ids[..rows].to_vec() }
    }

    /// The samples at some rows.
    #[must_use]
    pub fn at(&self, rows: &[usize]) -> Self {
        let at = |input: &Input| {
            let array = Array { name: input.array.name.clone(), values: input.array.values.at(rows) };
            Input { name: input.name.clone(), array }
        };
        Self {
            inputs: self.inputs.iter().map(at).collect(),
            labels: self.labels.iter().map(|column| column.at(rows)).collect(),
            ids: rows.iter().map(|&row| self.ids[row]).collect(),
        }
    }

    /// The number of samples whose inputs are those of an earlier one.
    #[must_use]
    pub fn repeated(&self) -> usize {
        let mut seen = HashSet::with_capacity(self.len());
        let hash = |row: usize| {
            let mut hasher = blake3::Hasher::new();
            for input in &self.inputs {
                let bytes = input.array.values.bytes();
                let width = bytes.len() / self.len();
                hasher.update(&bytes[row * width..(row + 1) * width]);
            }
            hasher.finalize()
        };
        (0..self.len()).filter(|&row| !seen.insert(hash(row))).count()
    }

    /// A hash of all inputs, labels and ids.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for input in &self.inputs {
            let values = &input.array.values;
            hasher.update(format!("{:?}\0{}\0{:?}\0", input.name, values.type_name(), values.shape()).as_bytes());
            hasher.update(values.bytes());
        }
        for column in &self.labels {
            column.hash(&mut hasher);
        }
        hasher.update(bytemuck::cast_slice(&self.ids));
        hasher.finalize().to_hex().to_string()
    }
}

/// The columns of the files as they are described, and those that are derived from them, in name order.
fn described(
    arrays: &BTreeMap<String, Array>,
    descriptions: &BTreeMap<String, Description>,
) -> Result<Vec<Column>, SamplesError> {
    let plain = Description::default();
    let mut columns = BTreeMap::new();
    for (name, array) in arrays {
        let description = descriptions.get(name).unwrap_or(&plain);
        if description.from.is_some() {
            let reason = "a file holds this column, and `from` derives it; rename one of them".to_owned();
            return Err(SamplesError::Column { column: name.clone(), reason });
        }
        columns.insert(name.clone(), Column::read(name, array, description)?);
    }
    let mut derived = Vec::new();
    for (name, description) in descriptions.iter().filter(|(name, _)| !arrays.contains_key(*name)) {
        let from = description.from.as_ref().unwrap_or(name);
        let from = columns.get(from).ok_or_else(|| SamplesError::Column {
            column: name.clone(),
            reason: format!(
                "found no file for column `{from}`, needed one of: {}; see `[samples] labels`",
                arrays.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
            ),
        })?;
        derived.push(Column::derive(name, from, description)?);
    }
    columns.extend(derived.into_iter().map(|column| (column.name.clone(), column)));
    Ok(columns.into_values().collect())
}

fn unique(array: &Array) -> Result<Vec<u64>, SamplesError> {
    let ids = array.integers()?;
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(SamplesError::DuplicateId { array: array.name.clone(), id: pair[0] });
    }
    let positive = |id: i64| {
        u64::try_from(id)
            .map_err(|_| array.fail(format!("found the id {id}, needed whole numbers from 0; add a constant")))
    };
    ids.into_iter().map(positive).collect()
}

fn check_finite(array: &Array) -> Result<(), SamplesError> {
    let found = match &array.values {
        Values::F64(values) => values.iter().position(|value| !value.is_finite()),
        Values::F32(values) => values.iter().position(|value| !value.is_finite()),
        Values::F16(values) => values.iter().position(|value| !value.is_finite()),
        _ => None,
    };
    match found {
        None => Ok(()),
        Some(element) => {
            let row = element * array.rows() / array.values.shape().iter().product::<usize>().max(1);
            Err(array.fail(format!(
                "found NaN or an infinity in row {row}; needed finite inputs; drop or repair the sample"
            )))
        }
    }
}
