//! Compression: a layer of many units as a few coordinates, which is what neighbor methods can handle.

mod krylov;
mod margins;
mod pca;

use ndarray::{Array1, Array2, ArrayView2};
use serde::{Deserialize, Serialize};

pub use margins::{Margins, Rescaled};
pub use pca::Pca;

use super::{Element, EstimateError};

/// How a layer is compressed before its information is estimated.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Compression {
    /// Every unit is kept as it is.
    None {},
    /// The leading principal components.
    Pca(Pca),
}

impl Default for Compression {
    fn default() -> Self {
        Self::None {}
    }
}

impl Compression {
    /// The compressed samples of a matrix with one row a sample.
    ///
    /// # Errors
    ///
    /// Those of the method.
    pub fn compress<T: Element>(&self, matrix: ArrayView2<'_, T>) -> Result<Compressed, EstimateError> {
        match self {
            Self::None {} => Ok(Compressed {
                scores: matrix.mapv(Into::into),
                explained_variance_ratio: Vec::new(),
                rank: matrix.ncols(),
                means: Array1::zeros(0),
                axes: Array2::zeros((0, 0)),
            }),
            Self::Pca(pca) => pca.compress(matrix),
        }
    }
}

/// Samples in fewer coordinates, and how they came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Compressed {
    /// The new coordinates, one row a sample: `(matrix − means) · axesᵀ`.
    pub scores: Array2<f64>,
    /// The part of the total variance along each coordinate; empty when nothing was compressed.
    pub explained_variance_ratio: Vec<f64>,
    /// The number of coordinates: fewer than asked for if the matrix has a lower rank, 0 if it is constant.
    pub rank: usize,
    /// The mean of each unit that was subtracted.
    pub means: Array1<f64>,
    /// The direction of each coordinate, one a row, of length one.
    pub axes: Array2<f64>,
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use ndarray::array;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct File {
        compression: Compression,
    }

    fn parsed(text: &str) -> Result<Compression, toml::de::Error> {
        toml::from_str::<File>(text).map(|file| file.compression)
    }

    #[test]
    fn reads_the_spelling_of_pipeline_files() {
        assert_eq!(parsed("compression = { none = {} }").unwrap(), Compression::None {});
        let pca = Compression::Pca(Pca { components: NonZeroUsize::new(4).unwrap() });
        assert_eq!(parsed("compression = { pca = { components = 4 } }").unwrap(), pca);
    }

    #[test]
    fn refuses_unknown_and_impossible_settings() {
        for text in ["none = { components = 4 }", "pca = { components = 0 }", "pca = {}", "pca = { component = 4 }"] {
            assert!(parsed(&format!("compression = {{ {text} }}")).is_err(), "{text}");
        }
    }

    #[test]
    fn none_keeps_every_value() {
        let matrix = array![[1.0_f32, 2.5], [3.0, -4.0]];
        let compressed = Compression::None {}.compress(matrix.view()).unwrap();
        assert_eq!(compressed.scores, array![[1.0, 2.5], [3.0, -4.0]]);
        assert_eq!(compressed.rank, 2);
    }
}
