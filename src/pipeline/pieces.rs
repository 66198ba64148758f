//! The units of one checkpoint, put together once all of them are there.
//!
//! A unit that has only some of the taps keeps its rows as a piece beside the tables. Whoever finds that pieces cover all
//! taps writes the parts: several may do so at once, and all write the same bytes, which do not tell how the taps were
//! cut. Pieces are named after what they depend on, so that those of another state of the checkpoint never mix.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::unit::{self, Rows};
use super::{PipelineError, Plan};
use crate::table::{Folder, Provenance, RowsOf};

/// The first letters of an identity that stand in a name.
const LETTERS: usize = 16;

/// What one unit found.
#[derive(Debug, Deserialize, Serialize)]
struct Piece {
    identity: String,
    /// The taps of the whole checkpoint.
    taps: usize,
    is_chain: bool,
    rows: Rows,
}

/// Keeps what a unit found.
///
/// # Errors
///
/// [`PipelineError::Table`].
pub(super) fn keep(
    plan: &Plan,
    folder: &Folder,
    step: u64,
    (identity, taps): (&str, Range<usize>),
    rows: Rows,
) -> Result<(), PipelineError> {
    let piece = Piece { identity: identity.to_owned(), taps: plan.taps.len(), is_chain: unit::is_chain(plan), rows };
    let mut bytes = Vec::new();
    ciborium::into_writer(&piece, &mut bytes).expect("rows can be written as CBOR, and memory takes them");
    Ok(folder.keep_piece(step, &name(identity, &taps), bytes)?)
}

/// The rows without a value of a unit that is there already.
///
/// # Errors
///
/// [`PipelineError::Table`], [`PipelineError::Piece`].
pub(super) fn kept(
    folder: &Folder,
    step: u64,
    (identity, taps, n_taps): (&str, Range<usize>, usize),
) -> Result<Option<usize>, PipelineError> {
    let found = read(folder, step, &name(identity, &taps))?;
    Ok(found.filter(|piece| piece.identity == identity).map(|piece| piece.rows.failed_in(&taps, n_taps)))
}

/// Writes the parts of a checkpoint if its pieces are all there, and tells whether they were.
///
/// # Errors
///
/// [`PipelineError::Table`], [`PipelineError::Piece`].
pub(super) fn join(folder: &Folder, step: u64) -> Result<bool, PipelineError> {
    let mut cuts: BTreeMap<String, Vec<(Range<usize>, String)>> = BTreeMap::new();
    for found in folder.pieces(step)? {
        if let Some((identity, taps)) = parsed(&found) {
            cuts.entry(identity).or_default().push((taps, found));
        }
    }
    for pieces in cuts.values() {
        let Some(last) = pieces.last() else { continue };
        // Another process may have put them together and deleted them meanwhile.
        let Some(taps) = read(folder, step, &last.1)?.map(|piece| piece.taps) else { return Ok(false) };
        let Some(names) = covering(pieces, 0, taps) else { continue };
        let mut whole: Option<Piece> = None;
        for name in names {
            let Some(piece) = read(folder, step, name)? else { return Ok(false) };
            match &mut whole {
                None => whole = Some(piece),
                Some(whole) => whole.rows.measured.extend(piece.rows.measured),
            }
        }
        let Some(mut whole) = whole else { continue };
        unit::judge(&mut whole.rows, whole.is_chain);
        write(folder, step, &whole.identity, &whole.rows)?;
        folder.drop_pieces(step)?;
        return Ok(true);
    }
    Ok(false)
}

/// Writes the parts of every checkpoint whose pieces are all there: a process may have been killed before it could.
///
/// # Errors
///
/// [`PipelineError::Table`], [`PipelineError::Piece`].
pub fn join_all(folder: &Folder) -> Result<(), PipelineError> {
    for step in folder.steps_in_pieces()? {
        if !folder.is_measured(step)? {
            join(folder, step)?;
        }
    }
    Ok(())
}

/// Writes the parts of a checkpoint.
///
/// # Errors
///
/// [`PipelineError::Table`].
pub(super) fn write(folder: &Folder, step: u64, identity: &str, rows: &Rows) -> Result<(), PipelineError> {
    let Rows { measured, checkpoint, .. } = rows;
    let provenance = Provenance {
        identity: identity.to_owned(),
        checkpoint: checkpoint.hash.clone(),
        failed_rows: rows.failed(),
        retry: checkpoint.error.is_some(),
    };
    let rows = RowsOf {
        measurements: &measured.measurements,
        samples: &measured.samples,
        positions: &measured.positions,
        failures: &unit::failures(&measured.measurements, checkpoint),
        checkpoint,
    };
    Ok(folder.write(step, rows, &provenance)?)
}

fn read(folder: &Folder, step: u64, name: &str) -> Result<Option<Piece>, PipelineError> {
    let Some(bytes) = folder.read_piece(step, name)? else { return Ok(None) };
    ciborium::from_reader(bytes.as_ref())
        .map(Some)
        .map_err(|error| PipelineError::Piece { path: folder.piece(step, name), reason: error.to_string() })
}

fn name(identity: &str, taps: &Range<usize>) -> String {
    format!("{}-{:05}-{:05}.cbor", &identity[..LETTERS], taps.start, taps.end)
}

fn parsed(name: &str) -> Option<(String, Range<usize>)> {
    let mut parts = name.strip_suffix(".cbor")?.split('-');
    let (identity, start, end) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((identity.to_owned(), start..end))
}

/// Pieces that follow each other from one tap to the end, however they were cut.
fn covering(pieces: &[(Range<usize>, String)], from: usize, end: usize) -> Option<Vec<&str>> {
    if from == end {
        return Some(Vec::new());
    }
    pieces.iter().filter(|(taps, _)| taps.start == from && taps.end > from).find_map(|(taps, name)| {
        let rest = covering(pieces, taps.end, end)?;
        Some(std::iter::once(name.as_str()).chain(rest).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_any_cut_cover_all_taps_or_do_not() {
        let identity = "0123456789abcdef0123";
        let pieces = |cuts: &[Range<usize>]| -> Vec<(Range<usize>, String)> {
            cuts.iter().map(|taps| (taps.clone(), name(identity, taps))).collect()
        };
        let all = pieces(&[0..2, 0..3, 2..3, 3..7]);
        assert_eq!(covering(&all, 0, 7).unwrap().len(), 3);
        assert!(covering(&pieces(&[0..2, 3..7]), 0, 7).is_none());
        assert!(covering(&all, 0, 8).is_none());
        assert_eq!(parsed(&all[1].1), Some((identity[..LETTERS].to_owned(), 0..3)));
        assert_eq!(parsed("part-x"), None);
    }
}
