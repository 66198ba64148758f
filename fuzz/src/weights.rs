//! What every target does with a checkpoint that opened.

use crate::archive::Weights;

/// Looks at everything that a checkpoint tells of its tensors.
///
/// # Panics
///
/// When the tensors do not agree with what was said of them.
pub fn look_at(weights: &Weights) {
    assert_eq!(weights.tensors().count(), weights.len());
    let _ = weights.step();
    for tensor in weights.tensors() {
        let values = tensor.values();
        assert_eq!(tensor.kind().is_ok(), values.is_ok(), "only an unknown type hides values of a file");
        if let Ok(values) = values {
            let count: usize = tensor.shape.iter().product();
            assert_eq!(values.len(), count, "as many values as the shape says");
            assert_eq!(values.doubles().len(), count);
            assert_eq!(tensor.finite().is_ok(), values.first_not_finite().is_none());
        }
    }
    let names = || weights.tensors().map(|tensor| tensor.name);
    weights.hash(names()).expect("a mapped file can be hashed");
    weights.load(names()).expect("a mapped file is there");
}
