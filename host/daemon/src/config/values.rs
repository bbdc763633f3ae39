//! Readers of single values: texts, durations, sizes, numbers, names, paths, addresses.
//!
//! Invariant: each either gives a value that the spec's docs allow, or reports one problem.

use super::{
    document::Value,
    reader::{At, Thing},
    suggest::{listed, nearest},
};
use mainstay_domain::{name::InvalidName, severity::Severity};
use semver::VersionReq;
use std::{
    borrow::Borrow, collections::BTreeMap, ops::RangeInclusive, path::PathBuf, time::Duration,
};

const DURATION_HELP: &str =
    "write a whole number and a unit: \"500ms\", \"2s\", \"5m\", \"24h\" or \"7d\"";
const SIZE_HELP: &str =
    "write a whole number and a unit: \"512B\", \"64KiB\", \"16MiB\" or \"2GiB\"";
const RUN_HELP: &str = "write program and arguments apart: [\"./api\", \"--port\", \"8080\"]";
/// Sums of two such lengths and a time fit everywhere.
const LONGEST: Duration = Duration::from_secs(3650 * 86_400);

/// Any text.
pub(crate) fn text(at: At<'_>) -> Option<String> {
    match at.as_text() {
        Some(text) => Some(text.to_owned()),
        None => at.not("a text", "write it in double quotes"),
    }
}

/// A text with something in it, and no NUL: what the system takes as an argument or a path.
pub(crate) fn word(at: At<'_>) -> Option<String> {
    let text = text(at)?;
    if text.is_empty() || text.contains('\0') {
        return at.not(
            "a text for a program or a path",
            "write at least one character, and none that is NUL",
        );
    }
    Some(text)
}

/// A number and a unit, as operators write lengths of time and sizes.
fn measure(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// A length of time, zero included.
pub(crate) fn duration(at: At<'_>) -> Option<Duration> {
    let units = [
        ("ms", 1),
        ("s", 1_000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
    ];
    let length = at
        .as_text()
        .and_then(|text| measure(text, &units))
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
pub(crate) fn positive_duration(at: At<'_>) -> Option<Duration> {
    let length = duration(at)?;
    if length.is_zero() {
        return at.not("a duration above zero", DURATION_HELP);
    }
    Some(length)
}

/// A size in bytes, within a range.
pub(crate) fn size<'a>(range: RangeInclusive<u64>) -> impl Fn(At<'a>) -> Option<u64> {
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
pub(crate) fn whole<'a, T>(range: RangeInclusive<T>) -> impl Fn(At<'a>) -> Option<T>
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
pub(crate) fn count(at: At<'_>) -> Option<u32> {
    whole(1..=u32::MAX)(at)
}

/// A number, whole or not.
pub(crate) fn number(at: At<'_>) -> Option<f64> {
    match at.node.value {
        Value::Float(number) if number.is_finite() => Some(number),
        Value::Integer(number) => Some(number as f64),
        _ => at.not("a number", format!("write e.g. {} = 2.0", at.key)),
    }
}

/// A share of a whole in percent: above 0, at most 100.
pub(crate) fn percent(at: At<'_>) -> Option<f64> {
    let share = number(at)?;
    if share > 0.0 && share <= 100.0 {
        return Some(share);
    }
    at.not(
        "a percentage above 0 and at most 100",
        format!("write e.g. {} = 90", at.key),
    )
}

/// Yes or no.
pub(crate) fn truth(at: At<'_>) -> Option<bool> {
    match at.node.value {
        Value::Boolean(truth) => Some(truth),
        _ => at.not("true or false", "write it without quotes"),
    }
}

/// One of some words.
pub(crate) fn one_of<'a, T: Copy>(
    what: &'static str,
    words: &[(&str, T)],
    at: At<'a>,
) -> Option<T> {
    let found = at.as_text().unwrap_or_default();
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == found) {
        return Some(*value);
    }
    let all = words.iter().map(|(word, _)| *word);
    let help = match nearest(found, all.clone()) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => format!("allowed are {}", listed(all, '"')),
    };
    at.not(what, help)
}

/// How bad something is.
pub(crate) fn severity(at: At<'_>) -> Option<Severity> {
    one_of(
        "a severity",
        &Severity::ALL.map(|severity| (severity.as_str(), severity)),
        at,
    )
}

/// A name.
pub(crate) fn name<'a, T>(
    parse: fn(&str) -> Result<T, InvalidName>,
) -> impl Fn(At<'a>) -> Option<T> {
    move |at| match parse(&text(at)?) {
        Ok(name) => Some(name),
        Err(error) => at.refuse(
            error.to_string(),
            name_help(at.as_text().unwrap_or_default()),
        ),
    }
}

