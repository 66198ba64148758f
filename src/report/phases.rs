//! Phases and lags of curves, as rows.

use rayon::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Answer, NamedCurve};
use crate::dynamics::{ChangePoints, Curve, CurveError, Direction, Event, Of, Phase, Smooth, ThreePhases};
use crate::table::{CurveColumns, LagRow, PhaseRow};

/// Measures that learning moves down first.
pub(super) const FALLING: [&str; 4] = ["loss", "reconstruction", "fraction-unexplained", "code-length"];

/// Measures whose curves are compared with each other.
const MAIN: [&str; 4] = ["information", "usable", "reconstruction", "loss"];

/// How phases are looked for, where the measure does not say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PhaseSettings {
    /// How far a curve must have moved to be no longer constant.
    pub onset: f64,
    /// How far from its extremum it may be and still be on the plateau.
    pub plateau: f64,
    /// How many standard errors values may be off.
    pub errors: f64,
    /// Which way learning moves curves; by the measure without it: losses fall, all others rise.
    pub direction: Option<Direction>,
    /// What thresholds are parts of; without it of the value for what falls and is positive, else of the range.
    pub of: Option<Of>,
}

impl Default for PhaseSettings {
    fn default() -> Self {
        let ThreePhases { onset, plateau, errors, .. } = ThreePhases::falling(Smooth::None);
        Self { onset, plateau, errors, direction: None, of: None }
    }
}

/// Phases and lags of some curves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Phases {
    /// The phases of each curve by each method.
    pub phases: Vec<PhaseRow>,
    /// Which of two curves turned first.
    pub lags: Vec<LagRow>,
    /// Curves without phases, and why.
    pub failed: Vec<(CurveColumns, CurveError)>,
}

/// The phases of every curve, and the lags between those that compare.
#[must_use]
pub fn phases(curves: &[NamedCurve], settings: &PhaseSettings) -> Phases {
    let results: Vec<_> = curves
        .par_iter()
        .map(|named| {
            let curve = named.curve()?;
            let raw = settings.of(&named.columns.measure, &curve, Smooth::None);
            let smooth = ThreePhases { smooth: Smooth::Median3, ..raw };
            let changes = ChangePoints { errors: settings.errors, ..ChangePoints::default() };
            let mut rows = rows(named, "three-phases", &raw, raw.phases(&curve)?);
            rows.extend(self::rows(named, "three-phases-median", &smooth, smooth.phases(&curve)?));
            rows.extend(self::rows(named, "change-points", &changes, changes.phases(&curve)));
            Ok((rows, events_of(&curve, &smooth)?, with_what_was_left_out(&smooth, named)))
        })
        .collect();
    let mut found = Phases::default();
    let mut events = Vec::new();
    for (named, result) in curves.iter().zip(results) {
        match result {
            Ok((rows, of_curve, settings)) => {
                found.phases.extend(rows);
                events.push((&named.columns, of_curve, settings));
            }
            Err(error) => found.failed.push((named.columns.clone(), error)),
        }
    }
    for (place, (own, events_of_own, settings)) in events.iter().enumerate() {
        for (other, events_of_other, _) in events.iter().take(place).filter(|(other, ..)| compare(own, other)) {
            for (name, event) in events_of_own {
                if let Some((_, other_event)) = events_of_other.iter().find(|(other, _)| other == name) {
                    found.lags.push(lag((*own, other), name, (event, other_event), settings));
                }
            }
        }
    }
    found
}

impl Phases {
    /// The rows of the phases: in full, or what people look at first.
    #[must_use]
    pub fn phase_table(&self, full: bool) -> Answer {
        let mut columns = vec!["tap", "measure", "variable", "method", "phase", "from_step", "to_step"];
        columns.extend(["from_earliest", "from_latest", "resolved"]);
        if full {
            columns.extend(["given", "class", "subset", "estimator", "parameters", "settings", "n_checkpoints"]);
        }
        let shown = self.phases.iter().filter(|row| full || row.curve.class.is_none());
        let rows = shown.map(|row| {
            let curve = &row.curve;
            let mut cells = vec![json!(curve.tap), json!(curve.measure), json!(curve.variable), json!(row.method)];
            cells.extend([json!(row.phase), json!(row.from_step), json!(row.to_step)]);
            cells.extend([json!(row.from_earliest), json!(row.from_latest), json!(row.resolved)]);
            if full {
                cells.extend([json!(curve.given), json!(curve.class), json!(curve.subset), json!(curve.estimator)]);
                cells.extend([json!(curve.parameters), json!(row.settings), json!(row.n_checkpoints)]);
            }
            cells
        });
        Answer { columns: columns.into_iter().map(str::to_owned).collect(), rows: rows.collect() }
    }

