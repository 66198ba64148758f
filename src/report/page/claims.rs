//! What happened in a run: claims that its rows carry, each with its evidence and whether it is resolved.

use super::curve::{Measure, Point};
use super::number::{number, percent, with_error};
use super::run::Run;

/// A sentence about a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Claim {
    /// What is claimed.
    pub text: String,
    /// The numbers that it rests on.
    pub evidence: String,
    /// Whether the numbers differ by more than their errors; none where no error is known.
    pub resolved: Option<bool>,
}

/// Everything that the page claims of a run.
pub(super) fn claims(run: &Run) -> Vec<Claim> {
    let mut claims: Vec<Claim> = network(run).into_iter().collect();
    for measure in run.measures.iter().filter(|measure| measure.is_main()) {
        claims.extend(change(run, measure));
        if measure.is("information", true) {
            claims.extend(compression(run, measure));
        }
        if measure.is("usable", false) {
            claims.extend(best_layer(run, measure));
            claims.extend(order(run, measure));
        }
    }
    claims
}

/// What became of the network itself.
fn network(run: &Run) -> Option<Claim> {
    let of = |name: &str| run.network.iter().find(|measure| measure.key == name).map(|found| &found.series[0].points);
    let loss = of("loss")?;
    let (first, last) = (loss.first()?, loss.last()?);
    let least = loss.iter().min_by(|a, b| a.value.total_cmp(&b.value))?;
    let course = if least.step == last.step {
        format!(" and fell to {}", number(last.value))
    } else {
        format!(
            ", was least at step {} ({}), and is {} at step {}",
            least.step,
            number(least.value),
            number(last.value),
            last.step
        )
    };
    let begun = format!("The network's loss began at {} nats{course}", number(first.value));
    let size = format!("{} checkpoints, {} samples", loss.len(), run.n_samples);
    let accuracy = of("accuracy").and_then(|points| points.first().zip(points.last()));
    Some(match accuracy {
        Some((first, last)) => Claim {
            text: format!("{begun}; its accuracy went from {} to {}.", percent(first.value), percent(last.value)),
            evidence: format!("{size}; accuracy {} and {}", with_error(first), with_error(last)),
            resolved: first.differs(last, 1),
        },
        None => Claim { text: format!("{begun}."), evidence: size, resolved: None },
    })
}

/// In which layers a measure ends higher or lower than it began.
fn change(run: &Run, measure: &Measure) -> Option<Claim> {
    let mut groups: [Vec<&str>; 4] = Default::default();
    let mut largest: Option<(usize, &Point, &Point)> = None;
    let n_layers = measure.series.len();
    for (tap, series) in measure.series.iter().enumerate() {
        let (Some(first), Some(last)) = (series.points.first(), series.points.last()) else { continue };
        if first.step == last.step {
            continue;
        }
        let place = match first.differs(last, n_layers) {
            Some(true) => usize::from(last.value < first.value),
            Some(false) => 2,
            None => 3,
        };
        groups[place].push(&run.taps[tap]);
        let moved = |first: &Point, last: &Point| (last.value - first.value).abs();
        if largest.is_none_or(|(_, a, b)| moved(first, last) > moved(a, b)) {
            largest = Some((tap, first, last));
        }
    }
    let (tap, first, last) = largest?;
    let words = ["rose in", "fell in", "shows no resolved change in", "has no known error in"];
    let parts = words.iter().zip(&groups).filter(|(_, taps)| !taps.is_empty());
    let parts: Vec<String> = parts.map(|(words, taps)| format!("{words} {}", list(taps))).collect();
    Some(Claim {
        text: format!("From the first to the last checkpoint, {} {}.", measure.title, parts.join("; it ")),
        evidence: format!(
            "most in {}: {} at step {}, {} at step {}; {}",
            run.taps[tap],
            with_error(first),
            first.step,
            with_error(last),
            last.step,
            flagged(measure)
        ),
        resolved: (groups[3].len() < groups.iter().map(Vec::len).sum())
            .then_some(groups[0].len() + groups[1].len() > 0),
    })
}

