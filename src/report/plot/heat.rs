//! Measures over layers and steps, one panel a measure.

use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::element::Rectangle;
use plotters::prelude::{BLACK, Color, DrawingArea, DrawingBackend, IntoSegmentedCoord, RGBColor, SegmentValue};

use super::canvas::{Draw, Drawn};
use super::legend::text;
use crate::report::colors::viridis;
use crate::report::page::curve::Measure;
use crate::report::page::number::number;
use crate::report::page::run::Run;

const WIDTH: u32 = 1000;

/// Pixels of one layer.
const ROW: u32 = 44;

/// Pixels of a panel besides its layers.
const REST: u32 = 130;

/// Pixels to the right of a panel, for the scale.
const SCALE: u32 = 130;

/// Measures of a run.
pub(super) struct Heat<'r> {
    pub run: &'r Run,
    pub measures: Vec<&'r Measure>,
}

impl Draw for Heat<'_> {
    fn size(&self) -> (u32, u32) {
        let taps = u32::try_from(self.run.taps.len()).unwrap_or(u32::MAX / 64);
        (WIDTH, u32::try_from(self.measures.len()).unwrap_or(1) * (taps.max(3) * ROW + REST))
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let panels = area.split_evenly((self.measures.len(), 1));
        panels.iter().zip(&self.measures).try_for_each(|(panel, measure)| self.panel(panel, measure))
    }
}

impl Heat<'_> {
    fn panel<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, measure: &Measure) -> Drawn<B> {
        let values = || measure.series.iter().flat_map(|series| &series.points).map(|point| point.value);
        let low = values().fold(f64::INFINITY, f64::min);
        let high = values().fold(f64::NEG_INFINITY, f64::max);
        let part = |value: f64| if high > low { (value - low) / (high - low) } else { 0.5 };
        let (map, scale) = area.split_horizontally(WIDTH - SCALE);
        let (taps, steps) = (&self.run.taps, &self.run.steps);
        let mut chart = ChartBuilder::on(&map)
            .margin(14)
            .caption(format!("{} ({})", measure.title, measure.unit.replace('-', " ")), text(26))
            .x_label_area_size(56)
            .y_label_area_size(170)
            // Segments are counted to the last one, which belongs to them.
            .build_cartesian_2d(
                (0..steps.len().saturating_sub(1)).into_segmented(),
                (0..taps.len().saturating_sub(1)).into_segmented(),
            )?;
        // The first layer is at the top, as a network is read.
        let line = |tap: usize| taps.len() - 1 - tap;
        let name = |value: &SegmentValue<usize>| {
            place(value).filter(|line| *line < taps.len()).map_or_else(String::new, |found| short(&taps[line(found)]))
        };
        let step = |value: &SegmentValue<usize>| {
            place(value).and_then(|place| steps.get(place)).map_or_else(String::new, u64::to_string)
        };
        chart
            .configure_mesh()
            .disable_mesh()
            .x_labels(9)
            .y_labels(taps.len())
            .x_label_formatter(&step)
            .y_label_formatter(&name)
            .x_desc("step (one column a checkpoint)")
            .label_style(text(20))
            .axis_desc_style(text(20))
            .draw()?;
        let cells = measure.series.iter().enumerate().flat_map(|(tap, series)| {
            series.points.iter().filter_map(move |point| {
                let column = steps.iter().position(|step| *step == point.step)?;
                let corner = |right, up| (SegmentValue::Exact(column + right), SegmentValue::Exact(line(tap) + up));
                Some(([corner(0, 0), corner(1, 1)], point.value))
            })
        });
        chart.draw_series(cells.map(|(corners, value)| Rectangle::new(corners, rgb(part(value)).filled())))?;
        let mut key = ChartBuilder::on(&scale)
            .margin_top(60)
            .margin_bottom(70)
            .right_y_label_area_size(84)
            .build_cartesian_2d(0.0..1.0, low..if high > low { high } else { low + 1.0 })?
            .set_secondary_coord(0.0..1.0, low..if high > low { high } else { low + 1.0 });
        key.configure_secondary_axes()
            .y_labels(5)
            .label_style(text(18))
            .y_label_formatter(&|value| number(*value))
            .draw()?;
        let bands = (0..64).map(|band| {
            let at = |band: f64| low + (if high > low { high - low } else { 1.0 }) * band / 64.0;
            let corners = [(0.0, at(f64::from(band))), (1.0, at(f64::from(band) + 1.0))];
            Rectangle::new(corners, rgb((f64::from(band) + 0.5) / 64.0).filled())
        });
        key.draw_series(bands)?;
        key.draw_series([Rectangle::new(
            [(0.0, low), (1.0, if high > low { high } else { low + 1.0 })],
            BLACK.mix(0.5),
        )])?;
        Ok(())
    }
}

fn rgb(part: f64) -> RGBColor {
    let [red, green, blue] = viridis(part);
    RGBColor(red, green, blue)
}

/// The line or column in whose middle a label stands.
fn place(value: &SegmentValue<usize>) -> Option<usize> {
    match value {
        SegmentValue::CenterOf(place) => Some(*place),
        SegmentValue::Exact(_) | SegmentValue::Last => None,
    }
}

/// A name that fits beside a map.
fn short(name: &str) -> String {
    if name.chars().count() <= 14 {
        return name.to_owned();
    }
    let end: String = name.chars().rev().take(6).collect::<Vec<_>>().into_iter().rev().collect();
    format!("{}…{end}", name.chars().take(7).collect::<String>())
}
