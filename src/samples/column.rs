//! Columns of labels: classes or numbers, some of them missing, some derived from others.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Array, SamplesError};

/// One column of labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The name that measures use.
    pub name: String,
    /// What it says of each sample.
    pub labels: ColumnLabels,
}

/// What a column says of each sample; none where nobody knows.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnLabels {
    /// One of several classes.
    Classes {
        /// The value that stands for the class of each sample.
        values: Vec<Option<i64>>,
        /// The names of values that have one.
        names: BTreeMap<i64, String>,
    },
    /// A number on a scale.
    Numbers(Vec<Option<f64>>),
}

/// How a column is to be understood, in `[samples.columns]`; every key may be left out.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Description {
    /// The column that this one is derived from, by `classes` or by `edges`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The values of the other column that make up each class, in the order of the classes 0, 1, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<Vec<i64>>>,
    /// Increasing numbers that cut the other column into classes; a number that is an edge belongs to the upper class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edges: Option<Vec<f64>>,
    /// What people call the values: of 0, 1, ... as a list, of any values as a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names: Option<Names>,
    /// Values that mean that nobody knows; in a derived column, values of the other one. NaN always does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<i64>,
    /// `"classes"` or `"numbers"`; without it, integers are classes and floating-point values are numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<ColumnKind>,
}

/// Whether values are classes or numbers on a scale.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColumnKind {
    /// Each value is a class of its own.
    Classes,
    /// Values have distances.
    Numbers,
}

/// What people call the values of a column.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Names {
    /// The names of 0, 1, ...
    List(Vec<String>),
    /// The names of any values.
    Table(BTreeMap<String, String>),
}

impl Column {
    /// Understands an array as a column.
    ///
    /// # Errors
    ///
    /// [`SamplesError::Array`] for arrays that are no column, [`SamplesError::Column`] where the description does not
    /// fit what is there.
    pub fn read(name: &str, array: &Array, description: &Description) -> Result<Self, SamplesError> {
        let fail = |reason: String| SamplesError::Column { column: name.to_owned(), reason };
        for (key, given) in [("classes", description.classes.is_some()), ("edges", description.edges.is_some())] {
            if given {
                return Err(fail(format!(
                    "`{key}` derives a column from another one; say which with `from = \"...\"`"
                )));
            }
        }
        if description.kind.is_none() && array.values.is_float() && array.whole_numbers().is_ok() {
            return Err(fail(
                "found floating-point values that are all whole: classes, or numbers that happen to be whole? say \
                 `kind = \"classes\"` or `kind = \"numbers\"` in `[samples.columns]`; for `measure`, save integers, or \
                 say `--numbers`"
                    .to_owned(),
            ));
        }
        let as_numbers = description.kind.map_or(array.values.is_float(), |kind| kind == ColumnKind::Numbers);
        let is_missing = |value: i64| description.missing.contains(&value);
        if as_numbers {
            if description.names.is_some() {
                return Err(fail("numbers have no names; remove `names`, or say `kind = \"classes\"`".to_owned()));
            }
            let missing: Vec<f64> = description.missing.iter().map(|&value| value as f64).collect();
            let known = |value: f64| (!value.is_nan() && !missing.contains(&value)).then_some(value);
            let numbers: Vec<Option<f64>> = array.column()?.into_iter().map(known).collect();
            if let Some(row) = numbers.iter().position(|number| number.is_some_and(f64::is_infinite)) {
                return Err(fail(format!(
                    "found an infinity in row {row}, needed finite numbers, or NaN where missing"
                )));
            }
            return some(name, ColumnLabels::Numbers(numbers));
        }
        let values = if array.values.is_float() {
            array.whole_numbers()?
        } else {
            array.integers()?.into_iter().map(Some).collect()
        };
        let values: Vec<Option<i64>> =
            values.into_iter().map(|value| value.filter(|&value| !is_missing(value))).collect();
        classes(name, values, description.names.as_ref())
    }

    /// Derives a column from another one.
    ///
    /// # Errors
    ///
    /// [`SamplesError::Column`] where the description does not fit the other column, a value without a class among it.
    pub fn derive(name: &str, from: &Self, description: &Description) -> Result<Self, SamplesError> {
        let fail = |reason: String| SamplesError::Column { column: name.to_owned(), reason };
        let values = match (&from.labels, &description.classes, &description.edges) {
            (ColumnLabels::Classes { values, .. }, Some(classes), None) => {
                let class_of = |value: i64| -> Result<Option<i64>, SamplesError> {
                    if description.missing.contains(&value) {
                        return Ok(None);
                    }
                    let mut holding = (0..).zip(classes).filter(|(_, members)| members.contains(&value));
                    match (holding.next(), holding.next()) {
                        (Some((class, _)), None) => Ok(Some(class)),
                        (None, _) => Err(fail(format!(
                            "found value {value} of `{}` in no class, needed each in one; list it in `classes`, or in \
                             `missing` if its samples are to be left out",
                            from.name
                        ))),
                        (Some((first, _)), Some((second, _))) => Err(fail(format!(
                            "found value {value} of `{}` in the classes {first} and {second}, needed each in one",
                            from.name
                        ))),
                    }
                };
                let derived = values.iter().map(|value| value.map_or(Ok(None), class_of));
                derived.collect::<Result<Vec<_>, _>>()?
            }
            (ColumnLabels::Numbers(numbers), None, Some(edges)) => {
                if edges.is_empty()
                    || edges.iter().any(|edge| edge.is_nan())
                    || edges.windows(2).any(|pair| pair[0] >= pair[1])
                {
                    return Err(fail(format!("found the edges {edges:?}, needed increasing numbers, one at least")));
                }
                let class_of = |number: f64| edges.iter().filter(|&&edge| number >= edge).count();
                let missing: Vec<f64> = description.missing.iter().map(|&value| value as f64).collect();
                let known = |number: &Option<f64>| number.filter(|number| !missing.contains(number));
                numbers.iter().map(|number| known(number).and_then(|it| i64::try_from(class_of(it)).ok())).collect()
            }
            (ColumnLabels::Classes { .. }, ..) => {
                return Err(fail(format!(
                    "`{}` holds classes; derive from it with `classes = [[...], ...]` alone",
                    from.name
                )));
            }
            (ColumnLabels::Numbers(_), ..) => {
                return Err(fail(format!("`{}` holds numbers; derive from it with `edges = [...]` alone", from.name)));
            }
        };
        if description.kind.is_some() {
            return Err(fail("a derived column holds classes; remove `kind`".to_owned()));
        }
        classes(name, values, description.names.as_ref())
    }

