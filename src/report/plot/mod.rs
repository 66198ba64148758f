//! Figures for papers, as SVG or PNG (the only folder that names `plotters`, besides the colors).
//!
//! | file | what it holds |
//! |---|---|
//! | `canvas` | a file to draw on, with a font of its own |
//! | `steps` | the axis of steps, logarithmic in 1 + step |
//! | `curves` | a measure over steps, with bands |
//! | `heat` | a measure over steps and layers |
//! | `plane` | one measure against another |
//! | `legend` | how layers look |

mod canvas;
mod curves;
mod heat;
mod legend;
mod plane;
mod steps;

pub use canvas::FileKind;
use curves::Curves;
use heat::Heat;
use plane::Plane;

use super::page::curve::Measure;
use super::page::run::Run;
use super::{ReportError, Runs};

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Each measure over steps, one panel a measure, with the network's loss and accuracy.
    Curves,
    /// Each measure over layers and steps.
    HeatMap,
    /// One measure against another, through which layers move.
    Plane,
}

/// Which measures are drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measures {
    /// By name and, behind a colon, variable, such as `usable:digit`; the main ones where there are none. Of a plane two:
    /// across and up.
    pub names: Vec<String>,
    /// Of a plane: the last step that is drawn; all where there is none.
    pub until: Option<u64>,
}

/// Draws a figure of one run: the same tables give the same bytes.
///
/// # Errors
///
/// [`ReportError::NoFigure`] where a measure is not there, or for several runs.
pub fn plot(runs: &Runs, figure: Figure, measures: &Measures, kind: FileKind) -> Result<Vec<u8>, ReportError> {
    let [(name, folder)] = runs.runs() else {
        return Err(no_figure(format!(
            "found {} runs, needed one: draw one at a time, or all side by side with `infoplane report`",
            runs.runs().len()
        )));
    };
    let run = Run::read(name, folder)?;
    let all_of_them = measures.names.is_empty();
    let run = &run;
    match figure {
        Figure::Curves => {
            let mut measures = selected(run, &measures.names)?;
            measures.extend(run.network.iter().filter(|_| all_of_them));
            canvas::file(kind, &Curves { run, measures })
        }
        Figure::HeatMap => canvas::file(kind, &Heat { run, measures: selected(run, &measures.names)? }),
        Figure::Plane => {
            let [across, up] = axes(run, &measures.names)?;
            canvas::file(kind, &Plane { run, across, up, until: measures.until.unwrap_or(u64::MAX) })
        }
    }
}

/// The measures of some names; the main ones where there are none.
fn selected<'r>(run: &'r Run, names: &[String]) -> Result<Vec<&'r Measure>, ReportError> {
    let mut all = Vec::new();
    for name in names {
        let found: Vec<&Measure> = run.measures.iter().filter(|measure| is(measure, name)).collect();
        if found.is_empty() {
            return Err(unknown(run, name));
        }
        all.extend(found);
    }
    if names.is_empty() {
        all.extend(run.measures.iter().filter(|measure| measure.is_main()));
    }
    if all.is_empty() {
        return Err(no_figure("found no measure of the layers, needed one at least".to_owned()));
    }
    Ok(all)
}

/// The measures of the two axes of a plane: information about the input against that about a label, or what is readable of it.
fn axes<'r>(run: &'r Run, names: &[String]) -> Result<[&'r Measure; 2], ReportError> {
    if let [across, up] = names {
        // Several of one name differ in their settings: the first one of the pipeline file is taken, and the axis names it.
        let first = |name: &String| selected(run, std::slice::from_ref(name)).map(|found| found[0]);
        return Ok([first(across)?, first(up)?]);
    }
    if !names.is_empty() {
        return Err(no_figure(format!("found {} measures, needed two for a plane: across and up", names.len())));
    }
    let first = |wanted: &dyn Fn(&Measure) -> bool| run.measures.iter().find(|measure| wanted(measure));
    let across = first(&|measure| measure.is("information", true));
    let up = first(&|measure| measure.is("information", false)).or(first(&|measure| measure.is("usable", false)));
    across.zip(up).map(|(across, up)| [across, up]).ok_or_else(|| {
        no_figure(format!(
            "found no information about both the input and a label; needed two measures, such as `--measure {}`",
            names_of(run).into_iter().take(2).collect::<Vec<_>>().join(" --measure ")
        ))
    })
}

fn is(measure: &Measure, name: &str) -> bool {
    let (wanted, variable) = name.split_once(':').map_or((name, None), |(wanted, variable)| (wanted, Some(variable)));
    let columns = &measure.columns;
    columns.measure == wanted
        && columns.class.is_none()
        && variable.is_none_or(|variable| columns.variable.as_deref() == Some(variable))
}

fn unknown(run: &Run, name: &str) -> ReportError {
    no_figure(format!("found no measure `{name}`, needed one of: {}", names_of(run).join(", ")))
}

fn names_of(run: &Run) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for measure in run.measures.iter().filter(|measure| measure.columns.class.is_none()) {
        let variable = measure.columns.variable.as_deref().unwrap_or_default();
        let name = format!("{}:{variable}", measure.columns.measure);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn no_figure(reason: String) -> ReportError {
    ReportError::NoFigure { reason }
}
