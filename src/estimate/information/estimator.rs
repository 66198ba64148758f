use serde::{Deserialize, Serialize};

use super::{
    Binning, ContinuousInformation, Gaussian, InfoNce, Kde, Kolchinsky, KozachenkoLeonenko, Ksg, Ksg2,
    LabelInformation, Mixed, Ross, Several, Sliced, Weighted,
};

/// An estimator of mutual information by name, with its parameters.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Estimator {
    /// Nearest neighbors, for two continuous variables.
    Ksg(Ksg),
    /// Nearest neighbors in the second form, for two continuous variables.
    #[serde(rename = "ksg-2")]
    Ksg2(Ksg2),
    /// Nearest neighbors, for variables with values that repeat.
    Mixed(Mixed),
    /// Entropies of nearest neighbors.
    KozachenkoLeonenko(KozachenkoLeonenko),
    /// Weighted entropies of nearest neighbors.
    Weighted(Weighted),
    /// Kernel densities, for two continuous variables.
    Kde(Kde),
    /// The Gaussian plug-in: the log-determinants of covariances.
    Gaussian(Gaussian),
    /// Pairwise bounds for a layer with noise.
    Kolchinsky(Kolchinsky),
    /// Bins.
    Binning(Binning),
    /// A neural lower bound, for two continuous variables.
    InfoNce(InfoNce),
    /// The mean over random projections.
    Sliced(Sliced),
    /// Nearest neighbors, for a continuous variable and a label.
    Ross(Ross),
}

impl Estimator {
    /// The estimator for two continuous variables, if it is one.
    #[must_use]
    pub fn continuous(&self) -> Option<&dyn ContinuousInformation> {
        match self {
            Self::Ksg(ksg) => Some(ksg),
            Self::Ksg2(ksg) => Some(ksg),
            Self::Mixed(mixed) => Some(mixed),
            Self::KozachenkoLeonenko(entropies) => Some(entropies),
            Self::Weighted(weighted) => Some(weighted),
            Self::Kde(kde) => Some(kde),
            Self::Gaussian(gaussian) => Some(gaussian),
            Self::Kolchinsky(bounds) => Some(bounds),
            Self::Binning(binning) => Some(binning),
            Self::InfoNce(bound) => Some(bound),
            Self::Sliced(sliced) => Some(sliced),
            Self::Ross(_) => None,
        }
    }

    /// The estimator for a continuous variable and a label, if it is one.
    #[must_use]
    pub fn labeled(&self) -> Option<&dyn LabelInformation> {
        match self {
            Self::KozachenkoLeonenko(entropies) => Some(entropies),
            Self::Weighted(weighted) => Some(weighted),
            Self::Kolchinsky(bounds) => Some(bounds),
            Self::Binning(binning) => Some(binning),
            Self::Sliced(sliced) => Some(sliced),
            Self::Ross(ross) => Some(ross),
            Self::Ksg(_) | Self::Ksg2(_) | Self::Mixed(_) | Self::Kde(_) | Self::Gaussian(_) | Self::InfoNce(_) => None,
        }
    }

    /// The estimators with one value for each setting, in the order of the estimates that this one gives.
    #[must_use]
    pub fn each(&self) -> Vec<Self> {
        fn each<T: Clone + PartialEq>(several: &Several<T>, with: impl Fn(Several<T>) -> Estimator) -> Vec<Estimator>
        where
            Several<T>: From<T>,
        {
            several.as_slice().iter().map(|value| with(value.clone().into())).collect()
        }
        match self {
            Self::Ksg(own) => each(&own.neighbors, |neighbors| Self::Ksg(Ksg { neighbors })),
            Self::Ksg2(own) => each(&own.neighbors, |neighbors| Self::Ksg2(Ksg2 { neighbors })),
            Self::Mixed(own) => each(&own.neighbors, |neighbors| Self::Mixed(Mixed { neighbors })),
            Self::KozachenkoLeonenko(own) => each(&own.neighbors, |neighbors| {
                Self::KozachenkoLeonenko(KozachenkoLeonenko { neighbors, ..own.clone() })
            }),
            Self::Weighted(own) => {
                each(&own.neighbors, |neighbors| Self::Weighted(Weighted { neighbors, ..own.clone() }))
            }
            Self::Kde(Kde { bandwidth: Some(bandwidths), form }) => {
                each(bandwidths, |bandwidth| Self::Kde(Kde { bandwidth: Some(bandwidth), form: *form }))
            }
            Self::Sliced(own) => each(&own.neighbors, |neighbors| Self::Sliced(Sliced { neighbors, ..own.clone() })),
            Self::Ross(own) => each(&own.neighbors, |neighbors| Self::Ross(Ross { neighbors })),
            Self::Kolchinsky(own) => own
                .settings()
                .map(|(variance, bound)| {
                    Self::Kolchinsky(Kolchinsky { variance: variance.into(), bound: bound.into() })
                })
                .collect(),
            Self::Kde(_) | Self::Gaussian(_) | Self::Binning(_) | Self::InfoNce(_) => vec![self.clone()],
        }
    }