/// A name that the text may have been meant to be.
pub(crate) fn name_help(found: &str) -> String {
    let lower = found.to_ascii_lowercase();
    let pieces = lower.split(|letter: char| !letter.is_ascii_alphanumeric());
    let pieces: Vec<&str> = pieces.filter(|piece| !piece.is_empty()).collect();
    let name: String = pieces.join("-").chars().take(64).collect();
    if name.is_empty() {
        "write a name such as \"redis\" or \"web-1\"".to_owned()
    } else {
        format!("write \"{}\"", name.trim_end_matches('-'))
    }
}

/// A name that defines a thing.
pub(crate) fn defined<'a, T: Borrow<str>>(
    thing: Thing,
    parse: fn(&str) -> Result<T, InvalidName>,
) -> impl Fn(At<'a>) -> Option<T> {
    move |at| {
        let name = name(parse)(at)?;
        at.context.define(thing, name.borrow(), at.node.place);
        Some(name)
    }
}

/// A name of a thing that must exist.
pub(crate) fn existing<'a, T: Borrow<str>>(
    thing: Thing,
    parse: fn(&str) -> Result<T, InvalidName>,
) -> impl Fn(At<'a>) -> Option<T> {
    move |at| {
        let name = name(parse)(at)?;
        at.context.refer(thing, name.borrow(), at.node.place);
        Some(name)
    }
}

/// A version requirement.
pub(crate) fn version(at: At<'_>) -> Option<VersionReq> {
    let found = text(at)?;
    VersionReq::parse(&found).map_or_else(
        |error| {
            at.not(
                &format!("a version requirement: {error}"),
                "write e.g. \"^1\", \"1.2.3\", \">=1.2, <2\" or \"*\"",
            )
        },
        Some,
    )
}

/// A path, made absolute.
pub(crate) fn path(at: At<'_>) -> Option<PathBuf> {
    let joined = at.context.base.join(word(at)?);
    Some(joined.components().collect())
}

/// A key of a document, or the beginning of one: relative, and never out of its place.
pub(crate) fn document_key(at: At<'_>) -> Option<String> {
    let key = text(at)?;
    let leaves = key.split('/').any(|part| part == "..");
    if leaves || key.starts_with('/') || key.contains('\0') {
        return at.not(
            "a relative key",
            "write it without a leading slash and without \"..\"",
        );
    }
    Some(key)
}

/// Program and arguments.
pub(crate) fn run(at: At<'_>) -> Option<Vec<String>> {
    let arguments = at.each(RUN_HELP, text)?;
    let whole = matches!(&at.node.value, Value::Array(items) if items.len() == arguments.len());
    if arguments.first().is_none_or(String::is_empty) && whole {
        return at.refuse(format!("`{}` names no program", at.key), RUN_HELP);
    }
    if arguments.iter().any(|argument| argument.contains('\0')) {
        return at.refuse(
            format!("`{}` holds a NUL, which no argument can", at.key),
            RUN_HELP,
        );
    }
    Some(arguments)
}

/// Environment variables. Values may hold `${secret:NAME}`.
pub(crate) fn environment(at: At<'_>) -> Option<BTreeMap<String, String>> {
    let mut variables = BTreeMap::new();
    for (key, place, at) in at.entries() {
        if key.is_empty() || key.contains(['=', '\0']) {
            at.context.error(
                place,
                format!("{key:?} cannot be the name of an environment variable"),
                "write a name without `=`, e.g. LOG_LEVEL",
            );
        }
        if let Some(value) = text(at) {
            if value.contains('\0') {
                at.not::<()>(
                    "a value for an environment variable",
                    "it must not hold NUL",
                );
            }
            secrets_in(&value, at);
            variables.insert(key.to_owned(), value);
        }
    }
    Some(variables)
}

/// Any table, as JSON. Texts in it may hold `${secret:NAME}`.
pub(crate) fn json_object(at: At<'_>) -> Option<serde_json::Value> {
    match at.node.value {
        Value::Table(_) => json(at),
        _ => at.not(
            "a table",
            format!("write {} = {{ key = \"value\" }}", at.key),
        ),
    }
}

fn json(at: At<'_>) -> Option<serde_json::Value> {
    Some(match &at.node.value {
        Value::Text(text) => {
            secrets_in(text, at);
            text.as_str().into()
        }
        Value::Datetime(time) => time.as_str().into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) if number.is_finite() => (*number).into(),
        Value::Float(_) => return at.not("a number that JSON has", "write a finite number"),
        Value::Boolean(truth) => (*truth).into(),
        Value::Array(_) => at.each("", json)?.into(),
        Value::Table(_) => {
            let entries = at.entries().into_iter();
            entries
                .filter_map(|(key, _, at)| Some((key.to_owned(), json(at)?)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
    })
}

/// Every secret that a text asks for must exist.
pub(crate) fn secrets_in(text: &str, at: At<'_>) {
    let names = text.split("${secret:").skip(1);
    for piece in names {
        match piece.split_once('}') {
            Some((name, _)) => at.context.refer(Thing::Secret, name, at.node.place),
            None => at.context.error(
                at.node.place,
                format!("`{}` has a `${{secret:` without its end", at.key),
                "write ${secret:NAME}",
            ),
        }
    }
}
