//! Pixels as a PNG file, eight bits a channel: the only file that names `lodepng`.

use lodepng::ColorType;

/// A PNG of gray values; rows follow each other without gaps.
pub(super) fn gray(bytes: &[u8], width: usize) -> Vec<u8> {
    file(bytes, width, bytes.len() / width, ColorType::GREY)
}

/// A PNG of red, green and blue values.
pub(super) fn rgb(bytes: &[u8], width: usize) -> Vec<u8> {
    file(bytes, width, bytes.len() / 3 / width, ColorType::RGB)
}

fn file(bytes: &[u8], width: usize, height: usize, color: ColorType) -> Vec<u8> {
    lodepng::encode_memory(bytes, width, height, color, 8).expect("a picture has a width, a height and all its pixels")
}

/// The pixels of a PNG as red, green and blue, and its width and height.
#[cfg(test)]
pub(super) fn pixels(file: &[u8]) -> (usize, usize, Vec<u8>) {
    let image = lodepng::decode24(file).unwrap();
    let bytes = image.buffer.iter().flat_map(|pixel| [pixel.r, pixel.g, pixel.b]).collect();
    (image.width, image.height, bytes)
}
