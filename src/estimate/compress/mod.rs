//! Compression: a layer of many units as a few coordinates, which is what neighbor methods can handle.

mod autoencoder;
mod basis;
mod kernels;
mod krylov;
mod margins;
mod passes;
mod pca;
mod projection;
mod rough;

use ndarray::{Array1, Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use autoencoder::{Autoencoder, Layout};
pub use basis::{Axes, Basis};
pub use margins::{Margins, Rescaled};
pub use pca::Pca;
pub use projection::Projection;

use super::{Element, EstimateError};

/// How a layer is compressed before its information is estimated.
///
/// Information of a compressed layer is never more than that of the layer, and may be any part of it: what a
/// compression keeps is what varies most or is rebuilt best, not what informs.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Compression {
    /// Every unit is kept as it is.
    None {},
    /// The leading principal components.
    Pca(Pca),
    /// A few random directions.
    Projection(Projection),
    /// The code of a nonlinear autoencoder.
    Autoencoder(Autoencoder),
}

impl Default for Compression {
    fn default() -> Self {
        Self::None {}
    }
}

impl Compression {
    /// The compressed samples of a matrix with one row a sample; what is random is drawn by `seed`.
    ///
    /// # Errors
    ///
    /// Those of the method.
    pub fn compress<T: Element>(&self, matrix: ArrayView2<'_, T>, seed: u64) -> Result<Compressed, EstimateError> {
        match self {
            Self::None {} => Ok(Compressed {
                scores: matrix.mapv(Into::into),
                explained_variance_ratio: Vec::new(),
                rank: matrix.ncols(),
                means: Array1::zeros(0),
                axes: Array2::zeros((0, 0)),
                details: Map::new(),
            }),
            Self::Pca(pca) => pca.compress(matrix),
            Self::Projection(projection) => Ok(projection.compress(matrix, seed)),
            Self::Autoencoder(autoencoder) => autoencoder.compress(matrix, seed),
        }
    }

    /// The checkpoint that the coordinates of all others are taken from; none if each has its own.
    #[must_use]
    pub fn basis(&self) -> Option<(&Pca, &Basis)> {
        match self {
            Self::Pca(pca) if pca.basis != Basis::Own => Some((pca, &pca.basis)),
            _ => None,
        }
    }

    /// Whether these coordinates can be computed from those of another compression of the same layer, and are not the same.
    #[must_use]
    pub fn is_function_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None {}, _) => false,
            (_, Self::None {}) => true,
            (Self::Pca(own), Self::Pca(other)) => own.basis == other.basis && own.components < other.components,
            _ => false,
        }
    }

    /// The most coordinates that are left of so many units.
    #[must_use]
    pub fn components(&self, units: usize) -> usize {
        match self {
            Self::None {} => units,
            Self::Pca(pca) => pca.components.get().min(units),
            Self::Projection(projection) => projection.components.get().min(units),
            Self::Autoencoder(autoencoder) => autoencoder.components.get(),
        }
    }
}

/// Samples in fewer coordinates, and how they came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Compressed {
    /// The new coordinates, one row a sample; of linear methods `(matrix − means) · axesᵀ`.
    pub scores: Array2<f64>,
    /// The part of the total variance along each coordinate; empty where coordinates are no orthogonal directions.
    pub explained_variance_ratio: Vec<f64>,
    /// The number of coordinates: fewer than asked for if the matrix has a lower rank, 0 if it is constant.
    pub rank: usize,
    /// The mean of each unit that was subtracted; empty for methods that are not linear.
    pub means: Array1<f64>,
    /// The direction of each coordinate, one a row; empty for methods that are not linear.
    pub axes: Array2<f64>,
    /// What rows of a table say of it: explained variance, reconstruction error, ...
    pub details: Map<String, Value>,
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
        let pca = Compression::Pca(Pca { components: NonZeroUsize::new(4).unwrap(), basis: Basis::Own });
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
        let compressed = Compression::None {}.compress(matrix.view(), 0).unwrap();
        assert_eq!(compressed.scores, array![[1.0, 2.5], [3.0, -4.0]]);
        assert_eq!(compressed.rank, 2);
    }
}
