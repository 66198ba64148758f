//! Which of two curves turned first.

use serde::Serialize;

use super::{Boundary, Curve};

/// Something that happens to a curve, at a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The checkpoint.
    pub step: u64,
    /// The earliest and the latest step where it might lie; a latest one of none if it might not happen. None where
    /// errors are not known.
    pub interval: Option<(u64, Option<u64>)>,
}

impl Event {
    /// A boundary of a curve.
    #[must_use]
    pub fn new(curve: &Curve, boundary: &Boundary) -> Self {
        let step = |place: usize| curve.steps()[place];
        Self {
            step: step(boundary.place),
            interval: boundary.interval.map(|(earliest, latest)| (step(earliest), latest.map(step))),
        }
    }

    /// How far behind another event it lies.
    #[must_use]
    pub fn behind(&self, other: &Self) -> Lag {
        let octaves = |step: u64, other: u64| ((1.0 + step as f64) / (1.0 + other as f64)).log2();
        let interval = self.interval.zip(other.interval).map(|(own, other)| {
            let low = other.1.map(|latest| octaves(own.0, latest));
            let high = own.1.map(|latest| octaves(latest, other.0));
            (low, high)
        });
        let order = interval.map(|(low, high)| match (low, high) {
            (Some(low), _) if low > 0.0 => Order::After,
            (_, Some(high)) if high < 0.0 => Order::Before,
            (Some(low), Some(high)) if low == 0.0 && high == 0.0 => Order::Together,
            _ => Order::NotResolved,
        });
        Lag { octaves: octaves(self.step, other.step), interval, order }
    }
}

/// How far one event lies behind another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lag {
    /// Doublings of (1 + step) from the other event to this one; negative if this one came first.
    pub octaves: f64,
    /// The least and the most that it might be; none where an event might not happen at all. None where errors are not
    /// known.
    pub interval: Option<(Option<f64>, Option<f64>)>,
    /// What can be told of the order; none where errors are not known.
    pub order: Option<Order>,
}

/// What can be told of the order of two events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// This one came before the other.
    Before,
    /// Both came at one checkpoint, and errors leave no other.
    Together,
    /// This one came after the other.
    After,
    /// The intervals overlap.
    NotResolved,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(step: u64, earliest: u64, latest: Option<u64>) -> Event {
        Event { step, interval: Some((earliest, latest)) }
    }

    #[test]
    fn counts_doublings() {
        let lag = event(127, 127, Some(127)).behind(&event(31, 31, Some(31)));
        assert_eq!((lag.octaves, lag.order), (2.0, Some(Order::After)));
        let lag = event(31, 31, Some(31)).behind(&event(127, 127, Some(127)));
        assert_eq!((lag.octaves, lag.order), (-2.0, Some(Order::Before)));
        assert_eq!(event(3, 3, Some(3)).behind(&event(3, 3, Some(3))).order, Some(Order::Together));
    }

    #[test]
    fn overlapping_intervals_are_not_resolved() {
        assert_eq!(event(127, 31, Some(127)).behind(&event(63, 31, Some(63))).order, Some(Order::NotResolved));
        // It might not happen at all, but not before 127 either.
        assert_eq!(event(127, 127, None).behind(&event(63, 31, Some(63))).order, Some(Order::After));
        assert_eq!(event(63, 31, Some(63)).behind(&event(127, 127, None)).order, Some(Order::Before));
        assert_eq!(event(63, 31, None).behind(&event(127, 127, None)).order, Some(Order::NotResolved));
        let unknown = Event { step: 3, interval: None };
        assert_eq!(unknown.behind(&unknown).order, None);
    }
}
