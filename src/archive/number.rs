//! The types of numbers that checkpoints and graphs hold, and conversion between them.

use std::borrow::Cow;

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use serde::Serialize;

#[cfg(target_endian = "big")]
compile_error!("checkpoints and graphs are little-endian, and so must be the machine");

/// A type of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant is the type that it names")]
pub enum Kind {
    F64,
    F32,
    F16,
    Bf16,
    /// Four bits of exponent and three of mantissa, without infinities.
    F8E4m3,
    /// Five bits of exponent and two of mantissa.
    F8E5m2,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    Bool,
}

impl Kind {
    /// The name of the type, as safetensors spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F64 => "F64",
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::F8E4m3 => "F8_E4M3",
            Self::F8E5m2 => "F8_E5M2",
            Self::I64 => "I64",
            Self::I32 => "I32",
            Self::I16 => "I16",
            Self::I8 => "I8",
            Self::U64 => "U64",
            Self::U32 => "U32",
            Self::U16 => "U16",
            Self::U8 => "U8",
            Self::Bool => "BOOL",
        }
    }

    /// The size of a value in bytes.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 | Self::U64 => 8,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 | Self::U16 => 2,
            Self::F8E4m3 | Self::F8E5m2 | Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// Whether the type is floating-point.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self, Self::F64 | Self::F32 | Self::F16 | Self::Bf16 | Self::F8E4m3 | Self::F8E5m2)
    }
}

/// Numbers of one type as little-endian bytes, borrowed from a file or owned; not aligned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers<'a> {
    kind: Kind,
    bytes: Cow<'a, [u8]>,
}

/// Calls a macro with the integer type that a [`Kind`] stands for.
macro_rules! integer {
    ($kind:expr, $then:ident, $otherwise:expr) => {
        match $kind {
            Kind::I64 => $then!(i64),
            Kind::I32 => $then!(i32),
            Kind::I16 => $then!(i16),
            Kind::I8 => $then!(i8),
            Kind::U64 => $then!(u64),
            Kind::U32 => $then!(u32),
            Kind::U16 => $then!(u16),
            Kind::U8 => $then!(u8),
            _ => $otherwise,
        }
    };
}

impl<'a> Numbers<'a> {
    /// Takes bytes as numbers; none if they are no whole number of values.
    #[must_use]
    pub fn new(kind: Kind, bytes: impl Into<Cow<'a, [u8]>>) -> Option<Self> {
        let bytes = bytes.into();
        bytes.len().is_multiple_of(kind.size()).then_some(Self { kind, bytes })
    }

