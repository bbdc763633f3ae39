//! Time as a value.
//!
//! Invariant: nothing here reads a clock. [`Timestamp`] is wall-clock time for schedules and records;
//! [`Monotonic`] is for intervals and deadlines and never goes back. Both come in through a port.

use crate::text::excerpt;
use serde::{Deserialize, Serialize};
use std::ops::{Add, Sub};
use std::time::Duration;

/// Wall-clock time: milliseconds since the Unix epoch, UTC. Printed and serialised as RFC 3339 with milliseconds.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(u64);

/// A text that is no RFC 3339 time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time: RFC 3339 is allowed, e.g. 2026-01-31T12:00:00Z")]
pub struct InvalidTimestamp(pub String);

impl Timestamp {
    /// The time this many milliseconds after the Unix epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero where the clock went back.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Reads RFC 3339; times before 1970 are refused.
    pub fn parse(text: &str) -> Result<Self, InvalidTimestamp> {
        let parsed: Option<jiff::Timestamp> = text.parse().ok();
        let millis = parsed.and_then(|t| u64::try_from(t.as_millisecond()).ok());
        millis
            .map(Self)
            .ok_or_else(|| InvalidTimestamp(excerpt(text)))
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = i64::try_from(self.0)
            .ok()
            .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
        write!(f, "{:.3}", time.unwrap_or(jiff::Timestamp::MAX))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;
    fn add(self, length: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(millis(length)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;
    fn sub(self, length: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(millis(length)))
    }
}

impl TryFrom<String> for Timestamp {
    type Error = InvalidTimestamp;
    fn try_from(text: String) -> Result<Self, InvalidTimestamp> {
        Self::parse(&text)
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> String {
        time.to_string()
    }
}

/// Monotonic time: the length since the program started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Monotonic(Duration);

impl Monotonic {
    /// The instant this long after the start of the program.
    pub const fn from_start(length: Duration) -> Self {
        Self(length)
    }

    /// How long after the start of the program this is.
    pub const fn elapsed(self) -> Duration {
        self.0
    }

    /// How long after `earlier` this is; zero where it is not.
    pub fn since(self, earlier: Monotonic) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Monotonic {
    type Output = Monotonic;
    fn add(self, length: Duration) -> Monotonic {
        Monotonic(self.0.saturating_add(length))
    }
}

/// A length in whole milliseconds, which are what is stored and shown; the greatest number where there are more.
pub fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_in_whole_milliseconds_and_has_a_greatest() {
        for (length, expected) in [
            (Duration::ZERO, 0),
            (Duration::from_micros(1_999), 1),
            (Duration::from_millis(u64::MAX), u64::MAX),
            (Duration::MAX, u64::MAX),
        ] {
            assert_eq!(millis(length), expected, "{length:?}");
        }
    }

    #[test]
    fn a_timestamp_prints_as_rfc_3339_and_reads_back() {
        let time = Timestamp::from_millis(1_700_000_000_123);
        assert_eq!(time.to_string(), "2023-11-14T22:13:20.123Z");
        assert_eq!(Timestamp::parse(&time.to_string()), Ok(time));
        assert!(Timestamp::parse("yesterday").is_err());
    }

    #[test]
    fn a_clock_that_goes_back_gives_zero_and_not_a_panic() {
        let (early, late) = (Timestamp::from_millis(1), Timestamp::from_millis(5));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(late - Duration::from_secs(9), Timestamp::from_millis(0));
        let _ = Timestamp::from_millis(u64::MAX).to_string();
    }
}
