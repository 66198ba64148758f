//! One measure against another, through which layers move over training.

use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::element::{Circle, PathElement, Text};
use plotters::prelude::{BLACK, Color, DrawingArea, DrawingBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};

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
        let mut names = Vec::new();
        for (tap, color) in colors.iter().enumerate() {
            let way = self.way(tap);
            let places: Vec<(f64, f64)> = way.iter().map(|(across, up)| (across.value, up.value)).collect();
            // Piece by piece: where a thick line turns back, a joint would stick out as a spike.
            let pieces = places.windows(2).map(|ends| PathElement::new(ends.to_vec(), color.stroke_width(3)));
            chart.draw_series(pieces)?;
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
            names.push((across.value, up.value, self.run.taps[tap].as_str()));
        }
        let ranges = [ends(all(self.across).iter()), ends(all(self.up).iter())].map(|range| range.end - range.start);
        let beside = text(20).pos(Pos::new(HPos::Left, VPos::Center));
        // Beside the mark in units of the axis: spaces in front of a name are lost in SVG.
        chart.draw_series(
            apart(names, ranges)
                .into_iter()
                .map(|(across, up, name)| Text::new(name.to_owned(), (across + 0.014 * ranges[0], up), beside.clone())),
        )?;
        Ok(())
    }
}

/// Names beside marks, moved up where they would cover one that stands there.
fn apart(mut names: Vec<(f64, f64, &str)>, [width, height]: [f64; 2]) -> Vec<(f64, f64, &str)> {
    names.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut placed: Vec<(f64, f64, &str)> = Vec::new();
    for (across, mut up, name) in names {
        placed.sort_by(|a, b| a.1.total_cmp(&b.1));
        for other in &placed {
            if (other.0 - across).abs() < 0.13 * width && (other.1 - up).abs() < 0.03 * height {
                up = other.1 + 0.03 * height;
            }
        }
        placed.push((across, up, name));
    }
    placed
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