    /// Rounds to the nearest value of a floating-point type; none for types that graphs do not compute in.
    #[must_use]
    pub fn from_doubles(kind: Kind, values: &[f64]) -> Option<Numbers<'static>> {
        #[expect(clippy::cast_possible_truncation, reason = "narrowing rounds")]
        let bytes: Vec<u8> = match kind {
            Kind::F64 => bytemuck::cast_slice(values).to_vec(),
            Kind::F32 => values.iter().flat_map(|&value| (value as f32).to_le_bytes()).collect(),
            Kind::F16 => values.iter().flat_map(|&value| f16::from_f64(value).to_le_bytes()).collect(),
            Kind::Bf16 => values.iter().flat_map(|&value| bf16::from_f64(value).to_le_bytes()).collect(),
            _ => return None,
        };
        Some(Numbers { kind, bytes: bytes.into() })
    }

    /// The type.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The values as bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() / self.kind.size()
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The values in the plain type that the kind stands for, borrowed where the bytes happen to be aligned.
    #[must_use]
    pub fn plain<T: bytemuck::Pod>(&self) -> Cow<'_, [T]> {
        match bytemuck::try_cast_slice(&self.bytes) {
            Ok(values) => Cow::Borrowed(values),
            Err(_) => Cow::Owned(bytemuck::pod_collect_to_vec(&self.bytes)),
        }
    }

    /// The values in double precision; integers beyond 2⁵³ are rounded.
    #[must_use]
    pub fn doubles(&self) -> Vec<f64> {
        match self.kind {
            Kind::F64 => self.plain::<f64>().into_owned(),
            Kind::F32 => self.plain::<f32>().iter().map(|&value| value.into()).collect(),
            Kind::F16 => self.plain::<f16>().iter().map(|&value| value.into()).collect(),
            Kind::Bf16 => self.plain::<bf16>().iter().map(|&value| value.into()).collect(),
            Kind::F8E4m3 => self.bytes.iter().map(|&byte| from_e4m3(byte)).collect(),
            Kind::F8E5m2 => self.bytes.iter().map(|&byte| from_e5m2(byte)).collect(),
            _ => self.integers().iter().map(|&value| value as f64).collect(),
        }
    }

    /// One value in double precision, by its place.
    #[must_use]
    pub fn double_at(&self, place: usize) -> f64 {
        let size = self.kind.size();
        let bytes = Cow::Borrowed(&self.bytes[place * size..(place + 1) * size]);
        Numbers { kind: self.kind, bytes }.doubles()[0]
    }

    /// The values as another type: unchanged if it is theirs.
    ///
    /// Floats are rounded to the nearest float; a value too large becomes infinite, and
    /// [`Numbers::first_not_finite`] finds it. Integers and booleans become whatever holds them exactly.
    ///
    /// # Errors
    ///
    /// The place of the first value that the type cannot hold; the first one for floats as integers.
    pub fn cast(self, to: Kind) -> Result<Self, usize> {
        if self.kind == to {
            return Ok(self);
        }
        if self.kind.is_float() {
            return match (self.kind, to) {
                (Kind::F16, Kind::F32) => Ok(single(|wide| self.plain::<f16>().convert_to_f32_slice(wide), self.len())),
                (Kind::Bf16, Kind::F32) => {
                    Ok(single(|wide| self.plain::<bf16>().convert_to_f32_slice(wide), self.len()))
                }
                _ => Self::from_doubles(to, &self.doubles()).ok_or(0),
            };
        }
        let integers = self.integers();
        if to.is_float() {
            let floats = Self::from_doubles(to, &self.doubles()).ok_or(0_usize)?;
            #[expect(clippy::cast_possible_truncation, reason = "compared with what it came from")]
            let changed =
                floats.doubles().iter().zip(&integers).position(|(&float, &integer)| float as i128 != integer);
            return changed.map_or(Ok(floats), Err);
        }
        macro_rules! narrow {
            ($type:ty) => {
                gather(&integers, |value| <$type>::try_from(value).ok().map(<$type>::to_le_bytes))
            };
        }
        let bytes = integer!(
            to,
            narrow,
            gather(&integers, |value| u8::try_from(value).ok().filter(|&bit| bit < 2).map(|bit| [bit]))
        )?;
        Ok(Self { kind: to, bytes: bytes.into() })
    }

    /// The place and value of the first NaN or infinity.
    #[must_use]
    pub fn first_not_finite(&self) -> Option<(usize, f64)> {
        match self.kind {
            Kind::F64 => find(&self.plain(), |value: f64| value),
            Kind::F32 => find(&self.plain(), |value: f32| value.into()),
            Kind::F16 => find(&self.plain(), |value: f16| value.into()),
            Kind::Bf16 => find(&self.plain(), |value: bf16| value.into()),
            Kind::F8E4m3 => find(&self.bytes, from_e4m3),
            Kind::F8E5m2 => find(&self.bytes, from_e5m2),
            _ => None,
        }
    }

    /// The largest absolute difference to other values, or infinity if their number differs.
    #[must_use]
    pub fn largest_difference(&self, other: &Self) -> f64 {
        if self.len() != other.len() {
            return f64::INFINITY;
        }
        self.doubles().iter().zip(other.doubles()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    /// The values of a kind that is no float.
    fn integers(&self) -> Vec<i128> {
        macro_rules! widen {
            ($type:ty) => {
                self.plain::<$type>().iter().map(|&value| value.into()).collect()
            };
        }
        integer!(self.kind, widen, self.bytes.iter().map(|&byte| i128::from(byte != 0)).collect())
    }
}

/// Numbers of single precision that `fill` converts.
fn single(fill: impl Fn(&mut [f32]), len: usize) -> Numbers<'static> {
    let mut values = vec![0.0; len];
    fill(&mut values);
    Numbers { kind: Kind::F32, bytes: bytemuck::cast_slice(&values).to_vec().into() }
}

fn gather<const N: usize>(values: &[i128], narrow: impl Fn(i128) -> Option<[u8; N]>) -> Result<Vec<u8>, usize> {
    let mut bytes = Vec::with_capacity(values.len() * N);
    for (place, &value) in values.iter().enumerate() {
        bytes.extend_from_slice(&narrow(value).ok_or(place)?);
    }
    Ok(bytes)
}

