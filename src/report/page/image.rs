//! Values as small pictures inside the page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::report::colors::viridis;
use crate::report::png;

/// What has no value: a gray that the color scale does not have.
const NOTHING: [u8; 3] = [128, 128, 128];

/// Values from black at the low end of a scale to white at its high end, what lies beyond them at the ends.
pub(super) fn gray(values: &[f64], width: usize, (low, high): (f64, f64)) -> String {
    let range = if high > low { high - low } else { 1.0 };
    let bytes: Vec<u8> = values.iter().map(|value| byte((value - low) / range)).collect();
    address(&png::gray(&bytes, width))
}

/// Parts of one in colors: dark where nothing is left unexplained, light where all is, gray where there is nothing to explain.
pub(super) fn share(values: &[Option<f64>], width: usize) -> String {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.map_or(NOTHING, viridis)).collect();
    address(&png::rgb(&bytes, width))
}

fn byte(part: f64) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 255")]
    let byte = (part.clamp(0.0, 1.0) * 255.0).round() as u8;
    byte
}

/// A PNG as a `data:` address.
fn address(file: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels(address: &str) -> (usize, usize, Vec<u8>) {
        let file = STANDARD.decode(address.strip_prefix("data:image/png;base64,").unwrap()).unwrap();
        png::pixels(&file)
    }

    #[test]
    fn values_are_on_the_scale_and_what_is_beyond_it_at_its_ends() {
        let (width, height, bytes) = pixels(&gray(&[-1.0, 0.0, 1.0, 2.0, 9.0, 0.5], 3, (0.0, 2.0)));
        let red: Vec<u8> = bytes.into_iter().step_by(3).collect();
        assert_eq!((width, height, red), (3, 2, vec![0, 0, 128, 255, 255, 64]));
        assert_eq!(pixels(&gray(&[7.0, 7.0], 2, (7.0, 7.0))).2, [0; 6]);
    }

    #[test]
    fn what_has_no_value_is_gray_and_nothing_else_is() {
        let (width, height, bytes) = pixels(&share(&[Some(0.0), None, Some(1.0)], 3));
        assert_eq!((width, height, &bytes[3..6]), (3, 1, &NOTHING[..]));
        assert_ne!(bytes[..3], bytes[6..]);
    }
}
