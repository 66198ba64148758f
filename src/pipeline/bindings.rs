//! The binding turned into rows.

use serde_json::json;

use super::Plan;
use crate::graph::Feed;
use crate::table::BindingRow;

/// Who feeds whom on what evidence, what is left over on either side, and the proof.
pub(super) fn rows(plan: &Plan) -> Vec<BindingRow> {
    let blank = |role: &str| BindingRow {
        run: plan.name.clone(),
        role: role.to_owned(),
        reference: plan.reference.clone(),
        ..BindingRow::default()
    };
    let feed = |feed: &Feed| BindingRow {
        initializer: Some(feed.initializer.clone()),
        shape: Some(json!(feed.shape).to_string()),
        kind: Some(feed.kind.name().to_owned()),
        source: Some(feed.recipe.to_string()),
        recipe: Some(json!(feed.recipe).to_string()),
        evidence: Some(feed.evidence.words().to_owned()),
        guess: Some(feed.evidence.is_guess()),
        rounded: feed.rounded.map(|kind| kind.name().to_owned()),
        largest_difference: feed.largest_difference,
        ..blank("feed")
    };
    let binding = &plan.binding;
    let feeds = binding.feeds.iter().map(feed);
    let constants = binding.constants.iter().map(|(initializer, reason)| BindingRow {
        initializer: Some(initializer.clone()),
        evidence: Some((*reason).to_owned()),
        ..blank("constant")
    });
    let leftovers = binding.leftovers.iter().map(|(tensor, reason)| BindingRow {
        tensor: Some(tensor.clone()),
        evidence: Some(reason.words()),
        ..blank("leftover")
    });
    let proof = plan.proof.iter().map(|proof| BindingRow {
        tensor: Some(proof.tensor.clone()).filter(|tensor| !tensor.is_empty()),
        largest_difference: Some(proof.largest_difference),
        n_samples: Some(proof.n_samples as u64),
        holds: Some(proof.holds()),
        ..blank("proof")
    });
    feeds.chain(constants).chain(leftovers).chain(proof).collect()
}
