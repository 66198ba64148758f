//! Text for terminals of 80 columns: aligned cells, short names, sparklines.

/// The widest line.
pub(super) const WIDTH: usize = 80;

/// What separates cells.
const GAP: &str = "  ";

/// Lines of aligned cells: the first column on the left and cut to what the others leave, the others on the right but
/// for those named in `left`.
pub(super) fn aligned(rows: &[Vec<String>], left: &[usize]) -> String {
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| count(cell)).max().unwrap_or(0);
    let mut widths: Vec<usize> = (0..n_columns).map(width).collect();
    let others: usize = widths.iter().skip(1).map(|width| width + GAP.len()).sum();
    if let Some(first) = widths.first_mut() {
        *first = (*first).min(WIDTH.saturating_sub(1 + others).max(8));
    }
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            let cell = shortened(cell, width);
            let padding = " ".repeat(width - count(&cell));
            if column == 0 || left.contains(&column) { cell + &padding } else { padding + &cell }
        });
        let line = cells.collect::<Vec<_>>().join(GAP);
        text.push(' ');
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A text of this many characters at most: the middle is left out, since names differ at both ends.
pub(super) fn shortened(text: &str, width: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= width {
        return text.to_owned();
    }
    let head = width.saturating_sub(1).div_ceil(2);
    let tail = width.saturating_sub(1 + head);
    letters[..head].iter().chain(&['…']).chain(&letters[letters.len() - tail..]).collect()
}

/// The course of values from the least to the largest, as bars; of more than `width` values evenly spread ones.
///
/// A value that is missing is a blank.
pub(super) fn sparkline(values: &[Option<f64>], width: usize) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let shown: Vec<Option<f64>> = if values.len() <= width {
        values.to_vec()
    } else {
        (0..width).map(|place| values[place * (values.len() - 1) / (width - 1)]).collect()
    };
    let there = || values.iter().copied().flatten();
    let (least, most) = (there().fold(f64::INFINITY, f64::min), there().fold(f64::NEG_INFINITY, f64::max));
    let bar = |value: f64| {
        let part = if most > least { (value - least) / (most - least) } else { 0.0 };
        BARS[(1..BARS.len()).take_while(|&bar| part * BARS.len() as f64 >= bar as f64).count()]
    };
    shown.into_iter().map(|value| value.map_or(' ', bar)).collect()
}

/// A number with the digits that tell something.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if !(1e-3..1e5).contains(&size) => format!("{value:.1e}"),
        size if size < 0.1 => format!("{value:.4}"),
        size if size < 100.0 => format!("{value:.3}"),
        _ => format!("{value:.0}"),
    }
}

/// Counts characters as a terminal shows them: those of names and numbers are one column wide.
pub(super) fn count(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparklines_go_from_the_least_to_the_largest() {
        let values = [Some(0.0), None, Some(1.0), Some(0.5)];
        assert_eq!(sparkline(&values, 10), "▁ █▅");
        assert_eq!(sparkline(&[Some(2.0); 3], 10), "▁▁▁");
        let many: Vec<Option<f64>> = (0..100).map(|value| Some(f64::from(value))).collect();
        assert_eq!(sparkline(&many, 8), "▁▂▃▄▅▆▇█");
    }

    #[test]
    fn lines_fit_and_names_keep_both_ends() {
        let name = "model.layers.11.self_attention.output.dense/MatMul_with_a_long_tail_of_words_0123456789";
        let text = aligned(&[vec![name.to_owned(), "1.0".to_owned()], vec!["h".to_owned(), "12.0".to_owned()]], &[]);
        for line in text.lines() {
            assert!(count(line) <= WIDTH, "{line}");
        }
        assert!(text.contains("model.layers") && text.contains("6789") && text.contains('…'), "{text}");
        assert_eq!(shortened("abcdefgh", 5), "ab…gh");
    }

    #[test]
    fn numbers_keep_the_digits_that_tell() {
        for (value, text) in [(0.0, "0"), (2.5, "2.500"), (0.0123, "0.0123"), (1.9e-7, "1.9e-7"), (-431.2, "-431")] {
            assert_eq!(number(value), text);
        }
    }
}
