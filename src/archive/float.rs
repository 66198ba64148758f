//! Conversion between the floating-point types of checkpoints and graphs.

use std::borrow::Cow;

use half::{bf16, f16};

/// A floating-point type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Float {
    /// IEEE double precision.
    F64,
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// Brain half precision.
    Bf16,
}

impl Float {
    /// The name of the type, as safetensors spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F64 => "F64",
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
        }
    }

    /// The size of a value in bytes.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }
}

/// Values of one floating-point type, borrowed where the bytes allow it.
#[derive(Clone, Debug)]
pub enum Floats<'a> {
    /// Double precision.
    F64(Cow<'a, [f64]>),
    /// Single precision.
    F32(Cow<'a, [f32]>),
    /// Half precision.
    F16(Cow<'a, [f16]>),
    /// Brain half precision.
    Bf16(Cow<'a, [bf16]>),
}

impl<'a> Floats<'a> {
    /// Reads little-endian bytes, without a copy where they are aligned on a little-endian machine.
    #[must_use]
    pub fn from_bytes(float: Float, bytes: &'a [u8]) -> Self {
        match float {
            Float::F64 => Self::F64(read(bytes, f64::from_le_bytes)),
            Float::F32 => Self::F32(read(bytes, f32::from_le_bytes)),
            Float::F16 => Self::F16(read(bytes, f16::from_le_bytes)),
            Float::Bf16 => Self::Bf16(read(bytes, bf16::from_le_bytes)),
        }
    }

    /// The values as another type: unchanged if it is theirs, else rounded to the nearest.
    ///
    /// A value too large for the type becomes infinite; [`Floats::first_not_finite`] finds it.
    #[must_use]
    pub fn cast(self, to: Float) -> Self {
        match (self, to) {
            (Self::F64(values), Float::F64) => Self::F64(values),
            (Self::F32(values), Float::F32) => Self::F32(values),
            (Self::F16(values), Float::F16) => Self::F16(values),
            (Self::Bf16(values), Float::Bf16) => Self::Bf16(values),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "narrowing rounds, and overflow is looked for afterwards"
            )]
            (values, Float::F32) => Self::F32(values.map(|value| value as f32)),
            (values, Float::F64) => Self::F64(values.map(|value| value)),
            (values, Float::F16) => Self::F16(values.map(f16::from_f64)),
            (values, Float::Bf16) => Self::Bf16(values.map(bf16::from_f64)),
        }
    }

    /// The place and value of the first NaN or infinity.
    #[must_use]
    pub fn first_not_finite(&self) -> Option<(usize, f64)> {
        match self {
            Self::F64(values) => find(values, |value| value),
            Self::F32(values) => find(values, f64::from),
            Self::F16(values) => find(values, f64::from),
            Self::Bf16(values) => find(values, f64::from),
        }
    }

    /// Whether two sets of values are equal to the bit.
    #[must_use]
    pub fn same_bits(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::F64(a), Self::F64(b)) => bytemuck::cast_slice::<_, u8>(a) == bytemuck::cast_slice::<_, u8>(b),
            (Self::F32(a), Self::F32(b)) => bytemuck::cast_slice::<_, u8>(a) == bytemuck::cast_slice::<_, u8>(b),
            (Self::F16(a), Self::F16(b)) => bytemuck::cast_slice::<_, u8>(a) == bytemuck::cast_slice::<_, u8>(b),
            (Self::Bf16(a), Self::Bf16(b)) => bytemuck::cast_slice::<_, u8>(a) == bytemuck::cast_slice::<_, u8>(b),
            _ => false,
        }
    }

    /// The largest absolute difference to values of the same type, or infinity if they differ in kind.
    #[must_use]
    pub fn largest_difference(&self, other: &Self) -> f64 {
        let pairs = |a: Vec<f64>, b: Vec<f64>| a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let all = |values: &Self| match values.clone().cast(Float::F64) {
            Self::F64(values) => values.into_owned(),
            _ => Vec::new(),
        };
        let (a, b) = (all(self), all(other));
        if a.len() == b.len() { pairs(a, b) } else { f64::INFINITY }
    }

    fn map<T: Clone>(self, convert: impl Fn(f64) -> T) -> Cow<'a, [T]> {
        Cow::Owned(match self {
            Self::F64(values) => values.iter().map(|&value| convert(value)).collect(),
            Self::F32(values) => values.iter().map(|&value| convert(value.into())).collect(),
            Self::F16(values) => values.iter().map(|&value| convert(value.into())).collect(),
            Self::Bf16(values) => values.iter().map(|&value| convert(value.into())).collect(),
        })
    }
}

fn read<const N: usize, T: bytemuck::Pod>(bytes: &[u8], from_le_bytes: impl Fn([u8; N]) -> T) -> Cow<'_, [T]> {
    if cfg!(target_endian = "little")
        && let Ok(values) = bytemuck::try_cast_slice(bytes)
    {
        return Cow::Borrowed(values);
    }
    let (chunks, _) = bytes.as_chunks::<N>();
    Cow::Owned(chunks.iter().map(|&chunk| from_le_bytes(chunk)).collect())
}

fn find<T: Copy>(values: &[T], widen: impl Fn(T) -> f64) -> Option<(usize, f64)> {
    values.iter().map(|&value| widen(value)).enumerate().find(|(_, value)| !value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unaligned_bytes_read_the_same_as_aligned_ones() {
        let values: Vec<u8> =
            [0_u8].into_iter().chain([1.5_f32, -2.25].into_iter().flat_map(f32::to_le_bytes)).collect();
        let shifted = Floats::from_bytes(Float::F32, &values[1..]);
        assert!(shifted.same_bits(&Floats::F32(Cow::Owned(vec![1.5, -2.25]))));
    }

    #[test]
    fn half_precision_widens_without_loss() {
        let half = Floats::F16(Cow::Owned(vec![f16::from_f32(0.1), f16::MAX]));
        let single = half.clone().cast(Float::F32);
        assert!(single.cast(Float::F16).same_bits(&half));
    }

    #[test]
    fn narrowing_that_overflows_is_found() {
        let wide = Floats::F64(Cow::Owned(vec![1.0, 1e300])).cast(Float::F32);
        assert_eq!(wide.first_not_finite(), Some((1, f64::INFINITY)));
    }
}
