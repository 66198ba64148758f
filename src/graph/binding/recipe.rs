//! How the value of an initializer is made from tensors of a checkpoint.
//!
//! A recipe is found once, at the reference checkpoint, and followed at every checkpoint of the
//! series. It is also what a rule of the pipeline file says.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::layout::{Piece, join};
use super::norm::Folded;
use crate::archive::{ArchiveError, Kind, Numbers, Tensor, Weights};
use crate::graph::GraphError;

/// How the value of an initializer is made from tensors of a checkpoint.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Recipe {
    /// One tensor, or a part of it, in some layout.
    Tensor(Piece),
    /// Several pieces end to end along an axis of the initializer.
    Joined(Joined),
    /// One tensor times a number that the exporter multiplied in.
    Scaled(Scaled),
    /// A tensor with a normalization that the exporter multiplied in.
    Folded(Folded),
}

/// Several pieces end to end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Joined {
    /// The axis of the initializer.
    pub axis: usize,
    /// The pieces in their order.
    pub pieces: Vec<Piece>,
}

/// A piece times a number.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Scaled {
    /// The piece.
    pub piece: Piece,
    /// The factor.
    pub by: f64,
}

/// Why a recipe cannot be followed at a checkpoint.
#[derive(Debug)]
pub(super) enum Obstacle {
    /// A tensor cannot be read.
    Archive(ArchiveError),
    /// A tensor is missing, or of another shape or type than the recipe needs.
    Tensor { tensor: String, found: String, needed: String },
}

impl Obstacle {
    /// The obstacle as what is wrong with a checkpoint.
    pub(super) fn at(self, checkpoint: &str) -> GraphError {
        match self {
            Self::Archive(error) => GraphError::Archive(error),
            Self::Tensor { tensor, found, needed } => {
                GraphError::Mismatch { checkpoint: checkpoint.to_owned(), tensor, found, needed }
            }
        }
    }
}

impl From<ArchiveError> for Obstacle {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(error)
    }
}

impl Recipe {
    /// One whole tensor as it is.
    #[must_use]
    pub fn whole(tensor: &str) -> Self {
        Self::Tensor(Piece::whole(tensor))
    }

    /// The tensors that the recipe needs.
    #[must_use]
    pub fn tensors(&self) -> Vec<&str> {
        match self {
            Self::Tensor(piece) => vec![&piece.name],
            Self::Joined(joined) => joined.pieces.iter().map(|piece| piece.name.as_str()).collect(),
            Self::Scaled(scaled) => vec![&scaled.piece.name],
            Self::Folded(folded) => folded.tensors(),
        }
    }

    /// The same recipe with other names of tensors.
    #[must_use]
    pub(super) fn renamed(mut self, rename: &dyn Fn(&str) -> String) -> Self {
        for name in self.names() {
            *name = rename(name);
        }
        self
    }

    fn names(&mut self) -> Vec<&mut String> {
        match self {
            Self::Tensor(piece) => vec![&mut piece.name],
            Self::Joined(joined) => joined.pieces.iter_mut().map(|piece| &mut piece.name).collect(),
            Self::Scaled(scaled) => vec![&mut scaled.piece.name],
            Self::Folded(folded) => folded.names(),
        }
    }

    /// The value of an initializer at a checkpoint, checked to be finite.
    ///
    /// Pure copies keep their bits; what is computed is computed in double precision and rounded once.
    pub(super) fn value<'w>(&self, weights: &'w Weights, shape: &[usize], kind: Kind) -> Result<Numbers<'w>, Obstacle> {
        let value = match self {
            Self::Tensor(piece) => cast(piece, taken(piece, weights)?, kind)?,
            Self::Joined(joined) => {
                let pieces = joined.pieces.iter().map(|piece| cast(piece, taken(piece, weights)?, kind));
                let pieces = pieces.collect::<Result<Vec<_>, Obstacle>>()?;
                join(&pieces, shape, joined.axis).ok_or_else(|| Obstacle::Tensor {
                    tensor: joined.pieces.first().map(|piece| piece.name.clone()).unwrap_or_default(),
                    found: format!("pieces that do not join along axis {}", joined.axis),
                    needed: format!("pieces that fill shape {shape:?}"),
                })?
            }
            Self::Scaled(scaled) => {
                let values: Vec<f64> =
                    taken(&scaled.piece, weights)?.doubles().iter().map(|value| value * scaled.by).collect();
                rounded(&scaled.piece.name, &values, kind)?
            }
            Self::Folded(folded) => {
                let double = |name: &str| Ok(tensor(weights, name)?.finite()?.doubles());
                let whole = |piece: &Piece| Ok(taken(piece, weights)?.doubles());
                let values = folded.value(shape, &double, &whole)?;
                rounded(folded.tensors().first().copied().unwrap_or_default(), &values, kind)?
            }
        };
        let needed: usize = shape.iter().product();
        if value.len() == needed {
            return Ok(value);
        }
        Err(Obstacle::Tensor {
            tensor: self.tensors().join(", "),
            found: format!("{} values", value.len()),
            needed: format!("{needed} values, for shape {shape:?}"),
        })
    }
}

/// The recipe in words, for tables.
impl fmt::Display for Recipe {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tensor(piece) => piece.fmt(formatter),
            Self::Joined(joined) => {
                for (place, piece) in joined.pieces.iter().enumerate() {
                    write!(formatter, "{}{piece}", if place == 0 { "" } else { " + " })?;
                }
                write!(formatter, ", joined along axis {}", joined.axis)
            }
            Self::Scaled(scaled) => write!(formatter, "{} × {}", scaled.piece, scaled.by),
            Self::Folded(folded) => folded.fmt(formatter),
        }
    }
}

fn tensor<'w>(weights: &'w Weights, name: &str) -> Result<Tensor<'w>, Obstacle> {
    weights.get(name).ok_or_else(|| Obstacle::Tensor {
        tensor: name.to_owned(),
        found: "no tensor of this name".to_owned(),
        needed: "the one that the binding was found with".to_owned(),
    })
}

fn misfit(tensor: &Tensor<'_>, needed: String) -> Obstacle {
    Obstacle::Tensor { tensor: tensor.name.to_owned(), found: format!("shape {:?}", tensor.shape), needed }
}

fn taken<'w>(piece: &Piece, weights: &'w Weights) -> Result<Numbers<'w>, Obstacle> {
    let tensor = tensor(weights, &piece.name)?;
    piece.take(tensor.finite()?, tensor.shape).map_err(|needed| misfit(&tensor, needed))
}

fn cast<'n>(piece: &Piece, values: Numbers<'n>, kind: Kind) -> Result<Numbers<'n>, Obstacle> {
    let from = values.kind();
    let misfit = |found: String| Obstacle::Tensor {
        tensor: piece.name.clone(),
        found,
        needed: format!("values that fit {}, the graph's type", kind.name()),
    };
    let values = values
        .cast(kind)
        .map_err(|place| misfit(format!("type {}, whose value at element {place} does not fit", from.name())))?;
    match values.first_not_finite() {
        None => Ok(values),
        Some((place, value)) => {
            Err(misfit(format!("type {}, whose value at element {place} becomes {value}", from.name())))
        }
    }
}

fn rounded(tensor: &str, values: &[f64], kind: Kind) -> Result<Numbers<'static>, Obstacle> {
    let rounded = Numbers::from_doubles(kind, values).filter(|values| values.first_not_finite().is_none());
    rounded.ok_or_else(|| Obstacle::Tensor {
        tensor: tensor.to_owned(),
        found: "values whose fold is not finite".to_owned(),
        needed: format!("a finite fold of type {}", kind.name()),
    })
}
