//! The data-processing inequality along the layers of one checkpoint.

use std::collections::HashMap;

use crate::table::MeasurementRow;

/// The flag of a row that shows more information than one of an earlier tap.
const GAINED: &str = "data-processing";

/// Flags rows of information whose whole interval lies above that of an earlier tap, of the same variable and by the same
/// measure.
///
/// No layer knows more than those that it is computed from. Where a later one seems to, the estimate of the earlier one
/// lost information (by compression, or in many dimensions), or the taps are not a chain.
pub(super) fn flag_gains(rows: &mut [MeasurementRow]) {
    let mut least: HashMap<(String, String), f64> = HashMap::new();
    let mut places: Vec<usize> = (0..rows.len()).filter(|&place| rows[place].measure == "information").collect();
    places.sort_by_key(|&place| rows[place].tap_index);
    for place in places {
        let row = &mut rows[place];
        let (Some(low), Some(high)) = (row.interval_low, row.interval_high) else { continue };
        let least = least.entry((row.variable.clone(), row.parameters.clone())).or_insert(high);
        if low > *least {
            row.flags.push(GAINED.to_owned());
        }
        *least = least.min(high);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(tap_index: u32, variable: &str, (low, high): (f64, f64)) -> MeasurementRow {
        MeasurementRow {
            run: String::new(),
            file: String::new(),
            tap: String::new(),
            tap_index,
            measure: "information".to_owned(),
            variable: variable.to_owned(),
            given: None,
            class: None,
            estimator: String::new(),
            compression: String::new(),
            parameters: "{}".to_owned(),
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

    #[test]
    fn only_what_lies_wholly_above_an_earlier_layer_is_flagged() {
        let mut rows = vec![
            row(2, "input", (2.1, 2.3)),
            row(0, "input", (1.0, 3.0)),
            row(1, "input", (1.8, 2.0)),
            row(3, "input", (1.9, 2.4)),
            row(3, "digit", (2.2, 2.3)),
        ];
        flag_gains(&mut rows);
        let flagged: Vec<usize> = (0..rows.len()).filter(|&place| !rows[place].flags.is_empty()).collect();
        assert_eq!((flagged, &rows[0].flags[..]), (vec![0], &["data-processing".to_owned()][..]));
    }
}
