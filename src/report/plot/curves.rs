//! Measures over steps, one panel a measure.

use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::element::{Circle, Polygon};
use plotters::prelude::{BLACK, Color, DrawingArea, DrawingBackend};
use plotters::series::LineSeries;

use super::canvas::{Draw, Drawn};
use super::legend::{self, layer_colors, text};
use super::steps::Steps;
use crate::report::page::curve::{Measure, Point};
use crate::report::page::number::number;
use crate::report::page::run::Run;

/// Pixels of one panel.
const PANEL: (u32, u32) = (800, 480);

/// Panels side by side.
const COLUMNS: u32 = 2;

/// Measures of a run.
pub(super) struct Curves<'r> {
    pub run: &'r Run,
    pub measures: Vec<&'r Measure>,
}

impl Draw for Curves<'_> {
    fn size(&self) -> (u32, u32) {
        let count = u32::try_from(self.measures.len()).unwrap_or(u32::MAX);
        let columns = count.min(COLUMNS);
        let width = columns * PANEL.0;
        (width, legend::height(&self.run.taps, width) + count.div_ceil(COLUMNS) * PANEL.1)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let (width, _) = self.size();
        let (names, panels) = area.split_vertically(legend::height(&self.run.taps, width));
        legend::draw(&names, &self.run.taps, width)?;
        let columns = self.measures.len().min(COLUMNS as usize);
        let panels = panels.split_evenly((self.measures.len().div_ceil(columns), columns));
        panels.iter().zip(&self.measures).try_for_each(|(panel, measure)| self.panel(panel, measure))
    }
}

impl Curves<'_> {
    fn panel<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, measure: &Measure) -> Drawn<B> {
        let all = || measure.series.iter().flat_map(|series| &series.points);
        let last = all().map(|point| point.step).max().unwrap_or(0);
        let mut chart = ChartBuilder::on(area)
            .margin(14)
            .margin_right(30)
            .caption(format!("{} ({})", measure.title, measure.unit.replace('-', " ")), text(26))
            .x_label_area_size(56)
            .y_label_area_size(92)
            .build_cartesian_2d(Steps::to(last), ends(all()))?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(BLACK.mix(0.0))
            .bold_line_style(BLACK.mix(0.12))
            .y_labels(6)
            .x_desc("step")
            .label_style(text(20))
            .axis_desc_style(text(20))
            .y_label_formatter(&|value| number(*value))
            .draw()?;
        let colors =
            if measure.series.len() == self.run.taps.len() { layer_colors(measure.series.len()) } else { Vec::new() };
        for (tap, series) in measure.series.iter().enumerate() {
            let color = colors.get(tap).copied().unwrap_or(BLACK);
            let at = |point: &Point, value: f64| (point.step as f64, value);
            let known = || series.points.iter().filter_map(|point| Some((point, point.band()?)));
            let upper = known().map(|(point, (_, high))| at(point, high));
            let lower = known().map(|(point, (low, _))| at(point, low));
            let mut outline: Vec<(f64, f64)> = lower.collect();
            outline.reverse();
            let outline: Vec<(f64, f64)> = upper.chain(outline).collect();
            if !outline.is_empty() {
                chart.draw_series([Polygon::new(outline, color.mix(0.18))])?;
            }
            let points: Vec<(f64, f64)> = series.points.iter().map(|point| at(point, point.value)).collect();
            chart.draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(3)))?;
            if points.len() <= 60 {
                chart.draw_series(points.into_iter().map(|place| Circle::new(place, 4, color.filled())))?;
            }
        }
        Ok(())
    }
}

/// The range of values and bands, with some room.
pub(super) fn ends<'p>(points: impl Iterator<Item = &'p Point>) -> std::ops::Range<f64> {
    let (low, high) = points.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), point| {
        let (least, most) = point.band().unwrap_or((point.value, point.value));
        (low.min(least).min(point.value), high.max(most).max(point.value))
    });
    if low > high {
        return 0.0..1.0;
    }
    let room = if high > low { 0.05 * (high - low) } else { 0.5 * high.abs().max(1.0) };
    low - room..high + room
}