    /// The rows whose label is known.
    #[must_use]
    pub fn known(&self) -> Vec<usize> {
        fn of<T>(values: &[Option<T>]) -> Vec<usize> {
            (0..values.len()).filter(|&row| values[row].is_some()).collect()
        }
        match &self.labels {
            ColumnLabels::Classes { values, .. } => of(values),
            ColumnLabels::Numbers(numbers) => of(numbers),
        }
    }

    /// What it says of the samples at some rows.
    pub(super) fn at(&self, rows: &[usize]) -> Self {
        fn of<T: Copy>(values: &[Option<T>], rows: &[usize]) -> Vec<Option<T>> {
            rows.iter().map(|&row| values[row]).collect()
        }
        let labels = match &self.labels {
            ColumnLabels::Classes { values, names } => {
                ColumnLabels::Classes { values: of(values, rows), names: names.clone() }
            }
            ColumnLabels::Numbers(numbers) => ColumnLabels::Numbers(of(numbers, rows)),
        };
        Self { name: self.name.clone(), labels }
    }

    /// Adds all that the column says to a hash.
    pub(super) fn hash(&self, hasher: &mut blake3::Hasher) {
        hasher.update(format!("{}\0", self.name).as_bytes());
        match &self.labels {
            ColumnLabels::Classes { values, names } => {
                hasher.update(format!("classes\0{names:?}\0").as_bytes());
                for value in values {
                    hasher.update(&[u8::from(value.is_some())]);
                    hasher.update(&value.unwrap_or_default().to_le_bytes());
                }
            }
            ColumnLabels::Numbers(numbers) => {
                hasher.update(b"numbers\0");
                for number in numbers {
                    hasher.update(&number.unwrap_or(f64::NAN).to_le_bytes());
                }
            }
        }
    }
}

impl Names {
    fn by_value(&self) -> Result<BTreeMap<i64, String>, String> {
        let named: Vec<(i64, &String)> = match self {
            Self::List(names) => (0..).zip(names).collect(),
            Self::Table(names) => {
                let parsed = names.iter().map(|(value, name)| {
                    let value =
                        value.parse().map_err(|_| format!("`names`: found `{value}`, needed a whole number"))?;
                    Ok((value, name))
                });
                parsed.collect::<Result<_, String>>()?
            }
        };
        let mut by_value = BTreeMap::new();
        for (value, name) in named {
            if let Some((other, _)) = by_value.iter().find(|(_, taken)| *taken == name) {
                return Err(format!("`names`: found `{name}` for both {other} and {value}, needed a name for each"));
            }
            by_value.insert(value, name.clone());
        }
        Ok(by_value)
    }
}

/// A column of classes, each of which has a name if any has.
fn classes(name: &str, values: Vec<Option<i64>>, described: Option<&Names>) -> Result<Column, SamplesError> {
    let fail = |reason: String| SamplesError::Column { column: name.to_owned(), reason };
    let names = described.map_or(Ok(BTreeMap::new()), Names::by_value).map_err(fail)?;
    if let Some(value) = values.iter().flatten().find(|value| !names.is_empty() && !names.contains_key(value)) {
        return Err(SamplesError::Column {
            column: name.to_owned(),
            reason: format!(
                "found the value {value}, which `names` does not name; name every value, or list it in `missing`"
            ),
        });
    }
    let least = values.iter().flatten().min();
    if let (Some(Names::List(list)), Some(&least @ 1..)) = (described, least) {
        return Err(SamplesError::Column {
            column: name.to_owned(),
            reason: format!(
                "`names` lists what 0 to {} are called, and found no 0: the least value is {least}; give names as a table, \
                 such as {{ {least} = \"{}\" }}",
                list.len().saturating_sub(1),
                list.first().map_or("", String::as_str)
            ),
        });
    }
    some(name, ColumnLabels::Classes { values, names })
}

/// A column that says something of one sample at least.
fn some(name: &str, labels: ColumnLabels) -> Result<Column, SamplesError> {
    let column = Column { name: name.to_owned(), labels };
    if column.known().is_empty() {
        return Err(SamplesError::Column {
            column: column.name,
            reason: "found no sample with a label, needed some; look at `missing`".to_owned(),
        });
    }
    Ok(column)
}
