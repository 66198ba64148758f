//! `report` and `plot`: one HTML file, one figure.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use infoplane::report::{self, Figure, FileKind, Measures, Runs};

use super::print;
use crate::cli::{FigureKind, Plot, Report};

/// `report`: writes the page and says how large it is.
pub(crate) fn report(arguments: &Report) -> anyhow::Result<ExitCode> {
    let page = report::page(&Runs::open(&arguments.results)?)?;
    write(&arguments.output, page.as_bytes())
}

/// `plot`: writes the figure and says how large it is.
pub(crate) fn plot(arguments: &Plot) -> anyhow::Result<ExitCode> {
    let kind = match arguments.output.extension().and_then(|extension| extension.to_str()) {
        Some("svg") => FileKind::Svg,
        Some("png") => FileKind::Png,
        _ => bail!("`{}`: needed a name that ends with `.svg` or `.png`", arguments.output.display()),
    };
    let figure = match arguments.figure {
        FigureKind::Curves => Figure::Curves,
        FigureKind::HeatMap => Figure::HeatMap,
        FigureKind::Plane => Figure::Plane,
    };
    let measures = Measures { names: arguments.measure.clone(), until: arguments.until };
    let runs = Runs::open(std::slice::from_ref(&arguments.results))?;
    write(&arguments.output, &report::plot(&runs, figure, &measures, kind)?)
}

/// Writes a file, or says which one could not be written.
fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<ExitCode> {
    fs::write(path, bytes)
        .with_context(|| format!("`{}`: cannot write; choose another file with `-o`", path.display()))?;
    print(&format!("{}: {} kB\n", path.display(), bytes.len().div_ceil(1000)))?;
    Ok(ExitCode::SUCCESS)
}