fn find<T: Copy>(values: &[T], widen: impl Fn(T) -> f64) -> Option<(usize, f64)> {
    values.iter().map(|&value| widen(value)).enumerate().find(|(_, value)| !value.is_finite())
}

/// The value of an `F8_E4M3` byte (the variant without infinities, as PyTorch's `float8_e4m3fn`).
fn from_e4m3(byte: u8) -> f64 {
    let (exponent, mantissa) = (i32::from(byte >> 3 & 0xF), f64::from(byte & 7));
    let size = match (exponent, byte & 7) {
        (15, 7) => f64::NAN,
        (0, _) => mantissa / 8.0 * 2_f64.powi(-6),
        _ => (1.0 + mantissa / 8.0) * 2_f64.powi(exponent - 7),
    };
    if byte & 0x80 == 0 { size } else { -size }
}

/// The value of an `F8_E5M2` byte: the upper half of a half-precision float.
fn from_e5m2(byte: u8) -> f64 {
    f16::from_bits(u16::from(byte) << 8).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f32s(values: &[f32]) -> Numbers<'static> {
        Numbers::new(Kind::F32, bytemuck::cast_slice(values).to_vec()).unwrap()
    }

    #[test]
    fn unaligned_bytes_read_the_same_as_aligned_ones() {
        let bytes: Vec<u8> =
            [0_u8].into_iter().chain([1.5_f32, -2.25].into_iter().flat_map(f32::to_le_bytes)).collect();
        assert_eq!(Numbers::new(Kind::F32, &bytes[1..]).unwrap().doubles(), [1.5, -2.25]);
    }

    #[test]
    fn half_precision_widens_without_loss() {
        for kind in [Kind::F16, Kind::Bf16] {
            let half = Numbers::from_doubles(kind, &[0.1, -3.5, 6e4]).unwrap();
            assert_eq!(half.clone().cast(Kind::F32).unwrap().cast(kind), Ok(half));
        }
    }

    #[test]
    fn narrowing_that_overflows_is_found() {
        let wide = Numbers::from_doubles(Kind::F64, &[1.0, 1e300]).unwrap().cast(Kind::F32).unwrap();
        assert_eq!(wide.first_not_finite(), Some((1, f64::INFINITY)));
    }

    /// Largest, smallest and special values of the two formats (OCP 8-bit floating point, table 1).
    #[test]
    fn eight_bit_floats_have_the_values_of_their_formats() {
        let e4m3 = Numbers::new(Kind::F8E4m3, vec![0x7E, 0x08, 0x01, 0xB8]).unwrap();
        assert_eq!(e4m3.doubles(), [448.0, 2_f64.powi(-6), 2_f64.powi(-9), -1.0]);
        let e5m2 = Numbers::new(Kind::F8E5m2, vec![0x7B, 0x04, 0x01, 0xBC]).unwrap();
        assert_eq!(e5m2.doubles(), [57344.0, 2_f64.powi(-14), 2_f64.powi(-16), -1.0]);
        assert!(Numbers::new(Kind::F8E4m3, vec![0x7F]).unwrap().first_not_finite().is_some());
        assert_eq!(Numbers::new(Kind::F8E5m2, vec![0, 0x7C]).unwrap().first_not_finite(), Some((1, f64::INFINITY)));
        assert_eq!(e4m3.cast(Kind::F32).unwrap().doubles(), [448.0, 2_f64.powi(-6), 2_f64.powi(-9), -1.0]);
    }

    #[test]
    fn integers_become_only_what_holds_them() {
        let wide = Numbers::new(Kind::I64, bytemuck::cast_slice(&[1_i64, 300, -1]).to_vec()).unwrap();
        assert_eq!(wide.clone().cast(Kind::I32).unwrap().doubles(), [1.0, 300.0, -1.0]);
        assert_eq!(wide.clone().cast(Kind::U8), Err(1));
        assert_eq!(wide.clone().cast(Kind::Bool), Err(1));
        assert_eq!(wide.cast(Kind::F32).unwrap(), f32s(&[1.0, 300.0, -1.0]));
        let large = Numbers::new(Kind::I64, bytemuck::cast_slice(&[(1_i64 << 24) + 1]).to_vec()).unwrap();
        assert_eq!(large.cast(Kind::F32), Err(0), "single precision rounds it");
        assert_eq!(f32s(&[1.0]).cast(Kind::I32), Err(0));
        assert_eq!(Numbers::new(Kind::Bool, vec![1, 0]).unwrap().cast(Kind::F32).unwrap(), f32s(&[1.0, 0.0]));
    }
}
