//! Times of a scenario: lengths like `1h30m`, and moments, which are such a length after its beginning or a time.

use crate::{
    text::excerpt,
    time::{Timestamp, millis},
};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// The units, greatest first, with their milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// A length: whole numbers with units, like `500ms`, `30s` or `1h30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Length(pub Duration);

/// A text that is no length, or no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not {what}")]
pub struct InvalidLength {
    found: String,
    what: &'static str,
}

impl Length {
    /// Reads a length.
    ///
    /// # Errors
    /// It is none, or longer than any clock.
    pub fn parse(text: &str) -> Result<Self, InvalidLength> {
        let invalid = || InvalidLength {
            found: excerpt(text),
            what: "a length: whole numbers with the units d, h, m, s and ms are allowed, like 500ms, 30s or 1h30m",
        };
        let mut rest = text;
        let mut sum: u64 = 0;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, behind) = rest.split_at_checked(digits).ok_or_else(invalid)?;
            let letters = behind.bytes().take_while(u8::is_ascii_lowercase).count();
            let (unit, behind) = behind.split_at_checked(letters).ok_or_else(invalid)?;
            let number: u64 = number.parse().map_err(|_| invalid())?;
            let mut units = UNITS.iter();
            let (_, of_unit) = units.find(|(name, _)| *name == unit).ok_or_else(invalid)?;
            let part = number.checked_mul(*of_unit).ok_or_else(invalid)?;
            sum = sum.checked_add(part).ok_or_else(invalid)?;
            rest = behind;
        }
        match text.is_empty() {
            true => Err(invalid()),
            false => Ok(Self(Duration::from_millis(sum))),
        }
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = millis(self.0);
        if rest == 0 {
            return f.write_str("0s");
        }
        for (name, of_unit) in UNITS {
            let number = rest / of_unit;
            rest %= of_unit;
            if number > 0 {
                write!(f, "{number}{name}")?;
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for Length {
    type Error = InvalidLength;
    fn try_from(text: String) -> Result<Self, InvalidLength> {
        Self::parse(&text)
    }
}

impl From<Length> for String {
    fn from(length: Length) -> String {
        length.to_string()
    }
}

/// When something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum At {
    /// So long after the beginning.
    After(Duration),
    /// At this time.
    Time(Timestamp),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::After(length) => Length(*length).fmt(f),
            At::Time(time) => time.fmt(f),
        }
    }
}

impl TryFrom<String> for At {
    type Error = InvalidLength;
    fn try_from(text: String) -> Result<Self, InvalidLength> {
        if let Ok(Length(length)) = Length::parse(&text) {
            return Ok(Self::After(length));
        }
        Timestamp::parse(&text).map(Self::Time).map_err(|_| InvalidLength {
            found: excerpt(&text),
            what: "a moment: a length after the beginning is allowed, like 90s or 1h30m, and a time, like 2026-01-31T12:00:00Z",
        })
    }
}

impl From<At> for String {
    fn from(at: At) -> String {
        at.to_string()
    }
}