/// In which layers information about the input fell again after it had been highest.
fn compression(run: &Run, measure: &Measure) -> Option<Claim> {
    let mut fell = Vec::new();
    let mut open = Vec::new();
    let mut evidence = Vec::new();
    for (tap, series) in measure.series.iter().enumerate() {
        let peak = series.points.iter().max_by(|a, b| a.value.total_cmp(&b.value));
        let (Some(peak), Some(last)) = (peak, series.points.last()) else { continue };
        if peak.step == last.step {
            continue;
        }
        // The highest of many values is high by chance, too.
        let choices = measure.series.iter().map(|series| series.points.len()).sum();
        if peak.differs(last, choices) == Some(true) {
            fell.push(run.taps[tap].as_str());
            evidence.push(format!(
                "{}: {} at step {}, {} at step {}",
                run.taps[tap],
                with_error(peak),
                peak.step,
                with_error(last),
                last.step
            ));
        } else {
            open.push(run.taps[tap].as_str());
        }
    }
    let text = match (fell.is_empty(), open.is_empty()) {
        (true, true) => return None,
        (true, false) => {
            format!("No layer is shown to lose {} after its peak; not resolved in {}.", measure.title, list(&open))
        }
        (false, true) => format!("{} fell again after its peak in {}.", measure.title, list(&fell)),
        (false, false) => {
            format!("{} fell again after its peak in {}; not resolved in {}.", measure.title, list(&fell), list(&open))
        }
    };
    let evidence = if evidence.is_empty() { "no fall exceeds its errors".to_owned() } else { evidence.join("; ") };
    Some(Claim { text, evidence, resolved: Some(!fell.is_empty()) })
}

/// Which layer offers the most of a label at the end.
fn best_layer(run: &Run, measure: &Measure) -> Option<Claim> {
    let last = *run.steps.last()?;
    let mut at_end: Vec<(usize, &Point)> = measure
        .series
        .iter()
        .enumerate()
        .filter_map(|(tap, series)| Some((tap, series.points.last().filter(|point| point.step == last)?)))
        .collect();
    at_end.sort_by(|a, b| b.1.value.total_cmp(&a.1.value));
    let [(best, most), (second, next), ..] = at_end[..] else { return None };
    let resolved = most.differs(next, at_end.len() - 1);
    let variable = measure.columns.variable.as_deref().unwrap_or_default();
    let verb = if resolved == Some(true) { "offers the most" } else { "shows the highest value" };
    Some(Claim {
        text: format!("At step {last}, {} {verb} of {variable} to this family of probes.", run.taps[best]),
        evidence: format!(
            "{}: {} {}; next is {}: {}",
            run.taps[best],
            with_error(most),
            measure.unit,
            run.taps[second],
            with_error(next)
        ),
        resolved,
    })
}

/// Whether a measure moved before the network's loss did, as the table `lags` has it.
fn order(run: &Run, measure: &Measure) -> Option<Claim> {
    let lags = &run.lags;
    let place = |name: &str| lags.column(name);
    let (tap, parameters, name) = (place("tap")?, place("parameters")?, place("measure")?);
    let (other, event, came) = (place("other_measure")?, place("event")?, place("came")?);
    let (step, other_step) = (place("step")?, place("other_step")?);
    let rows: Vec<_> = lags
        .rows
        .iter()
        .filter(|row| row[other].as_str() == Some("loss") && row[event].as_str() == Some("onset"))
        .filter(|row| row[name].as_str() == Some(&measure.columns.measure))
        .filter(|row| row[parameters].as_str() == measure.columns.parameters.as_deref())
        .collect();
    let of = |order: Option<&str>| -> Vec<&str> {
        rows.iter().filter(|row| row[came].as_str() == order).filter_map(|row| row[tap].as_str()).collect()
    };
    let words = [("before", "before"), ("after", "after"), ("together", "together with")];
    let mut parts: Vec<String> = words
        .iter()
        .map(|(order, words)| (of(Some(order)), words))
        .filter(|(taps, _)| !taps.is_empty())
        .map(|(taps, words)| format!("{words} it in {}", list(&taps)))
        .collect();
    let settled = !parts.is_empty();
    let open = [of(Some("not-resolved")), of(None)].concat();
    if !open.is_empty() {
        parts.push(format!("in an order that is not resolved in {}", list(&open)));
    }
    let first = rows.first()?;
    let evidence = rows.iter().filter_map(|row| Some(format!("{} at step {}", row[tap].as_str()?, row[step])));
    let evidence = evidence.collect::<Vec<_>>().join(", ");
    Some(Claim {
        text: format!("Next to the loss, {} first moved {}.", measure.title, parts.join("; ")),
        evidence: format!("{evidence}; the loss at step {} (table lags, event onset)", first[other_step]),
        resolved: Some(settled),
    })
}

/// How many values of a measure carry flags.
fn flagged(measure: &Measure) -> String {
    let points = || measure.series.iter().flat_map(|series| &series.points);
    format!("{} of {} values have flags", points().filter(|point| point.flagged).count(), points().count())
}

/// Names as people list them; of many the first and the last.
fn list(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [several @ .., last] if several.len() < 6 => format!("{} and {last}", several.join(", ")),
        [first, .., last] => format!("{} layers ({first} to {last})", names.len()),
    }
}