    /// The name, as files spell it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ksg(_) => "ksg",
            Self::Ksg2(_) => "ksg-2",
            Self::Mixed(_) => "mixed",
            Self::KozachenkoLeonenko(_) => "kozachenko-leonenko",
            Self::Weighted(_) => "weighted",
            Self::Kde(_) => "kde",
            Self::Gaussian(_) => "gaussian",
            Self::Kolchinsky(_) => "kolchinsky",
            Self::Binning(_) => "binning",
            Self::InfoNce(_) => "info-nce",
            Self::Sliced(_) => "sliced",
            Self::Ross(_) => "ross",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Stage {
        estimators: Vec<Estimator>,
    }

    fn read(text: &str) -> Stage {
        toml::from_str(&format!("estimators = [{text}]")).unwrap()
    }

    #[test]
    fn reads_estimators_from_a_pipeline() {
        let stage = read("{ ksg = { neighbors = 3 } }, { ross = { neighbors = 5 } }");
        assert!(stage.estimators[0].continuous().is_some() && stage.estimators[0].labeled().is_none());
        assert!(stage.estimators[1].continuous().is_none() && stage.estimators[1].labeled().is_some());
        assert_eq!(serde_json::to_string(&stage.estimators[0]).unwrap(), r#"{"ksg":{"neighbors":3}}"#);
    }

    /// What a row says of its estimator gives this one estimator when it is read again.
    #[test]
    fn each_setting_is_an_estimator_of_its_own() {
        let stage = read(
            "{ ksg = { neighbors = [3, 1] } }, { ksg-2 = { neighbors = 2 } }, { mixed = { neighbors = 4 } },
             { kozachenko-leonenko = { neighbors = [1, 2], form = 'per-sample' } }, { weighted = { neighbors = 5 } },
             { kde = {} }, { kde = { bandwidth = [0.1, 0.2] } }, { gaussian = {} }, { kolchinsky = { variance = 0.1 } },
             { binning = { bins = { width = 0.07 } } }, { ross = { neighbors = [1, 5] } },
             { sliced = { dimensions = 1, slices = 10, neighbors = 3 } },
             { binning = { bins = { range = { low = -1.0, high = 1.0, count = 30 } } } }, { info-nce = {} }",
        );
        let n_each: Vec<usize> = stage.estimators.iter().map(|estimator| estimator.each().len()).collect();
        assert_eq!(n_each, [2, 1, 1, 2, 1, 1, 2, 1, 2, 1, 2, 1, 1, 1]);
        for one in stage.estimators.iter().flat_map(Estimator::each) {
            let text = serde_json::to_string(&one).unwrap();
            assert!(text.starts_with(&format!("{{\"{}\":", one.name())), "{text}");
            assert_eq!(serde_json::from_str::<Estimator>(&text).unwrap().each(), [one]);
        }
    }

    #[test]
    fn refuses_estimators_that_cannot_be() {
        for (parameters, reason) in [
            ("ksg = { neighbors = 0 }", "nonzero"),
            ("ksg = { neighbors = [1, 1] }", "one value twice"),
            ("ksg = { neighbours = 3 }", "unknown field `neighbours`"),
            ("ross = {}", "missing field `neighbors`"),
            ("binning = { bins = { width = -1.0 } }", "needed a positive number"),
            ("mine = {}", "unknown variant `mine`"),
        ] {
            let error = toml::from_str::<Stage>(&format!("estimators = [{{ {parameters} }}]")).unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}
