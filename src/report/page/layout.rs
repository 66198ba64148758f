//! The page.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use super::claims::{Claim, claims};
use super::doubts::doubts;
use super::figures::figures;
use super::labels::Labels;
use super::origin::{binding, plan};
use super::pictures::{Kept, Pictures, Row, pictures};
use super::run::Run;
use crate::report::ReportError;

/// The plotting library, as published: see `vendor/README.md`.
const LIBRARY: [&str; 2] = [include_str!("vendor/d3.min.js"), include_str!("vendor/plot.umd.min.js")];

const STYLE: &str = include_str!("page.css");
const SCRIPTS: [&str; 4] =
    [include_str!("data.js"), include_str!("plane.js"), include_str!("curves.js"), include_str!("start.js")];

/// Nothing is loaded from anywhere: the browser itself refuses.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:";

pub(super) fn page(runs: &[Run]) -> Result<String, ReportError> {
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    let labels = Labels::of(runs);
    let mut data = figures(runs);
    data["task"] = labels.as_ref().map_or(Value::Null, |labels| Value::from(labels.task.as_str()));
    let several = runs.len() > 1;
    let title = format!("What each layer knew: {}", names.join(", "));
    let pictures = runs.iter().map(pictures).collect::<Result<Vec<_>, _>>()?;
    let bindings = runs.iter().map(binding).collect::<Result<Vec<_>, _>>()?;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#happened" { "Skip to what happened" }
                header {
                    p.kind { "infoplane report" }
                    h1 { (title) }
                    nav aria-label="sections" {
                        a href="#happened" { "What happened" }
                        a href="#plane" { "Information plane" }
                        @if labels.is_some() { a href="#sufficiency" { "Task and nuisances" } }
                        a href="#measures" { "Measures" }
                        @if pictures.iter().any(|found| !found.is_empty()) { a href="#pictures" { "Reconstructions" } }
                        a href="#doubts" { "Doubts" }
                        a href="#binding" { "Binding" }
                        a href="#plan" { "Plan" }
                    }
                }
                main {
                    section #happened { h2 { "What happened" } (happened(runs)) }
                    section #plane {
                        h2 { "Information plane" }
                        div #plane-controls {}
                        figure #plane-figure {}
                        p.note { "Each mark is a layer at the step of the slider, its line the way it came; whiskers are the bands that are explained below." }
                    }
                    @if let Some(labels) = &labels {
                        section #sufficiency {
                            h2 { "Task against nuisances" }
                            p {
                                "How much of what the network is trained for (" strong { (labels.task) } ") a layer offers to a family of probes, and how much of what it is not trained for ("
                                (labels.others.join(", ")) "). Up is sufficient for the task; left is minimal about the nuisance."
                            }
                            div #sufficiency-controls {}
                            figure #sufficiency-figure {}
                            @if !labels.certain {
                                p.note { "The tables do not say which label the network was trained for: the first one is taken. Choose others above." }
                            }
                        }
                    }
                    section #measures {
                        h2 { "Every measure over training" }
                        div #measure-controls {}
                        div #cards {}
                        (reading(several))
                    }
                    @if pictures.iter().any(|found| !found.is_empty()) {
                        section #pictures {
                            h2 { "What each layer gives back of the input" }
                            @for (run, found) in runs.iter().zip(&pictures) { (of_run(run, several, reconstructions(found))) }
                        }
                    }
                    section #doubts {
                        h2 { "Doubts: flags and failures" }
                        @for run in runs { (of_run(run, several, doubts(run))) }
                    }
                    section #binding {
                        h2 { "Binding and proof" }
                        @for (run, binding) in runs.iter().zip(&bindings) { (of_run(run, several, binding.clone())) }
                    }
                    section #plan {
                        h2 { "Plan and versions" }
                        @for run in runs { (of_run(run, several, plan(run))) }
                    }
                }
                footer {
                    p { "Made by infoplane " (env!("CARGO_PKG_VERSION")) " from Parquet tables; figures by Observable Plot and D3 (ISC license, in this file). Nothing is loaded from anywhere." }
                }
                noscript { p.noscript { "The figures need JavaScript; everything in words is here without it." } }
                script #data type="application/json" { (PreEscaped(json(&data))) }
                @for script in LIBRARY.iter().chain(&SCRIPTS) { script { (PreEscaped(script)) } }
            }
        }
    };
    Ok(page.into_string())
}

/// Something about each run, under its name where there are several.
fn of_run(run: &Run, several: bool, inner: Markup) -> Markup {
    html! {
        @if several { h3 { (run.name) } }
        (inner)
    }
}

fn happened(runs: &[Run]) -> Markup {
    html! {
        @for run in runs {
            @let claims = claims(run);
            (of_run(run, runs.len() > 1, html! {
                @if claims.is_empty() { p { "The tables carry no value of which something could be claimed." } }
                ul.claims { @for claim in &claims { (self::claim(claim)) } }
            }))
        }
        p.note {
            "Each line is generated from the tables. " b { "Resolved" } ": the values differ by more than 1.96 standard errors of their difference, "
            "more where the largest of several was chosen (Bonferroni). Standard errors are of the variance over samples and say nothing of bias, "
            "or of other seeds: one run is one draw."
        }
    }
}

fn claim(claim: &Claim) -> Markup {
    let (class, words) = match claim.resolved {
        Some(true) => ("yes", "resolved"),
        Some(false) => ("no", "not resolved"),
        None => ("unknown", "no error known"),
    };
    html! {
        li {
            span.badge.(class) { (words) }
            " " (claim.text) " " span.evidence { (claim.evidence) }
        }
    }
}

fn reading(several: bool) -> Markup {
    html! {
        p.note {
            "Bands are the rows’ own intervals, or 1.96 standard errors about the value where there are none"
            @if several { "; of several runs they are one standard deviation over runs about their mean, at the steps that all runs have" }
            ". Hollow marks have flags, which are explained below. Phases are those of the table " code { "phases" }
            ", found by thresholds; a dashed edge is not resolved. The axis of steps is logarithmic in 1 + step, so that step 0 has its place."
        }
    }
}

fn reconstructions(all: &[Pictures]) -> Markup {
    html! {
        @for pictures in all {
            h4 { (pictures.title) }
            p.note { (pictures.layout) "." }
            div.beside { @for kept in &pictures.kept { (self::kept(kept)) } }
            @if !pictures.memory.is_empty() {
                (grid(
                    "Memory map: which positions each layer forgets",
                    &pictures.memory_steps.iter().map(|step| format!("step {step}")).collect::<Vec<_>>(),
                    &pictures.memory,
                ))
                p.note.scale {
                    "0 % unexplained " span.viridis {} " 100 % or more (as the training mean does); gray: the position never varies."
                }
            }
        }
    }
}

fn kept(kept: &Kept) -> Markup {
    let samples: Vec<String> = kept.samples.iter().map(|sample| format!("sample {sample}")).collect();
    grid(&format!("Inputs beside what each layer gives back, step {}", kept.step), &samples, &kept.rows)
}

/// Pictures in lines and columns.
fn grid(caption: &str, columns: &[String], rows: &[Row]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table.pictures {
                caption { (caption) }
                thead { tr { td {} @for name in columns { th scope="col" { (name) } } } }
                tbody {
                    @for row in rows {
                        tr {
                            th scope="row" { (row.name) }
                            @for cell in &row.cells {
                                td {
                                    @match cell {
                                        Some((address, words)) => { img src=(address) alt=(words) title=(words); }
                                        None => { "–" }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// JSON that cannot end the element that it stands in.
fn json(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c")
}
