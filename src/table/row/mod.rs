//! What one row says. The order of the fields is the order of the columns.
//!
//! The doc comments are the documentation of the tables: `schema` reads them.

mod agreement;
mod binding;
mod checkpoint;
mod curve;
mod failure;
mod kept;
mod measurement;
mod typicality;
mod unit;

pub use agreement::AgreementRow;
pub use binding::BindingRow;
pub use checkpoint::CheckpointRow;
pub use curve::{CurveColumns, LagRow, PhaseRow};
pub use failure::FailureRow;
pub use kept::{PositionRow, SampleRow};
pub use measurement::MeasurementRow;
pub use typicality::TypicalityRow;
pub use unit::UnitRow;

use arrow::array::ArrayRef;

use super::cells::{About, Cells};
use super::schema::{Column, Parts};

/// Rows of a table.
pub(super) trait Rows: Cells + Sized {
    /// The name of the table.
    const TABLE: &'static str;
    /// How the table is cut into parts.
    const PARTS: Parts;

    /// The columns that lie in the file.
    fn file_columns() -> Vec<Column> {
        <Self as Cells>::columns(About { name: Self::TABLE, meaning: Self::ABOUT, unit: None, null: None })
    }

    /// The rows as columns.
    fn file_arrays(rows: &[Self]) -> Vec<ArrayRef> {
        <Self as Cells>::arrays(&rows.iter().collect::<Vec<_>>())
    }
}

/// Declares a type of rows, and with it columns: each field with its meaning, unit, and what a null says.
///
/// A field whose type is such a type itself stands for all columns of that.
macro_rules! rows {
    (
        $(#[doc = $about:literal])+
        $(#[table($table:literal, $parts:ident)])?
        $(#[derive($($derive:ident),+)])?
        pub struct $row:ident {
            $(
                $(#[doc = $meaning:literal])+
                $(#[unit = $unit:literal])?
                $(#[null = $null:literal])?
                pub $name:ident: $kind:ty,
            )+
        }
    ) => {
        $(#[doc = $about])+
        $(#[derive($($derive),+)])?
        #[derive(Clone, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
        pub struct $row {
            $(
                $(#[doc = $meaning])+
                pub $name: $kind,
            )+
        }

        impl $crate::table::cells::Cells for $row {
            const ABOUT: &'static str = concat!($($about),+);

            fn columns(_: $crate::table::cells::About) -> Vec<$crate::table::schema::Column> {
                let columns = [$(
                    <$kind as $crate::table::cells::Cells>::columns($crate::table::cells::About {
                        name: stringify!($name),
                        meaning: concat!($($meaning),+),
                        unit: None$(.or(Some($unit)))?,
                        null: None$(.or(Some($null)))?,
                    }),
                )+];
                columns.concat()
            }

            fn arrays(rows: &[&Self]) -> Vec<arrow::array::ArrayRef> {
                let arrays = [$(
                    <$kind as $crate::table::cells::Cells>::arrays(
                        &rows.iter().map(|row| &row.$name).collect::<Vec<_>>(),
                    ),
                )+];
                arrays.concat()
            }
        }

        $(
            impl $crate::table::row::Rows for $row {
                const TABLE: &'static str = $table;
                const PARTS: $crate::table::schema::Parts = $crate::table::schema::Parts::$parts;
            }
        )?
    };
}

use rows;
