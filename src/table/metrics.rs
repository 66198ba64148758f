//! What units took, below `metrics`: apart from the results, since it is not the same from run to run.

use super::put::When;
use super::row::Rows;
use super::schema::{Parts, tables};
use super::{Folder, TableError, UnitRow, part};

impl Folder {
    /// Writes what the units of one process took, in place of what it wrote before.
    ///
    /// # Errors
    ///
    /// [`TableError::Write`], [`TableError::Store`], [`TableError::Encode`].
    pub fn write_metrics(&self, process: &str, rows: &[UnitRow]) -> Result<(), TableError> {
        let path = self.table(UnitRow::TABLE).join(format!("{process}.parquet"));
        let mut bytes = Vec::new();
        part::write(&mut bytes, &path, rows, self.origin()?, None)?;
        self.put(&path, &bytes.into(), &When::Always).map(drop)
    }

    /// The names of its tables with one part a process.
    pub fn tables_of_processes(&self) -> impl Iterator<Item = &'static str> {
        let all = tables().into_iter().filter(|table| table.parts == Parts::Process).map(|table| table.name);
        all.filter(|table| self.table(table).is_dir())
    }
}
