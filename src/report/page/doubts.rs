//! Every flag and failure, in words that say what they mean for the numbers.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::run::Run;
use crate::report::flag_words;

/// Reasons that are shown one by one; the rest is counted.
const MOST_REASONS: usize = 40;

/// The flags and failures of a run.
pub(super) fn doubts(run: &Run) -> Markup {
    html! {
        p {
            (run.rows.0) " rows have a value, " (run.flagged) " of them a flag; " (run.rows.1) " have none."
        }
        (flags(run))
        (failures(run))
    }
}

fn flags(run: &Run) -> Markup {
    let mut flags: Vec<_> = run.flags.iter().collect();
    flags.sort_by_key(|(name, (count, _))| (std::cmp::Reverse(*count), name.as_str()));
    html! {
        @if !flags.is_empty() {
            div.scroll tabindex="0" role="region" aria-label="flags" {
                table {
                    thead { tr { th { "flag" } th.number { "rows" } th { "of" } th { "what it means for the number" } } }
                    tbody {
                        @for (name, (count, measures)) in flags {
                            tr {
                                th scope="row" { code { (name) } }
                                td.number { (count) }
                                td { (measures.join(", ")) }
                                td.words { (flag_words(name).unwrap_or("This version of infoplane does not know the flag; that which wrote the table does.")) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Why rows have no value: one line a reason, with what it is about.
fn failures(run: &Run) -> Markup {
    let mut reasons: BTreeMap<&str, (usize, Vec<&str>)> = BTreeMap::new();
    for (reason, about, count) in &run.failures {
        let (total, abouts) = reasons.entry(reason).or_default();
        *total += count;
        abouts.push(about);
    }
    let shown = |abouts: &[&str]| match abouts {
        [first, second, third, rest @ ..] if !rest.is_empty() => {
            format!("{first}, {second}, {third} and {} more", rest.len())
        }
        _ => abouts.join(", "),
    };
    html! {
        @if !reasons.is_empty() {
            div.scroll tabindex="0" role="region" aria-label="failures" {
                table {
                    thead { tr { th { "why there is no value" } th.number { "rows" } th { "of" } } }
                    tbody {
                        @for (reason, (count, abouts)) in reasons.iter().take(MOST_REASONS) {
                            tr { td.words { (reason) } td.number { (count) } td { (shown(abouts)) } }
                        }
                    }
                }
            }
            @if reasons.len() > MOST_REASONS {
                p { "And " (reasons.len() - MOST_REASONS) " more reasons: the column " code { "error" } " has them." }
            }
            p { "A row without a value is left out of every figure and claim on this page; lines bridge the gap." }
        }
    }
}
