//! How layers look.

use plotters::coord::Shift;
use plotters::element::{Circle, Text};
use plotters::prelude::{BLACK, Color, DrawingArea, DrawingBackend, RGBColor};
use plotters::style::IntoFont;
use plotters::style::TextStyle;

use super::canvas::Drawn;
use crate::report::colors;

/// The height of a line of names.
const LINE: i32 = 34;

/// Text of a size in pixels.
pub(super) fn text(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&BLACK)
}

/// The color of each of some layers.
pub(super) fn layer_colors(count: usize) -> Vec<RGBColor> {
    colors::of_layers(count).into_iter().map(|[red, green, blue]| RGBColor(red, green, blue)).collect()
}

/// Names that fit beside each other, line by line, as many pixels wide.
pub(super) fn lines(names: &[String], width: u32) -> Vec<Vec<(usize, i32)>> {
    let room = i32::try_from(width).unwrap_or(i32::MAX) - 60;
    let mut lines: Vec<Vec<(usize, i32)>> = vec![Vec::new()];
    let mut left = 0;
    for (tap, name) in names.iter().enumerate() {
        let length = i32::try_from(name.chars().count()).unwrap_or(i32::MAX / 32).saturating_mul(13) + 60;
        if left > 0 && left + length > room {
            lines.push(Vec::new());
            left = 0;
        }
        lines.last_mut().expect("there is a line from the start").push((tap, left));
        left += length;
    }
    lines
}

/// The height of the names of so many layers.
pub(super) fn height(names: &[String], width: u32) -> u32 {
    u32::try_from(lines(names, width).len()).unwrap_or(1) * LINE.unsigned_abs() + 16
}

/// Draws the names of layers at the top of an area.
pub(super) fn draw<B: DrawingBackend>(area: &DrawingArea<B, Shift>, names: &[String], width: u32) -> Drawn<B> {
    let colors = layer_colors(names.len());
    for (line, entries) in lines(names, width).into_iter().enumerate() {
        let y = 22 + LINE * i32::try_from(line).unwrap_or(0);
        for (tap, left) in entries {
            area.draw(&Circle::new((44 + left, y), 8, colors[tap].filled()))?;
            area.draw(&Text::new(names[tap].clone(), (60 + left, y - 12), text(24)))?;
        }
    }
    Ok(())
}
