//! One measure against another, through which layers move over training.

use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::element::{Circle, PathElement, Text};
use plotters::prelude::{BLACK, Color, DrawingArea, DrawingBackend};
use plotters::series::LineSeries;

use super::canvas::{Draw, Drawn};
use super::curves::ends;
use super::legend::{self, layer_colors, text};
use crate::report::page::curve::{Measure, Point};
use crate::report::page::number::number;
use crate::report::page::run::Run;

const WIDTH: u32 = 1100;
const HEIGHT: u32 = 780;

/// Two measures of a run.
pub(super) struct Plane<'r> {
    pub run: &'r Run,
    pub across: &'r Measure,
    pub up: &'r Measure,
    /// The last step that is drawn.
    pub until: u64,
}

impl Draw for Plane<'_> {
    fn size(&self) -> (u32, u32) {
        (WIDTH, HEIGHT + legend::height(&self.run.taps, WIDTH))
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let (names, plane) = area.split_vertically(legend::height(&self.run.taps, WIDTH));
        legend::draw(&names, &self.run.taps, WIDTH)?;
        let all =
            |measure: &Measure| measure.series.iter().flat_map(|series| series.points.clone()).collect::<Vec<_>>();
        let mut chart = ChartBuilder::on(&plane)
            .margin(20)
            .x_label_area_size(64)
            .y_label_area_size(100)
            .build_cartesian_2d(ends(all(self.across).iter()), ends(all(self.up).iter()))?;
        let label = |measure: &Measure| format!("{} ({})", measure.title, measure.unit.replace('-', " "));
        chart
            .configure_mesh()
            .light_line_style(BLACK.mix(0.0))
            .bold_line_style(BLACK.mix(0.12))
            .x_desc(label(self.across))
            .y_desc(label(self.up))
            .label_style(text(20))
            .axis_desc_style(text(24))
            .x_label_formatter(&|value| number(*value))
            .y_label_formatter(&|value| number(*value))
            .draw()?;
        let colors = layer_colors(self.run.taps.len());
        for (tap, color) in colors.iter().enumerate() {
            let way = self.way(tap);
            let places: Vec<(f64, f64)> = way.iter().map(|(across, up)| (across.value, up.value)).collect();
            chart.draw_series(LineSeries::new(places.iter().copied(), color.stroke_width(3)))?;
            chart.draw_series(places.iter().map(|place| Circle::new(*place, 4, color.mix(0.7).filled())))?;
            let Some((across, up)) = way.last() else { continue };
            let whiskers = [
                across.band().map(|(low, high)| [(low, up.value), (high, up.value)]),
                up.band().map(|(low, high)| [(across.value, low), (across.value, high)]),
            ];
            chart.draw_series(
                whiskers.into_iter().flatten().map(|line| PathElement::new(line, color.stroke_width(2))),
            )?;
            chart.draw_series([Circle::new((across.value, up.value), 9, color.filled())])?;
            let name = Text::new(format!("   {}", self.run.taps[tap]), (across.value, up.value), text(20));
            chart.draw_series([name])?;
        }
        Ok(())
    }
}

impl Plane<'_> {
    /// The steps at which a layer has both measures, to the last one that is drawn.
    fn way(&self, tap: usize) -> Vec<(Point, Point)> {
        let up = &self.up.series[tap].points;
        let pair = |across: &Point| Some((*across, *up.iter().find(|up| up.step == across.step)?));
        let steps = self.across.series[tap].points.iter().filter(|point| point.step <= self.until);
        steps.filter_map(pair).collect()
    }
}
