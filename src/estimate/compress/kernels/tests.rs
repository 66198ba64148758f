use pulp::Scalar;

use super::*;

/// A panel and a narrower one.
const COLUMNS: usize = PANEL + STEP;
const DIRECTIONS: usize = 12;

/// Whole numbers, of which single precision holds all sums here.
fn number(place: usize) -> f64 {
    [0.0, 1.0, -2.0, 3.0, -1.0][place % 5]
}

fn rounded<P: Precision>(values: &[f64]) -> Vec<P> {
    values.iter().map(|&value| P::round(value)).collect()
}

/// Rows in panels.
fn panels(rows: &[f64]) -> Vec<f64> {
    let of_all = |columns: Range<usize>| rows.chunks_exact(COLUMNS).flat_map(move |row| row[columns.clone()].to_vec());
    of_all(0..PANEL).chain(of_all(PANEL..COLUMNS)).collect()
}

/// The coordinates, and one more than the sums.
fn expected(rows: &[f64], directions: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (mut scores, mut sums) = (Vec::new(), vec![1.0; directions.len()]);
    for row in rows.chunks_exact(COLUMNS) {
        for (direction, sum) in directions.chunks_exact(COLUMNS).zip(sums.chunks_exact_mut(COLUMNS)) {
            let score: f64 = row.iter().zip(direction).map(|(a, b)| a * b).sum();
            sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += score * value);
            scores.push(score);
        }
    }
    (scores, panels(&sums))
}

fn example<P: Precision>() -> (Vec<f64>, Vec<f64>) {
    let rows = (0..P::STRIP * COLUMNS).map(number).collect();
    (rows, (0..DIRECTIONS * COLUMNS).map(|place| number(place / 3)).collect())
}

/// Twice: nothing of the first time may be left.
fn sums_what_loops_sum<P: Precision + PartialEq + std::fmt::Debug>() {
    let (rows, directions) = example::<P>();
    let (scores, sums) = expected(&rows, &directions);
    let directions = rounded(&panels(&directions));
    let mut strip = Strip::new(COLUMNS, DIRECTIONS);
    strip.rows = rounded::<P>(&panels(&rows));
    for _ in 0..2 {
        P::multiply::<f32>(&mut strip, &directions, 0, &[]);
        P::multiply::<f32>(&mut strip, &directions, PANEL, &[]);
        P::sum_parts(&mut strip);
        let mut found = vec![P::round(1.0); directions.len()];
        P::add_weighted(&strip, &mut found, PANEL);
        P::add_weighted(&strip, &mut found, 0);
        assert_eq!((&strip.scores, found), (&rounded(&scores), rounded(&sums)));
    }
}

#[test]
fn sums_what_loops_sum_in_both_precisions() {
    sums_what_loops_sum::<f32>();
    sums_what_loops_sum::<f64>();
}

#[test]
fn sums_what_loops_sum_without_wide_registers() {
    let (rows, directions) = example::<f32>();
    let (scores, sums) = expected(&rows, &directions);
    let (rows, directions) = (rounded(&panels(&rows)), rounded(&panels(&directions)));
    let mut strip = Strip::new(COLUMNS, DIRECTIONS);
    let mut found = vec![1.0; directions.len()];
    let of = |count: usize, column: usize| panel(count, COLUMNS, column);
    for column in [0, PANEL] {
        let (rows, directions) = (&rows[of(f32::STRIP, column)], &directions[of(DIRECTIONS, column)]);
        MultiplySingle::<f32> { rows, directions, parts: &mut strip.parts, ahead: &[] }.with_simd(Scalar);
    }
    SumSingle(&mut strip).with_simd(Scalar);
    for column in [0, PANEL] {
        let (rows, sums) = (&rows[of(f32::STRIP, column)], &mut found[of(DIRECTIONS, column)]);
        AddSingle { rows, scores: &strip.scores, sums }.with_simd(Scalar);
    }
    assert_eq!((strip.scores, found), (rounded(&scores), rounded(&sums)));
}
