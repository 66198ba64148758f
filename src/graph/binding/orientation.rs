//! Which of several layouts is meant.
//!
//! A symmetric matrix, an identity or a block of zeros is its own transpose at the reference
//! checkpoint, and something else later. The other weights of the same kind of operator tell how this
//! exporter lays them out, and the convention of the framework that the name shows says how it should
//! be: where both agree, there is no doubt.

use std::collections::{BTreeMap, BTreeSet};

use super::Evidence;
use super::index::{Index, Known};
use super::layout::Piece;
use super::names::Order;
use super::ties::Choice;
use super::wiring::Wiring;

/// Leaves each choice the layout that is meant, as the only one.
pub(super) fn settle(choices: &mut [Choice], shapes: &BTreeMap<&str, &[usize]>, index: &Index<'_>, wiring: &Wiring) {
    let certain: Vec<(Vec<String>, Option<Vec<usize>>)> = choices
        .iter()
        .filter(|choice| choice.candidate.pieces.len() == 1 && !choice.evidence.is_guess() && rank(index, choice) > 1)
        .map(|choice| (manners(choice, wiring), choice.candidate.pieces[0].axes.clone()))
        .collect();
    for choice in choices.iter_mut().filter(|choice| choice.candidate.pieces.len() > 1) {
        let tensor = &index.tensors[choice.candidate.tensor];
        let pieces = &choice.candidate.pieces;
        let is_itself = tensor.name == choice.slot.initializer
            && shapes.get(tensor.name).is_some_and(|shape| *shape == tensor.shape);
        if is_itself && pieces[0].axes.is_none() {
            choice.candidate.pieces.truncate(1);
            continue;
        }
        let own = manners(choice, wiring);
        let like = certain.iter().filter(|(manners, _)| manners.iter().any(|manner| own.contains(manner)));
        let like: BTreeSet<&Option<Vec<usize>>> = like.map(|(_, axes)| axes).collect();
        let by_like = match like.into_iter().collect::<Vec<_>>()[..] {
            [axes] => pieces.iter().find(|piece| piece.axes == *axes),
            _ => None,
        };
        let wanted = choice.slot.uses.iter().find_map(|&place| wiring.order(place));
        let by_convention = conventional(tensor, wanted, pieces);
        let agrees = by_like.is_some() && by_like == by_convention;
        let piece = by_like.or(by_convention).unwrap_or(&pieces[0]).clone();
        choice.candidate.pieces = vec![piece];
        // What was doubtful about the tensor stays so.
        if !choice.evidence.is_guess() {
            choice.evidence = if agrees { Evidence::TieByLayout } else { Evidence::Guessed };
        }
    }
}

fn rank(index: &Index<'_>, choice: &Choice) -> usize {
    index.tensors[choice.candidate.tensor].shape.iter().filter(|&&size| size > 1).count()
}

/// What takes the weight: operator, input and attributes that change its layout.
fn manners(choice: &Choice, wiring: &Wiring) -> Vec<String> {
    choice.slot.uses.iter().filter_map(|&place| wiring.manner(place)).collect()
}

/// The layout that the framework of the name and the operator agree on.
fn conventional<'p>(tensor: &Known<'_>, wanted: Option<Order>, pieces: &'p [Piece]) -> Option<&'p Piece> {
    let (wanted, found) = (wanted?, tensor.parsed.order?);
    let turned = (wanted != found).then(|| wanted.turned(tensor.shape.len()));
    pieces.iter().find(|piece| piece.axes == turned)
}
