//! A length of time as people write it.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A length of time as people write it: a whole number and a unit, `"500ms"`, `"2s"`, `"5m"`, `"24h"` or `"7d"`.
///
/// ```
/// use mainstay_plugin_sdk::settings::DurationText;
///
/// let wait: DurationText = "5m".parse()?;
/// assert_eq!(wait.get().as_secs(), 300);
/// # Ok::<(), mainstay_plugin_sdk::settings::DurationTextError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DurationText(Duration);

const EXAMPLES: &str = "a duration such as \"500ms\", \"2s\", \"5m\", \"24h\" or \"7d\"";

/// Units by suffix, in milliseconds; `ms` first, for it ends like `s`.
const UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DurationTextError {
    found: String,
}

impl fmt::Display for DurationTextError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "found {:?}, expected {EXAMPLES}", self.found)
    }
}

impl std::error::Error for DurationTextError {}

impl DurationText {
    /// The length of time.
    pub fn get(self) -> Duration {
        self.0
    }
}

impl From<Duration> for DurationText {
    fn from(length: Duration) -> Self {
        Self(length)
    }
}

impl FromStr for DurationText {
    type Err = DurationTextError;

    fn from_str(text: &str) -> Result<Self, DurationTextError> {
        let milliseconds = UNITS.iter().find_map(|(suffix, unit)| {
            let digits = text.strip_suffix(suffix)?;
            // `u64::from_str` would take a sign.
            if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            digits.parse::<u64>().ok()?.checked_mul(*unit)
        });
        match milliseconds {
            Some(milliseconds) => Ok(Self(Duration::from_millis(milliseconds))),
            None => Err(DurationTextError {
                found: text.to_owned(),
            }),
        }
    }
}

impl fmt::Display for DurationText {
    /// In the largest unit that leaves a whole number; what is below a millisecond is dropped.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0.as_millis();
        let fits = |unit: u64| milliseconds > 0 && milliseconds % u128::from(unit) == 0;
        let (suffix, unit) = UNITS
            .iter()
            .rev()
            .find(|(_, unit)| fits(*unit))
            .copied()
            .unwrap_or(("ms", 1));
        write!(formatter, "{}{suffix}", milliseconds / u128::from(unit))
    }
}

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = DurationText;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(EXAMPLES)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<DurationText, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

impl JsonSchema for DurationText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "DurationText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]+(ms|s|m|h|d)$",
            "examples": ["500ms", "2s", "5m", "24h", "7d"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit_are_a_duration() {
        fn check(text: &str, milliseconds: u64) {
            let parsed: DurationText = text.parse().unwrap();
            assert_eq!(parsed.get(), Duration::from_millis(milliseconds), "{text}");
            assert_eq!(parsed.to_string(), text);
        }
        check("0ms", 0);
        check("500ms", 500);
        check("2s", 2_000);
        check("5m", 300_000);
        check("25h", 90_000_000);
        check("7d", 604_800_000);
    }

    #[test]
    fn anything_else_is_refused_with_an_example() {
        for text in [
            "",
            "5",
            "s",
            "ms",
            "-1s",
            "+1s",
            "1.5s",
            "5 m",
            "5min",
            "1h30m",
            "18446744073709551615d",
        ] {
            let error = text.parse::<DurationText>().unwrap_err().to_string();
            assert!(
                error.contains(&format!("{text:?}")) && error.contains("\"24h\""),
                "{error}"
            );
        }
    }
}
