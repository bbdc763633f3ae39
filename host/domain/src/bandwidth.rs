//! How fast bytes go to a tier and come from it.
//!
//! Invariant: over any time bytes go no faster than the limit but for one piece, the one that goes first.

use crate::{
    spec::BandwidthSpec,
    time::{Monotonic, Timestamp},
};
use jiff::tz::TimeZone;
use std::time::Duration;

/// The least of the limits that hold now, bytes a second; none where none does.
pub fn limit_at(limits: &[BandwidthSpec], now: Timestamp) -> Option<u64> {
    let holding = limits.iter().filter(|limit| holds(limit, now));
    holding.map(|limit| limit.limit).min()
}

fn holds(limit: &BandwidthSpec, now: Timestamp) -> bool {
    // Where the machine has lost the zone, the limit is meant all the same.
    let Some(minute) = minute_of_day(&limit.zone, now) else {
        return true;
    };
    match limit.from < limit.to {
        true => (limit.from..limit.to).contains(&minute),
        false => minute >= limit.from || minute < limit.to,
    }
}

fn minute_of_day(zone: &str, now: Timestamp) -> Option<u16> {
    let zone = match zone {
        "UTC" => TimeZone::UTC,
        name => TimeZone::get(name).ok()?,
    };
    let seconds = i64::try_from(now.as_millis() / 1000).ok()?;
    let time = jiff::Timestamp::from_second(seconds).ok()?.to_zoned(zone);
    let minute = i32::from(time.hour()) * 60 + i32::from(time.minute());
    u16::try_from(minute).ok()
}

/// What one tier's bytes pass. A piece passes at once where all before it are paid for by the time that has gone by, and else
/// waits for that; so there is nothing to save up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenBucket {
    /// When all that has passed is paid for.
    paid_at: Option<Monotonic>,
}

impl TokenBucket {
    /// How long a piece of so many bytes waits, by a limit in bytes a second; it counts as passed after that.
    pub fn take(&mut self, bytes: u64, limit: u64, now: Monotonic) -> Duration {
        let begins = self.paid_at.map_or(now, |paid_at| paid_at.max(now));
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(limit.max(1));
        let costs = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.paid_at = Some(begins + costs);
        begins.since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(from: u16, to: u16, zone: &str, limit: u64) -> BandwidthSpec {
        BandwidthSpec {
            from,
            to,
            zone: zone.to_owned(),
            limit,
        }
    }

    #[test]
    fn a_limit_holds_from_its_beginning_until_its_end_also_over_midnight_and_the_least_counts() {
        let by_day = limit(8 * 60, 18 * 60, "UTC", 10);
        let by_night = limit(22 * 60, 6 * 60, "UTC", 20);
        let always = limit(0, 1440, "UTC", 30);
        let abroad = limit(8 * 60, 18 * 60, "Europe/Berlin", 5);
        let lost = limit(8 * 60, 9 * 60, "Nowhere/None", 7);
        for (limits, time, expected) in [
            (vec![], "12:00:00", None),
            (vec![&by_day], "07:59:59", None),
            (vec![&by_day], "08:00:00", Some(10)),
            (vec![&by_day], "17:59:59", Some(10)),
            (vec![&by_day], "18:00:00", None),
            (vec![&by_night], "21:59:59", None),
            (vec![&by_night], "22:00:00", Some(20)),
            (vec![&by_night], "00:00:00", Some(20)),
            (vec![&by_night], "05:59:59", Some(20)),
            (vec![&by_night], "06:00:00", None),
            (vec![&always, &by_day], "09:00:00", Some(10)),
            (vec![&always, &by_day], "19:00:00", Some(30)),
            (vec![&abroad], "07:00:00", Some(5)),
            (vec![&abroad], "17:00:00", None),
            (vec![&lost], "12:00:00", Some(7)),
        ] {
            let limits: Vec<BandwidthSpec> = limits.into_iter().cloned().collect();
            let now = Timestamp::parse(&format!("2026-01-15T{time}Z")).unwrap();
            assert_eq!(limit_at(&limits, now), expected, "{limits:?} at {time}");
        }
    }

    fn at(millis: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_millis(millis))
    }

    #[test]
    fn a_piece_waits_until_those_before_it_are_paid_for() {
        let mut bucket = TokenBucket::default();
        for (now, bytes, limit, wait) in [
            (0, 1_000, 1_000, 0),
            (0, 500, 1_000, 1_000),
            (1_000, 500, 1_000, 500),
            // Nothing is saved up while nothing goes.
            (60_000, 1_000, 1_000, 0),
            (60_000, 1_000, 1_000, 1_000),
            // Another limit counts from then on.
            (62_000, 1_000, 2_000, 0),
            (62_000, 0, 2_000, 500),
        ] {
            let found = bucket.take(bytes, limit, at(now));
            assert_eq!(found, Duration::from_millis(wait), "{bytes} at {now}");
        }
    }

    #[test]
    fn over_any_time_it_is_no_faster_than_the_limit_but_for_one_piece() {
        let mut bucket = TokenBucket::default();
        let (mut now, mut passed) = (at(0), Vec::new());
        for number in 0..200_u64 {
            let bytes = 1 + number * 7_919 % 4_096;
            now = now + bucket.take(bytes, 10_000, now);
            passed.push((now, bytes));
            now = now + Duration::from_millis(number % 13 * 20);
        }
        for (first, (begin, _)) in passed.iter().enumerate() {
            let mut sum = 0;
            for (at, bytes) in passed.iter().skip(first) {
                let may = at.since(*begin).as_millis() * 10 + 20;
                assert!(u128::from(sum) <= may, "{sum} in {may}");
                sum += bytes;
            }
        }
    }
}
