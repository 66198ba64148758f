//! Shapes that a graph computes: exporters write the number of samples into them.

use super::{Source, Translator};
use crate::graph::Node;

/// The number of samples in a shape, which is told apart from all sizes.
pub(super) const SAMPLES: i64 = i64::MIN;

/// A size that is not known before the graph runs.
const UNKNOWN: i64 = i64::MAX;

impl Translator<'_> {
    /// The shape that a node makes of others, where it makes one.
    pub(super) fn computed_shape(&self, node: &Node<'_>) -> Option<Vec<i64>> {
        let input = |place: usize| self.shape_named(node.inputs.get(place)?);
        match node.operator.as_str() {
            "Shape" => {
                let rank = self.rank(&node.inputs[0])?;
                let (start, end) = (node.integer("start").unwrap_or(0), node.integer("end"));
                let end = end.and_then(|end| usize::try_from(end).ok()).unwrap_or(rank).min(rank);
                let all = std::iter::once(SAMPLES).chain(std::iter::repeat(UNKNOWN));
                Some(all.take(end).skip(usize::try_from(start).ok()?).collect())
            }
            // Numbers and their order stay; which axes they lie along does not matter.
            "Squeeze" | "Unsqueeze" | "Reshape" | "Cast" | "Identity" => self.shapes.get(&node.inputs[0]).cloned(),
            "Concat" if node.inputs.iter().any(|name| self.shapes.contains_key(name)) => {
                let all: Option<Vec<_>> = (0..node.inputs.len()).map(input).collect();
                all.map(|all| all.concat())
            }
            "Gather" => {
                let shape = self.shapes.get(&node.inputs[0])?;
                let places = input(1)?.into_iter().map(|place| shape.get(usize::try_from(place).ok()?).copied());
                places.collect()
            }
            _ => None,
        }
    }

    /// A shape by its name, computed or constant.
    fn shape_named(&self, name: &str) -> Option<Vec<i64>> {
        let constant = || {
            let Ok(Source::Constant(shape)) = self.source(name) else { return None };
            #[expect(clippy::cast_possible_truncation, reason = "shapes are whole numbers")]
            let shape = shape.iter().map(|&size| size as i64).collect();
            Some(shape)
        };
        self.shapes.get(name).cloned().or_else(constant)
    }

    /// The shape behind the samples that a node reshapes to: 0 keeps a size, −1 takes what is left.
    pub(super) fn shape_behind_samples(&self, node: &Node<'_>) -> Result<Vec<i64>, String> {
        let shape = node.inputs.get(1).and_then(|name| self.shape_named(name));
        let shape = shape.ok_or("the shape that it takes is not known")?;
        let words = || {
            let word = |&size: &i64| match size {
                SAMPLES => "samples".to_owned(),
                UNKNOWN => "?".to_owned(),
                size => size.to_string(),
            };
            shape.iter().map(word).collect::<Vec<_>>().join(", ")
        };
        let keeps = matches!(shape.first(), Some(&(SAMPLES | -1 | 0)));
        let known = shape.iter().skip(1).all(|&size| size != SAMPLES && size != UNKNOWN);
        let empty = node.integer("allowzero").unwrap_or(0) != 0 && shape.contains(&0);
        if !keeps || !known || shape.len() < 2 || empty {
            return Err(format!("found the shape [{}], needed one that keeps the samples apart", words()));
        }
        Ok(shape[1..].to_vec())
    }
}
