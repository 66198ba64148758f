//! The data-processing inequality along the layers of one checkpoint, and across the compressions of one layer.

use std::collections::HashMap;

use super::{Information, Measure};
use crate::estimate::compress::Compression;
use crate::estimate::information::Estimator;
use crate::table::MeasurementRow;

/// The flag of a row that shows more information than what it is computed from.
const GAINED: &str = "data-processing";

/// A row of information with an interval.
struct Informed {
    place: usize,
    information: Information,
    low: f64,
    high: f64,
}

/// Flags rows of information whose whole interval lies above that of an earlier tap, of the same variable and by the same
/// measure, or above that of the same tap with more of its coordinates.
///
/// No layer knows more than those that it is computed from, and no part of its coordinates more than all. Where one seems
/// to, the estimate of the other lost information (by compression, or in many dimensions), or the taps are not a chain.
/// They are none, and only compressions are compared, with noise that a tap has and later ones do not: that of
/// `read-out` (`is_chain` is then false), or of an estimator.
pub(super) fn flag_gains(rows: &mut [MeasurementRow], is_chain: bool) {
    let mut informed: Vec<Informed> =
        rows.iter().enumerate().filter_map(|(place, row)| Informed::new(place, row)).collect();
    informed.sort_by_key(|one| rows[one.place].tap_index);
    let mut gained = across_compressions(rows, &informed);
    if is_chain {
        gained.extend(along_taps(rows, &informed));
    }
    gained.sort_unstable();
    gained.dedup();
    for place in gained {
        rows[place].flags.push(GAINED.to_owned());
    }
}

impl Informed {
    fn new(place: usize, row: &MeasurementRow) -> Option<Self> {
        let (low, high) = (row.interval_low?, row.interval_high?);
        match serde_json::from_str(&row.parameters) {
            Ok(Measure::Information(information)) => Some(Self { place, information, low, high }),
            _ => None,
        }
    }
}

/// The rows above an earlier tap.
fn along_taps(rows: &[MeasurementRow], informed: &[Informed]) -> Vec<usize> {
    let mut least: HashMap<&str, f64> = HashMap::new();
    let mut gained = Vec::new();
    for one in informed.iter().filter(|one| !matches!(one.information.estimator, Estimator::Kolchinsky(_))) {
        let least = least.entry(&rows[one.place].parameters).or_insert(one.high);
        if one.low > *least {
            gained.push(one.place);
        }
        *least = least.min(one.high);
    }
    gained
}

/// The rows above one that keeps more of both sides.
fn across_compressions(rows: &[MeasurementRow], informed: &[Informed]) -> Vec<usize> {
    let is_above = |one: &Informed, other: &Informed| {
        let (less, more) = (&one.information, &other.information);
        one.low > other.high
            && rows[one.place].tap_index == rows[other.place].tap_index
            && (&less.of, &less.margins, &less.estimator) == (&more.of, &more.margins, &more.estimator)
            && less.subset == more.subset
            && keeps_no_more(&less.compress, &more.compress)
            && keeps_no_more(less.input_compression(), more.input_compression())
    };
    let places = informed.iter().filter(|one| informed.iter().any(|other| is_above(one, other)));
    places.map(|one| one.place).collect()
}

fn keeps_no_more(one: &Compression, other: &Compression) -> bool {
    one == other || one.is_function_of(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(tap_index: u32, (of, compress): (&str, &str), estimator: &str, (low, high): (f64, f64)) -> MeasurementRow {
        let parameters = format!(
            r#"{{"information":{{"of":"{of}","compress":{compress},"margins":"raw","estimator":{estimator},"interval":{{"none":{{}}}}}}}}"#
        );
        MeasurementRow {
            run: String::new(),
            file: String::new(),
            tap: String::new(),
            tap_index,
            measure: "information".to_owned(),
            variable: of.to_owned(),
            given: None,
            class: None,
            subset: None,
            estimator: String::new(),
            compression: String::new(),
            parameters,
            unit: "nats".to_owned(),
            value: Some(0.5 * (low + high)),
            std_error: None,
            interval_low: Some(low),
            interval_high: Some(high),
            null_mean: None,
            null_high: None,
            p_value: None,
            n_samples: None,
            n_train: None,
            n_units: None,
            n_components: None,
            seed: 1,
            flags: Vec::new(),
            details: String::new(),
            error: None,
        }
    }

    fn flagged(mut rows: Vec<MeasurementRow>, is_chain: bool) -> Vec<usize> {
        flag_gains(&mut rows, is_chain);
        (0..rows.len()).filter(|&place| rows[place].flags == [GAINED]).collect()
    }

    const WHOLE: &str = r#"{"none":{}}"#;
    const KSG: &str = r#"{"ksg":{"neighbors":3}}"#;

    #[test]
    fn only_what_lies_wholly_above_an_earlier_layer_is_flagged() {
        let rows = vec![
            row(2, ("input", WHOLE), KSG, (2.1, 2.3)),
            row(0, ("input", WHOLE), KSG, (1.0, 3.0)),
            row(1, ("input", WHOLE), KSG, (1.8, 2.0)),
            row(3, ("input", WHOLE), KSG, (1.9, 2.4)),
            row(3, ("digit", WHOLE), KSG, (2.2, 2.3)),
        ];
        assert_eq!(flagged(rows.clone(), true), [0]);
        // With noise of its own at each tap a later one may show more.
        assert_eq!(flagged(rows, false), [] as [usize; 0]);
        let bounds = |tap, interval| row(tap, ("input", WHOLE), r#"{"kolchinsky":{"variance":0.1}}"#, interval);
        assert_eq!(flagged(vec![bounds(0, (1.0, 1.1)), bounds(1, (2.0, 2.1))], true), [] as [usize; 0]);
    }

    #[test]
    fn a_part_of_the_coordinates_that_shows_more_than_all_is_flagged() {
        let pca = |components: usize| format!(r#"{{"pca":{{"components":{components}}}}}"#);
        let rows = vec![
            row(0, ("input", &pca(2)), KSG, (2.0, 2.2)),
            row(0, ("input", &pca(8)), KSG, (1.0, 1.2)),
            row(0, ("input", WHOLE), KSG, (1.1, 1.3)),
            row(0, ("input", &pca(4)), r#"{"ksg":{"neighbors":1}}"#, (3.0, 3.2)),
            row(1, ("input", &pca(1)), KSG, (1.0, 1.4)),
        ];
        // Two components show more than eight, and than all units; another k and another tap are not compared.
        assert_eq!(flagged(rows, false), [0]);
    }
}
