//! Readers of durations, sizes and numbers.

use super::super::{document::Value, reader::ValueAt};
use std::{ops::RangeInclusive, time::Duration};

const DURATION_HELP: &str =
    "write a whole number and a unit: \"500ms\", \"2s\", \"5m\", \"24h\" or \"7d\"";
const SIZE_HELP: &str =
    "write a whole number and a unit: \"512B\", \"64KiB\", \"16MiB\" or \"2GiB\"";
/// Sums of two such lengths and a time fit everywhere.
const LONGEST: Duration = Duration::from_secs(3650 * 86_400);

/// Units of time and their milliseconds, the shortest first.
const DURATION_UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// A number and a unit, as operators write lengths of time and sizes.
fn measure(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// A length of time as operators write it.
pub(crate) fn as_written(length: Duration) -> String {
    let millis = length.as_millis();
    let divides = |factor: u64| millis.is_multiple_of(u128::from(factor));
    let unit = DURATION_UNITS
        .iter()
        .rev()
        .find(|(_, factor)| divides(*factor));
    match unit {
        Some((unit, factor)) if millis > 0 => format!("{}{unit}", millis / u128::from(*factor)),
        _ => "0s".to_owned(),
    }
}

/// A length of time, zero included.
pub(crate) fn duration(at: ValueAt<'_>) -> Option<Duration> {
    let length = at
        .as_text()
        .and_then(|text| measure(text, &DURATION_UNITS))
        .map(Duration::from_millis);
    match length {
        Some(length) if length > LONGEST => {
            at.not("a duration of at most ten years", "write at most \"3650d\"")
        }
        Some(length) => Some(length),
        None => at.not("a duration", DURATION_HELP),
    }
}

/// A length of time above zero.
pub(crate) fn positive_duration(at: ValueAt<'_>) -> Option<Duration> {
    let length = duration(at)?;
    if length.is_zero() {
        return at.not("a duration above zero", DURATION_HELP);
    }
    Some(length)
}

/// The time between two runs of something: less than `least` is refused, less than `few` is warned of.
pub(crate) fn interval(least: Duration, few: Duration, at: ValueAt<'_>) -> Option<Duration> {
    let length = positive_duration(at)?;
    if length < least {
        return at.not(
            &format!("an interval of at least {}", as_written(least)),
            "what runs more often takes the machine from what it looks after; write a longer one",
        );
    }
    if length < few {
        at.context.warn(
            at.node.place,
            format!(
                "`{}` is {}, which is very often: each run costs, and is written down",
                at.key,
                as_written(length)
            ),
            format!("write {} or more, unless it is meant", as_written(few)),
        );
    }
    Some(length)
}

/// A size in bytes, within a range.
pub(crate) fn size<'a>(range: RangeInclusive<u64>) -> impl Fn(ValueAt<'a>) -> Option<u64> {
    move |at| {
        let units = [
            ("B", 1),
            ("KiB", 1 << 10),
            ("MiB", 1 << 20),
            ("GiB", 1 << 30),
            ("TiB", 1 << 40),
        ];
        let bytes = at.as_text().and_then(|text| measure(text, &units));
        match bytes {
            None => at.not("a size", SIZE_HELP),
            Some(bytes) if range.contains(&bytes) => Some(bytes),
            Some(_) => {
                let (low, high) = (in_words(*range.start()), in_words(*range.end()));
                at.not(&format!("a size from {low} to {high}"), SIZE_HELP)
            }
        }
    }
}

/// A size as operators write it.
fn in_words(bytes: u64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = units
        .iter()
        .find(|(_, bits)| bytes >= 1 << bits && bytes.trailing_zeros() >= *bits);
    match unit {
        Some((unit, bits)) => format!("{}{unit}", bytes >> bits),
        None => format!("{bytes}B"),
    }
}

/// A whole number within a range.
pub(crate) fn whole<'a, T>(range: RangeInclusive<T>) -> impl Fn(ValueAt<'a>) -> Option<T>
where
    T: TryFrom<i64> + PartialOrd + std::fmt::Display,
{
    move |at| {
        let number = match at.node.value {
            Value::Integer(number) => T::try_from(number).ok(),
            _ => None,
        };
        number.filter(|number| range.contains(number)).or_else(|| {
            let (low, high) = (range.start(), range.end());
            at.not(
                &format!("a whole number from {low} to {high}"),
                format!("write e.g. {} = {low}", at.key),
            )
        })
    }
}

/// How often something may happen or be there: 1 to the highest number that fits.
pub(crate) fn count(at: ValueAt<'_>) -> Option<u32> {
    whole(1..=u32::MAX)(at)
}

/// A number, whole or not.
pub(crate) fn number(at: ValueAt<'_>) -> Option<f64> {
    number_like(at, "2.0")
}

/// The same, where this is a number that makes sense.
fn number_like(at: ValueAt<'_>, example: &str) -> Option<f64> {
    match at.node.value {
        Value::Float(number) if number.is_finite() => Some(number),
        Value::Integer(number) => Some(number as f64),
        _ => at.not("a number", format!("write e.g. {} = {example}", at.key)),
    }
}

/// A share of a whole in percent: above 0, at most 100.
pub(crate) fn percent(at: ValueAt<'_>) -> Option<f64> {
    let share = number_like(at, "90")?;
    if share > 0.0 && share <= 100.0 {
        return Some(share);
    }
    at.not(
        "a percentage above 0 and at most 100",
        format!("write e.g. {} = 90", at.key),
    )
}

/// A share of one core in percent: above 0, at most a thousand cores.
pub(crate) fn core_percent(at: ValueAt<'_>) -> Option<f64> {
    let share = number_like(at, "90, or 400 for four cores")?;
    if share > 0.0 && share <= 100_000.0 {
        return Some(share);
    }
    at.not(
        "a percentage of one core above 0 and at most 100000",
        format!("write e.g. {} = 90, or 400 for four cores", at.key),
    )
}
