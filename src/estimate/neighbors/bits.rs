//! What comparisons say of the points of a leaf, as a bit for each.
#![expect(clippy::inline_always, reason = "only what is inlined into the dispatch is compiled for its registers")]

use super::leaves::LEAF;

/// The bits of a mask of some lanes, which is as wide as the register that it was made of or has a bit a lane.
#[inline(always)]
pub(super) fn bits(mask: &[u8], lanes: usize) -> u64 {
    if mask.len() == lanes * size_of::<u16>() && lanes > 1 {
        // Four lanes at once: the product moves the last bit of each to its place among the highest sixteen.
        let fours = mask.chunks_exact(4 * size_of::<u16>()).map(|four| {
            let last = bytemuck::pod_read_unaligned::<u64>(four) & 0x0001_0001_0001_0001;
            last.wrapping_mul(1 << 48 | 1 << 33 | 1 << 18 | 1 << 3) >> 48 & 0xf
        });
        return fours.enumerate().fold(0, |bits, (place, four)| bits | four << (4 * place));
    }
    if mask.len() == lanes * size_of::<f64>() {
        let lanes = mask.iter().step_by(size_of::<f64>()).enumerate();
        return lanes.fold(0, |bits, (place, byte)| bits | u64::from(byte & 1) << place);
    }
    let mut whole = [0; size_of::<u64>()];
    whole[..mask.len()].copy_from_slice(mask);
    u64::from_le_bytes(whole) & (u64::MAX >> (LEAF - lanes))
}

/// The places of the bits that are set.
#[inline(always)]
pub(super) fn ones(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = bits.trailing_zeros() as usize;
        bits &= bits.wrapping_sub(1);
        (place < LEAF).then_some(place)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_of_all_forms_say_the_same() {
        for said in [0_u64, 1, 0x8000_0000_0000_0001, 0x0123_4567_89ab_cdef, u64::MAX] {
            let lane = |size: usize, place: usize| vec![if said >> place & 1 == 1 { u8::MAX } else { 0 }; size];
            for (lanes, size) in [(32, 2), (16, 2), (8, 2), (8, 8), (4, 8), (2, 8)] {
                let mask: Vec<u8> = (0..lanes).flat_map(|place| lane(size, place)).collect();
                assert_eq!(bits(&mask, lanes), said & (u64::MAX >> (LEAF - lanes)), "{lanes} lanes of {size}");
            }
            for lanes in [8, 16, 32, 64] {
                assert_eq!(bits(&said.to_le_bytes()[..lanes / 8], lanes), said & (u64::MAX >> (LEAF - lanes)));
            }
            assert_eq!(bits(&[(said & 1) as u8], 1), said & 1);
            let places: Vec<usize> = ones(said).collect();
            assert_eq!(places.iter().fold(0, |bits, place| bits | 1 << place), said);
        }
    }
}
