//! Which of several layouts is meant.
//!
//! A symmetric matrix, an identity or a block of zeros is its own transpose at the reference
//! checkpoint, and something else later. The other weights of the same kind of operator tell how this
//! exporter lays them out; without them the convention of the framework that the name shows.

use std::collections::BTreeSet;

use super::Evidence;
use super::index::{Index, Known};
use super::layout::Piece;
use super::names::Order;
use super::ties::Choice;
use super::wiring::Wiring;

/// Leaves each choice the layout that is meant, as the only one.
pub(super) fn settle(choices: &mut [Choice], index: &Index<'_>, wiring: &Wiring) {
    let certain: Vec<(Vec<String>, Option<Vec<usize>>)> = choices
        .iter()
        .filter(|choice| choice.candidate.pieces.len() == 1 && rank(index, choice) > 1)
        .map(|choice| (places(choice, wiring), choice.candidate.pieces[0].axes.clone()))
        .collect();
    for choice in choices.iter_mut().filter(|choice| choice.candidate.pieces.len() > 1) {
        let own = places(choice, wiring);
        let like: BTreeSet<&Option<Vec<usize>>> = certain
            .iter()
            .filter(|(places, _)| places.iter().any(|place| own.contains(place)))
            .map(|(_, axes)| axes)
            .collect();
        let pieces = &choice.candidate.pieces;
        let by_like = match like.into_iter().collect::<Vec<_>>()[..] {
            [axes] => pieces.iter().find(|piece| piece.axes == *axes),
            _ => None,
        };
        let by_convention = || {
            let wanted = choice.slot.uses.iter().find_map(|&place| wiring.order(place));
            conventional(&index.tensors[choice.candidate.tensor], wanted, pieces)
        };
        let (piece, evidence) = match by_like.or_else(by_convention) {
            Some(piece) => (piece.clone(), Evidence::TieByLayout),
            None => (pieces[0].clone(), Evidence::TieByOrder),
        };
        choice.candidate.pieces = vec![piece];
        // What was doubtful about the tensor stays so.
        if choice.evidence != Evidence::TieByOrder {
            choice.evidence = evidence;
        }
    }
}

fn rank(index: &Index<'_>, choice: &Choice) -> usize {
    index.tensors[choice.candidate.tensor].shape.iter().filter(|&&size| size > 1).count()
}

/// What takes the weight: operator, input and attributes that change its layout.
fn places(choice: &Choice, wiring: &Wiring) -> Vec<String> {
    choice.slot.uses.iter().filter_map(|&place| wiring.manner(place)).collect()
}

/// The layout that the framework of the name and the operator agree on.
fn conventional<'p>(tensor: &Known<'_>, wanted: Option<Order>, pieces: &'p [Piece]) -> Option<&'p Piece> {
    let (wanted, found) = (wanted?, tensor.parsed.order?);
    let turned = (wanted != found).then(|| wanted.turned(tensor.shape.len()));
    pieces.iter().find(|piece| piece.axes == turned)
}
