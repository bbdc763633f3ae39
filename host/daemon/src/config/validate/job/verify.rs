//! `verify` of a job: when what it has stored is read back, and how much of it each time.

use super::{
    super::super::{document::Value, reader::ValueAt},
    weekly, when_or_never,
};
use mainstay_domain::spec::Schedule;

/// A schedule alone, or a table with how much is read at each of its slots: so many percent, none for all.
pub(super) fn verify(at: ValueAt<'_>) -> Option<(Option<Schedule>, Option<u32>)> {
    let is_whole = matches!(&at.node.value, Value::Table(table) if !table.contains_key("cron"));
    if !is_whole {
        return Some((when_or_never(at)?, None));
    }
    at.fields("the verification", |fields| {
        let every = fields.or("every", weekly(), when_or_never);
        let sample = fields.or("sample", 100, sample);
        Some((every, (sample < 100).then_some(sample)))
    })
}

/// Whole percent.
fn sample(at: ValueAt<'_>) -> Option<u32> {
    let share = at
        .as_text()
        .and_then(|text| text.strip_suffix('%'))
        .filter(|share| share.bytes().all(|letter| letter.is_ascii_digit()))
        .and_then(|share| share.parse::<u32>().ok())
        .filter(|share| (1..=100).contains(share));
    match share {
        Some(share) => Some(share),
        None => at.not(
            "a share from \"1%\" to \"100%\" in whole percent",
            "write e.g. sample = \"25%\"",
        ),
    }
}
