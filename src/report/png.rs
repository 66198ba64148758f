//! Pixels as a PNG file.

use lodepng::ColorType;

/// A PNG of eight bits a channel; rows follow each other without gaps.
pub(super) fn png(bytes: &[u8], width: usize, color: ColorType) -> Vec<u8> {
    let channels = if color == ColorType::RGB { 3 } else { 1 };
    let height = bytes.len() / channels / width;
    lodepng::encode_memory(bytes, width, height, color, 8).expect("a picture has a width, a height and all its pixels")
}