    /// The rows of the lags.
    #[must_use]
    pub fn lag_table(&self) -> Answer {
        let columns = ["tap", "measure", "variable", "event", "step", "other_tap", "other_measure", "other_variable"];
        let more = ["other_step", "octaves", "octaves_low", "octaves_high", "came"];
        let rows = self.lags.iter().map(|row| {
            let curve = &row.curve;
            let mut cells = vec![json!(curve.tap), json!(curve.measure), json!(curve.variable), json!(row.event)];
            cells.extend([json!(row.step), json!(row.other_tap), json!(row.other_measure), json!(row.other_variable)]);
            let rounded = |octaves: f64| (octaves * 100.0).round() / 100.0;
            cells.extend([json!(row.other_step), json!(rounded(row.octaves)), json!(row.octaves_low.map(rounded))]);
            cells.extend([json!(row.octaves_high.map(rounded)), json!(row.came)]);
            cells
        });
        Answer { columns: columns.into_iter().chain(more).map(str::to_owned).collect(), rows: rows.collect() }
    }
}

impl PhaseSettings {
    pub(super) fn of(&self, measure: &str, curve: &Curve, smooth: Smooth) -> ThreePhases {
        let falls = if FALLING.contains(&measure) { Direction::Falling } else { Direction::Rising };
        let direction = self.direction.unwrap_or(falls);
        let positive = curve.values().iter().all(|&value| value > 0.0);
        let own = if direction == Direction::Falling && positive { Of::Value } else { Of::Range };
        let of = self.of.unwrap_or(own);
        ThreePhases { direction, onset: self.onset, plateau: self.plateau, of, smooth, errors: self.errors }
    }
}

fn rows(named: &NamedCurve, method: &str, settings: &impl Serialize, phases: Vec<Phase>) -> Vec<PhaseRow> {
    let settings = with_what_was_left_out(settings, named);
    let row = |phase: Phase| PhaseRow {
        curve: named.columns.clone(),
        phase: word(&phase.name),
        from_step: phase.from_step,
        to_step: phase.to_step,
        from_earliest: phase.from_earliest,
        from_latest: phase.from_latest,
        resolved: phase.resolved,
        method: method.to_owned(),
        settings: settings.clone(),
        n_checkpoints: (named.points.len() - named.doubtful.len()) as u64,
    };
    phases.into_iter().map(row).collect()
}

/// What happens to a curve; the extremum only where the curve has left its first values.
fn events_of(curve: &Curve, settings: &ThreePhases) -> Result<Vec<(&'static str, Event)>, CurveError> {
    let found = settings.find(curve)?;
    let turn = found.onset.is_some().then_some(found.turn);
    let all = [("onset", found.onset), ("turn", turn), ("back", found.back)];
    Ok(all.into_iter().filter_map(|(name, boundary)| Some((name, Event::new(curve, &boundary?)))).collect())
}

/// Whether two curves compare: with the network's loss, a measure of a layer with that of the layer before, and two
/// measures of a layer.
fn compare(own: &CurveColumns, other: &CurveColumns) -> bool {
    let main = |curve: &CurveColumns| curve.class.is_none() && MAIN.contains(&curve.measure.as_str());
    let before = own.parameters == other.parameters
        && own.measure == other.measure
        && own.tap_index.zip(other.tap_index).is_some_and(|(own, other)| own == other + 1);
    main(own) && main(other) && (other.tap.is_none() || own.tap == other.tap || before)
}

fn lag((own, other): (&CurveColumns, &CurveColumns), event: &str, of: (&Event, &Event), settings: &str) -> LagRow {
    let lag = of.0.behind(of.1);
    LagRow {
        curve: own.clone(),
        other_tap: other.tap.clone(),
        other_measure: other.measure.clone(),
        other_variable: other.variable.clone(),
        other_parameters: other.parameters.clone(),
        event: event.to_owned(),
        step: of.0.step,
        other_step: of.1.step,
        octaves: lag.octaves,
        octaves_low: lag.interval.and_then(|(low, _)| low),
        octaves_high: lag.interval.and_then(|(_, high)| high),
        came: lag.order.as_ref().map(word),
        settings: settings.to_owned(),
    }
}

/// The name of a choice, as files spell it.
fn word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).expect("a name can be written as JSON");
    value.as_str().map(str::to_owned).unwrap_or_default()
}

/// Settings as JSON, with the steps whose value hangs on one sample and is left out, and of how many checkpoints points
/// were taken, where that is to be told.
fn with_what_was_left_out(settings: &impl Serialize, named: &NamedCurve) -> String {
    let mut settings: Value = serde_json::to_value(settings).expect("settings can be written as JSON");
    if !named.doubtful.is_empty() {
        settings["left_out"] = json!(named.doubtful);
    }
    if let Some(checkpoints) = named.thinned_from {
        settings["thinned_from"] = json!(checkpoints);
    }
    settings.to_string()
}
