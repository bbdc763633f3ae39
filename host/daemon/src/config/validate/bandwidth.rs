//! `bandwidth` of a tier: limits at times of day.

use super::super::{
    reader::ValueAt,
    values::{size, text},
};
use mainstay_domain::{
    backup_schedule::{ScheduleError, next_slot},
    spec::{BandwidthSpec, Schedule},
    time::Timestamp,
};

/// A piece of an archive is 256 KiB, and what takes longer than some seconds for one is no limit but a halt.
const LEAST: u64 = 16 << 10;
const DAY: u16 = 24 * 60;

pub(super) fn bandwidth(at: ValueAt<'_>) -> Option<BandwidthSpec> {
    at.fields("the bandwidth", |fields| {
        let from = fields.required("from", "from = \"08:00\"", |at| {
            time_of_day(at, 0..=DAY - 1)
        });
        let to = fields.required("to", "to = \"18:00\"", |at| time_of_day(at, 1..=DAY));
        let zone = fields.or("zone", "UTC".to_owned(), zone);
        let limit = fields.required("limit", "limit = \"10MiB\"", size(LEAST..=1 << 40));
        let (from, to, limit) = (from?, to?, limit?);
        if from == to {
            return at.refuse(
                "this bandwidth begins when it ends",
                "write from = \"00:00\" and to = \"24:00\" where it holds all day",
            );
        }
        Some(BandwidthSpec {
            from,
            to,
            zone,
            limit,
        })
    })
}

/// `HH:MM` as a minute of the day.
fn time_of_day(at: ValueAt<'_>, range: std::ops::RangeInclusive<u16>) -> Option<u16> {
    let number = |text: &str| {
        let is_number = text.len() == 2 && text.bytes().all(|letter| letter.is_ascii_digit());
        text.parse::<u16>().ok().filter(|_| is_number)
    };
    let minute = at.as_text().and_then(|text| {
        let (hour, minute) = text.split_once(':')?;
        let minute = number(minute).filter(|minute| *minute < 60)?;
        Some(number(hour)? * 60 + minute)
    });
    match minute.filter(|minute| range.contains(minute)) {
        Some(minute) => Some(minute),
        None => at.not(
            "a time of day",
            format!("write hours and minutes, e.g. {} = \"18:00\"", at.key),
        ),
    }
}

fn zone(at: ValueAt<'_>) -> Option<String> {
    let zone = text(at)?;
    let daily = Schedule::Cron {
        expression: "0 0 * * *".to_owned(),
        zone: zone.clone(),
    };
    match next_slot(&daily, Timestamp::from_millis(0)) {
        Err(error @ ScheduleError::Zone(_)) => at.refuse(
            error.to_string(),
            "write zone = \"UTC\" or e.g. zone = \"Europe/Berlin\"",
        ),
        _ => Some(zone),
    }
}
