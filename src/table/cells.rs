//! Fields of rows as columns: their types in the schema, and their values as `arrow` has them.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Float64Builder, Int64Array, ListBuilder, StringArray, StringBuilder,
    UInt64Array,
};

use serde::{Deserialize, Serialize};

use super::schema::{Column, Kind};

/// What the schema says of a field beside its type.
#[derive(Clone, Copy, Debug)]
pub(super) struct About {
    pub name: &'static str,
    pub meaning: &'static str,
    pub unit: Option<&'static str>,
    pub null: Option<&'static str>,
}

/// A type whose values fill one column, or several.
pub(super) trait Cells: Sized {
    /// What one row says, of a type of rows.
    const ABOUT: &'static str = "";

    /// The columns of a field.
    fn columns(about: About) -> Vec<Column>;

    /// The values of a field over all rows: an array for each column.
    fn arrays(values: &[&Self]) -> Vec<ArrayRef>;
}

/// The id of a sample: any unsigned number, such as a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct SampleId(pub u64);

/// Types that fill one column; all integers are signed in the tables, so that differences of counts, steps and places
/// are what they should be in SQL.
macro_rules! cells {
    ($($type:ty, $kind:ident, $array:ty, $value:expr;)+) => {$(
        impl Cells for $type {
            fn columns(about: About) -> Vec<Column> {
                vec![Column::new(about, Kind::$kind, false)]
            }

            fn arrays(values: &[&Self]) -> Vec<ArrayRef> {
                let value = $value;
                vec![Arc::new(values.iter().map(|&cell| Some(value(cell))).collect::<$array>())]
            }
        }

        impl Cells for Option<$type> {
            fn columns(about: About) -> Vec<Column> {
                vec![Column::new(about, Kind::$kind, true)]
            }

            fn arrays(values: &[&Self]) -> Vec<ArrayRef> {
                let value = $value;
                vec![Arc::new(values.iter().map(|cell| cell.as_ref().map(value)).collect::<$array>())]
            }
        }
    )+};
}

cells! {
    String, Text, StringArray, String::as_str;
    bool, Truth, BooleanArray, |truth: &bool| *truth;
    f64, Real, Float64Array, |number: &f64| *number;
    u32, Integer, Int64Array, |number: &u32| i64::from(*number);
    u64, Integer, Int64Array, |number: &u64| signed(*number);
    SampleId, Id, UInt64Array, |id: &SampleId| id.0;
}

/// Counts and steps as tables have them; a folder is not prepared for steps that do not fit.
fn signed(number: u64) -> i64 {
    i64::try_from(number).expect("counts fit into memory, seeds into TOML, and steps were checked")
}

impl Cells for Vec<String> {
    fn columns(about: About) -> Vec<Column> {
        vec![Column::new(about, Kind::Texts, false)]
    }

    fn arrays(values: &[&Self]) -> Vec<ArrayRef> {
        texts(values.iter().map(|&list| Some(list)))
    }
}

impl Cells for Option<Vec<String>> {
    fn columns(about: About) -> Vec<Column> {
        vec![Column::new(about, Kind::Texts, true)]
    }

    fn arrays(values: &[&Self]) -> Vec<ArrayRef> {
        texts(values.iter().map(|list| list.as_ref()))
    }
}

impl Cells for Option<Vec<f64>> {
    fn columns(about: About) -> Vec<Column> {
        vec![Column::new(about, Kind::Reals, true)]
    }

    fn arrays(values: &[&Self]) -> Vec<ArrayRef> {
        let mut list = ListBuilder::new(Float64Builder::new());
        for row in values {
            list.append_option(row.as_ref().map(|row| row.iter().copied().map(Some)));
        }
        vec![Arc::new(list.finish())]
    }
}

fn texts<'r>(values: impl Iterator<Item = Option<&'r Vec<String>>>) -> Vec<ArrayRef> {
    let mut list = ListBuilder::new(StringBuilder::new());
    for row in values {
        list.append_option(row.map(|row| row.iter().map(Some)));
    }
    vec![Arc::new(list.finish())]
}
