//! What flags mean for the numbers that carry them.

/// Every flag that a row may carry, with what it means for the number, for readers who have not read the code.
pub const FLAGS: [(&str, &str); 29] = [
    (
        "above-label-entropy",
        "More information than the label has: the estimate is too high; take the label's entropy as its end.",
    ),
    (
        "ambiguous-binding",
        "Which tensor feeds some weight was guessed among equal ones: if the guess is wrong, so is every number of the checkpoint.",
    ),
    (
        "bandwidth-at-edge",
        "The most likely kernel width is the narrowest or widest that was tried: the value may change with the range.",
    ),
    (
        "constant",
        "Nothing varies over the samples, in the layer or in what it is measured against: the value is exact, and says nothing.",
    ),
    ("constant-units", "Some units never change over the samples and were left out: the others carry the value."),
    (
        "data-processing",
        "More than an earlier layer shows, which no layer computed from it can have: the earlier estimate lost some, or the layers are not a chain. Do not compare these two.",
    ),
    (
        "deterministic",
        "Without noise the true information between a continuous input and this layer is infinite. The number says how well samples can be told apart: compare it over training, not with theory.",
    ),
    (
        "few-samples-per-bin",
        "Most bins hold a single sample: the value counts samples rather than information, and is too high.",
    ),
    ("few-samples-per-class", "A class has too few samples: the value leans on guesses about it."),
    ("high-dimension", "So many dimensions that neighbors are far away: the estimate is known to be too low."),
    ("long-weights", "The weights that cancel bias are so long that they amplify noise: expect a larger error."),
    (
        "lower-bound",
        "A bound from below, by a network that may have missed something: the true value may be higher, and by how much is not known.",
    ),
    (
        "more-units-than-samples",
        "More units than training samples: only the penalty keeps the probe from learning them by heart, and more samples might show more.",
    ),
    (
        "near-ceiling",
        "Near ln n, the most that n samples can show: the true information may be much larger, and differences up here are squeezed together.",
    ),
    ("negative", "Below zero: nothing was found, within the noise of the method."),
    (
        "not-as-recorded",
        "The replayed network does not give what the training framework recorded: whatever was measured at this checkpoint may belong to another network or other samples.",
    ),
    (
        "not-converged",
        "The solver stopped before its tolerance: the probe could still read more, so the value is too low.",
    ),
    (
        "one-sample-decides",
        "One held-out sample makes most of the variance: without it the value would be another one.",
    ),
    (
        "output-is-probabilities",
        "The output looks like probabilities where logits were expected: the loss is computed from them as if they were logits.",
    ),
    (
        "penalty-at-edge",
        "The best penalty is the smallest or largest that was offered: a wider range might give a better value.",
    ),
    ("rank-deficient", "The units depend on each other linearly: the value is that of the directions that vary."),
    (
        "same-as-before",
        "This checkpoint holds the very weights of the one before: the point repeats, it does not confirm.",
    ),
    (
        "sample-size-bias",
        "Half of the samples give another value by more than the error: with more samples it would change again; the interval does not cover that.",
    ),
    (
        "separable",
        "The probe gets every training sample right: only the penalty limits its confidence, and the value depends on it.",
    ),
    (
        "temperature-at-edge",
        "The calibrating temperature lies at the end of what was tried: calibration might give more.",
    ),
    (
        "ties",
        "Many samples coincide: distances of zero, which estimators by neighbors do not expect; the value may be far off.",
    ),
    (
        "unequal-scales",
        "One side's coordinates are over ten times larger: the larger side hides the smaller one's information; standardize the margins.",
    ),
    (
        "unproven-binding",
        "Weights were bound by name, with no values to compare: a wrong tensor of the right shape would not have been noticed.",
    ),
    ("within-null", "Not above what one gets one time in twenty where there is nothing to find: treat it as zero."),
];

/// What a flag means for the number, in words; none for a flag that this version does not know.
#[must_use]
pub fn flag_words(flag: &str) -> Option<&'static str> {
    FLAGS.iter().find(|(name, _)| *name == flag).map(|(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use regex::Regex;

    use super::*;

    fn kebab(variant: &str) -> String {
        let words = Regex::new("([A-Z][a-z]*)").unwrap();
        words.find_iter(variant).map(|word| word.as_str().to_lowercase()).collect::<Vec<_>>().join("-")
    }

    /// Every flag in the sources: the variants of `Flag`, and what the pipeline declares.
    fn raised() -> BTreeSet<String> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let outcome = fs::read_to_string(source.join("estimate/outcome.rs")).unwrap();
        let (_, body) = outcome.split_once("pub enum Flag {").unwrap();
        let (body, _) = body.split_once("\n}").unwrap();
        let variant = Regex::new(r"(?m)^    ([A-Z]\w*),$").unwrap();
        let mut flags: BTreeSet<String> = variant.captures_iter(body).map(|found| kebab(&found[1])).collect();
        let declared = Regex::new(r#"/// The flag of .*\n(?:pub\S* )?const \w+: &str = "([a-z-]+)";"#).unwrap();
        let pushed = Regex::new(r#"flags\.(?:push|extend|insert)\([^;]*"[a-z-]+"[^;]*;"#).unwrap();
        for entry in fs::read_dir(source.join("pipeline")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                assert!(!pushed.is_match(&text), "{}: a flag without a documented constant", path.display());
                flags.extend(declared.captures_iter(&text).map(|found| found[1].to_owned()));
            }
        }
        flags
    }

    #[test]
    fn every_flag_that_the_code_raises_has_words_and_no_other_has() {
        let known: BTreeSet<String> = FLAGS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(raised(), known);
        assert!(known.contains("not-as-recorded") && known.contains("ties"));
    }

    #[test]
    fn words_are_found_by_name_and_unknown_flags_have_none() {
        assert!(flag_words("deterministic").unwrap().contains("infinite"));
        assert_eq!(flag_words("of-another-version"), None);
    }
}
