use std::num::NonZeroUsize;

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::{Compressed, passes};
use crate::estimate::columns::{self, Element};
use crate::estimate::random::SplitMix64;

/// A few random directions.
///
/// # Formula
///
/// ```text
/// scores (X − 1μᵀ) Gᵀ / √d      Gᵢⱼ standard normal, by the seed
/// ```
///
/// where d is the number of units, so that a coordinate has about the mean variance of a unit.
///
/// # Use
///
/// As a control of what the choice of directions does: it looks at nothing, so that it neither favors what varies
/// most nor turns from checkpoint to checkpoint. Each direction mixes all units: what few of them know is hidden
/// under the variance of the others.
///
/// # Cost
///
/// O(n d q) for q components.
///
/// # Reference
///
/// W. B. Johnson, J. Lindenstrauss, Extensions of Lipschitz mappings into a Hilbert space, Contemporary Mathematics 26,
/// 189 (1984), <https://doi.org/10.1090/conm/026/737400>.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Projection {
    /// The number of directions; at most as many as there are units.
    pub components: NonZeroUsize,
}

impl Projection {
    /// The scores of a matrix with one row a sample. The directions depend on the seed and the number of units alone.
    #[must_use]
    pub fn compress<T: Element>(&self, samples: ArrayView2<'_, T>, seed: u64) -> Compressed {
        let d = samples.ncols();
        let components = self.components.get().min(d);
        let mut random = SplitMix64::new(seed);
        let scale = 1.0 / (d as f64).sqrt();
        let axes = Array2::from_shape_simple_fn((components, d), || scale * random.normal_pair().0);
        let means = columns::moments(samples, None).means;
        let scores = passes::scores(samples, &means.to_vec(), axes.view());
        Compressed {
            scores,
            explained_variance_ratio: Vec::new(),
            rank: components,
            means,
            axes,
            details: serde_json::Map::new(),
        }
    }
}
