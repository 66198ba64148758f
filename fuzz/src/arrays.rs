//! What is done with an array that was read.

use crate::samples::Array;

/// Takes an array in every form that a run takes it in.
///
/// # Panics
///
/// When the forms do not agree.
pub fn look_at(array: &Array) {
    let rows = array.rows();
    let count: usize = array.values.shape().iter().product();
    assert!(array.values.bytes().len() >= count, "a byte a value at least");
    assert_eq!(array.rows_of_numbers().nrows(), rows);
    assert_eq!(
        array.values.first(rows.min(1)).shape().first(),
        array.values.shape().first().map(|&rows| rows.min(1)).as_ref()
    );
    if let Ok(matrix) = array.matrix() {
        assert_eq!(matrix.len(), count);
    }
    if let Ok(integers) = array.integers() {
        assert_eq!(integers.len(), rows);
    }
}
