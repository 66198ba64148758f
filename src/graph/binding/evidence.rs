//! Why a recipe is taken for an initializer, and how far that can be trusted.

use serde::Serialize;

/// Why a recipe is taken for an initializer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// Equal name and value in the reference checkpoint.
    NameAndValue,
    /// The only tensor, or parts of tensors, of this value in the reference checkpoint.
    Value,
    /// Several tensors of this value; the module tells which.
    TieByModule,
    /// Several tensors of this value; the name tells which, in another framework's style.
    TieByName,
    /// One tensor of this value, which several layouts give; like weights and the framework's convention tell which.
    TieByLayout,
    /// Several tensors, layouts or constants of this value, and nothing sure to tell which is meant.
    Guessed,
    /// Recomputed from its parts, and the same as the graph's up to rounding.
    Fold,
    /// A bias of zeros that the exporter dropped, given back to the node of its module.
    Restored,
    /// A rule of the pipeline file, and the value is the graph's.
    RuleAndValue,
    /// A rule of the pipeline file; there was no value to compare with.
    RuleOnly,
    /// The name alone; there was no value to compare with.
    NameOnly,
}

impl Evidence {
    /// The evidence in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::NameAndValue => "name and value",
            Self::Value => "value",
            Self::TieByModule => "value, tie broken by module",
            Self::TieByName => "value, tie broken by name",
            Self::TieByLayout => "value, layout as of like weights",
            Self::Guessed => "value, but GUESSED among equal ones",
            Self::Fold => "recomputed value",
            Self::Restored => "dropped zeros, restored by module",
            Self::RuleAndValue => "rule and value",
            Self::RuleOnly => "rule only",
            Self::NameOnly => "name only",
        }
    }

    /// Whether another explanation fits the reference checkpoint as well.
    #[must_use]
    pub fn is_guess(self) -> bool {
        matches!(self, Self::Guessed | Self::Restored)
    }

    /// Whether values were compared.
    #[must_use]
    pub fn is_by_value(self) -> bool {
        !matches!(self, Self::RuleOnly | Self::NameOnly)
    }
}
