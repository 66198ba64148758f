//! A setting with one value, or with several that share the work.

use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroUsize;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{Error, IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One value or several, each once: `neighbors = 3` or `neighbors = [1, 3, 5, 10]`. Each gives an estimate of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Several<T>(Vec<T>);

impl<T: PartialEq> Several<T> {
    /// The values, or none if there are none or if one occurs twice.
    #[must_use]
    pub fn new(values: Vec<T>) -> Option<Self> {
        let repeated = values.iter().enumerate().any(|(place, value)| values[..place].contains(value));
        (!values.is_empty() && !repeated).then_some(Self(values))
    }

    /// The values, in the order in which they were given.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }
}

impl<T> From<T> for Several<T> {
    fn from(value: T) -> Self {
        Self(vec![value])
    }
}

impl Several<NonZeroUsize> {
    /// The largest value.
    pub(super) fn largest(&self) -> usize {
        self.0.iter().map(|value| value.get()).max().unwrap_or(0)
    }
}

impl<T: Serialize> Serialize for Several<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0[..] {
            [one] => one.serialize(serializer),
            several => several.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de> + PartialEq> Deserialize<'de> for Several<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMore(PhantomData))
    }
}

struct OneOrMore<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + PartialEq> Visitor<'de> for OneOrMore<T> {
    type Value = Several<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("one value, or a list of values that are all different")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Several<T>, E> {
        T::deserialize(value.into_deserializer()).map(Several::from)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Several<T>, E> {
        T::deserialize(value.into_deserializer()).map(Several::from)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Several<T>, E> {
        T::deserialize(value.into_deserializer()).map(Several::from)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Several<T>, E> {
        T::deserialize(value.into_deserializer()).map(Several::from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, values: A) -> Result<Several<T>, A::Error> {
        let values = Vec::deserialize(SeqAccessDeserializer::new(values))?;
        Several::new(values).ok_or_else(|| A::Error::custom("found an empty list, or one value twice; give each once"))
    }
}

/// A positive, finite number: a width, a bandwidth, a variance.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Positive(f64);

impl Positive {
    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Positive {
    type Error = String;

    fn try_from(number: f64) -> Result<Self, String> {
        if number.is_finite() && number > 0.0 {
            Ok(Self(number))
        } else {
            Err(format!("found {number}, needed a positive number"))
        }
    }
}

impl From<Positive> for f64 {
    fn from(number: Positive) -> Self {
        number.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, Serialize)]
    struct Settings {
        neighbors: Several<NonZeroUsize>,
        width: Several<Positive>,
    }

    #[test]
    fn reads_and_writes_one_or_more() {
        let settings: Settings = toml::from_str("neighbors = [3, 1]\nwidth = 0.5").unwrap();
        assert_eq!(settings.neighbors.as_slice().iter().map(|k| k.get()).collect::<Vec<_>>(), [3, 1]);
        assert_eq!(serde_json::to_string(&settings).unwrap(), r#"{"neighbors":[3,1],"width":0.5}"#);
    }

    #[test]
    fn refuses_nothing_twice_and_none() {
        for (text, reason) in [
            ("neighbors = []\nwidth = 1.0", "empty list"),
            ("neighbors = [3, 3]\nwidth = 1.0", "one value twice"),
            ("neighbors = [0]\nwidth = 1.0", "nonzero"),
            ("neighbors = -1\nwidth = 1.0", "nonzero"),
            ("neighbors = 1\nwidth = 0.0", "found 0, needed a positive number"),
        ] {
            let error = toml::from_str::<Settings>(text).unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}
