//! Which requests bring some ranges of an object.

use std::ops::Range;

/// Bytes that nobody asked for, up to this many, are cheaper than another request.
const GAP: u64 = 1 << 20;
/// One request brings no more than this, so that several connections share a large tensor.
const PIECE: usize = 16 << 20;

/// The fewest spans that cover all ranges without a gap longer than a request is worth.
pub(super) fn spans(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut sorted: Vec<Range<u64>> = ranges.iter().filter(|range| !range.is_empty()).cloned().collect();
    sorted.sort_by_key(|range| range.start);
    let mut spans: Vec<Range<u64>> = Vec::new();
    for range in sorted {
        match spans.last_mut() {
            Some(last) if range.start.saturating_sub(last.end) <= GAP => last.end = last.end.max(range.end),
            _ => spans.push(range),
        }
    }
    spans
}

/// Cuts a span into the parts that one request each brings.
pub(super) fn pieces(span: &Range<u64>) -> impl Iterator<Item = Range<u64>> + use<> {
    let end = span.end;
    (span.start..end).step_by(PIECE).map(move |start| start..end.min(start.saturating_add(PIECE as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_ranges_share_a_span_and_long_spans_are_cut() {
        let piece = PIECE as u64;
        let far = 5 * piece;
        assert_eq!(spans(&[far..far + 9, 0..10, 20..30, 15..18, 7..7]), [0..30, far..far + 9]);
        assert_eq!(spans(&[0..10, GAP + 11..GAP + 12]), [0..10, GAP + 11..GAP + 12]);
        let cut: Vec<_> = pieces(&(3..3 + 2 * piece + 1)).collect();
        assert_eq!(cut, [3..3 + piece, 3 + piece..3 + 2 * piece, 3 + 2 * piece..4 + 2 * piece]);
        assert_eq!(pieces(&(4..4)).count(), 0);
    }
}
