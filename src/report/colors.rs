//! Colors that people with any kind of color vision tell apart.

use plotters::style::colors::colormaps::{ColorMap, ViridisRGB};

/// A part of one on the viridis scale: dark at 0, light at 1; beyond them the ends.
pub(super) fn viridis(part: f64) -> [u8; 3] {
    let color = ViridisRGB.get_color(part.clamp(0.0, 1.0));
    [color.0, color.1, color.2]
}

/// A color for each of some layers, from dark to light in their order; the lightest end, which paper swallows, is left out.
pub(super) fn of_layers(count: usize) -> Vec<[u8; 3]> {
    (0..count).map(|place| viridis(0.85 * place as f64 / count.saturating_sub(1).max(1) as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_layers_are_lighter() {
        let light: Vec<u32> =
            of_layers(6).iter().map(|color| color.iter().map(|&part| u32::from(part)).sum()).collect();
        assert!(light.is_sorted() && light[0] < light[5], "{light:?}");
        assert_eq!((of_layers(1).len(), viridis(-3.0)), (1, viridis(0.0)));
    }
}
