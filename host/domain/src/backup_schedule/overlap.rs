//! What begins at each slot of a schedule and lasts for a while: whether the next always begins before the one before it has
//! ended.

use super::slots::Slots;
use crate::{spec::Schedule, time::Timestamp};
use std::time::Duration;

/// A moment between two is looked for at least so long, and for four times as long as one lasts.
const LOOKED: Duration = Duration::from_secs(32 * 86_400);
/// So many slots are looked for at most.
const MOST_SLOTS: usize = 1_000;

/// Whether, from a time on, there is never a moment between two. Where it would take long to tell, there is.
pub fn never_pauses(schedule: &Schedule, length: Duration, from: Timestamp) -> bool {
    let Ok(slots) = Slots::of(schedule) else {
        return false;
    };
    let Ok(first) = slots.after(from) else {
        return false;
    };
    let until = first + LOOKED.max(length.saturating_mul(4));
    let mut end = first + length;
    for _ in 0..MOST_SLOTS {
        if end >= until {
            return true;
        }
        // The later the next one begins, the fewer are gone through.
        let mut begins = [length / 16, length / 2, length].into_iter();
        let next = begins.find_map(|before_end| {
            let slot = slots.after(end - before_end).ok();
            slot.filter(|slot| *slot <= end)
        });
        match next {
            Some(slot) => end = slot + length,
            None => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_never_closes_is_told_from_one_that_does() {
        const HOUR: u64 = 3_600;
        const DAY: u64 = 24 * HOUR;
        for (expression, zone, length, expected) in [
            ("0 3 * * *", "UTC", 2 * HOUR, false),
            ("0 3 * * *", "UTC", DAY - 1, false),
            ("0 3 * * *", "UTC", DAY, true),
            ("0 3 * * 0", "UTC", 6 * DAY, false),
            ("0 3 * * 0", "UTC", 7 * DAY, true),
            ("* * * * *", "UTC", 2 * HOUR, true),
            ("* * * * 1-5", "Europe/Berlin", 2 * HOUR, false),
            ("0 * * * *", "Europe/Berlin", HOUR, true),
            ("*/30 8-18 * * *", "Europe/Berlin", HOUR, false),
            // The longest month has a day more.
            ("0 0 1 * *", "UTC", 30 * DAY, false),
            ("0 0 1,15 * *", "UTC", 16 * DAY, false),
            ("0 0 1,15 * *", "UTC", 17 * DAY, true),
            // Nobody waits for the answer.
            ("* * * * * *", "UTC", 60, false),
        ] {
            let schedule = Schedule::Cron {
                expression: expression.to_owned(),
                zone: zone.to_owned(),
            };
            let from = Timestamp::from_millis(1_735_689_600_000);
            let never = never_pauses(&schedule, Duration::from_secs(length), from);
            assert_eq!(never, expected, "{expression} for {length} s");
        }
    }
}
