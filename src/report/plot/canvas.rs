//! A file to draw on, with a font of its own: what stands in a figure does not depend on the machine's fonts.

use std::sync::Once;

use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::{BitMapBackend, DrawingArea, DrawingBackend, IntoDrawingArea, SVGBackend, WHITE};
use plotters::style::{FontStyle, register_font};

use crate::report::ReportError;
use crate::report::png;

/// How a figure is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Lines and text, to any size.
    Svg,
    /// Pixels.
    Png,
}

/// What may go wrong on an area.
pub(super) type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// What can be drawn on either kind of file.
pub(super) trait Draw {
    /// Width and height in pixels.
    fn size(&self) -> (u32, u32);

    /// Draws it.
    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B>;
}

const FONT: &[u8] = include_bytes!("font/NotoSans-subset.ttf");

/// The file of a figure on white.
pub(super) fn file(kind: FileKind, figure: &impl Draw) -> Result<Vec<u8>, ReportError> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        let found = register_font("sans-serif", FontStyle::Normal, FONT);
        assert!(found.is_ok(), "the font that is compiled in should be one");
    });
    let (width, height) = figure.size();
    match kind {
        FileKind::Svg => {
            let mut text = String::new();
            on(&SVGBackend::with_string(&mut text, (width, height)).into_drawing_area(), figure)?;
            Ok(text.into_bytes())
        }
        FileKind::Png => {
            let mut pixels = vec![0; width as usize * height as usize * 3];
            on(&BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area(), figure)?;
            Ok(png::rgb(&pixels, width as usize))
        }
    }
}

fn on<B: DrawingBackend>(area: &DrawingArea<B, Shift>, figure: &impl Draw) -> Result<(), ReportError> {
    let drawn = area.fill(&WHITE).and_then(|()| figure.draw(area)).and_then(|()| area.present());
    drawn.map_err(|error| ReportError::NoFigure { reason: format!("cannot draw: {error}") })
}
