//! Whether the wall clock was set of late, so that nobody should judge by it.
//!
//! Invariant: a wall clock is compared with the monotonic one alone: one that drifts, or is slewed, was not set.
//! Invariant: bounded memory, however often it is set.

use crate::time::{Monotonic, Timestamp};
use std::{collections::VecDeque, time::Duration};

/// By more than this it was set.
const LEAST: Duration = Duration::from_secs(60);
/// For so long after that nothing is judged by it: it may be wrong, and be set right soon.
const OF_LATE: Duration = Duration::from_secs(600);
/// Looks that differ by less are of the same stand.
const NEAR: Duration = Duration::from_secs(1);
/// So many stands are remembered.
const MOST: usize = 64;

/// Where the wall clock stood of late.
#[derive(Debug, Clone, Default)]
pub struct ClockSteps {
    /// The oldest first; the last is that of the newest look.
    stands: VecDeque<Stand>,
}

/// How far the wall clock is from the monotonic one.
#[derive(Debug, Clone, Copy)]
struct Stand {
    /// What the wall clock showed when the monotonic one began, in milliseconds since 1970.
    zero_ms: i64,
    /// It may have stood so until then.
    until: Monotonic,
}

impl Stand {
    fn distance(&self, other: &Self) -> Duration {
        Duration::from_millis(self.zero_ms.abs_diff(other.zero_ms))
    }
}

impl ClockSteps {
    /// Looks at both clocks. By how much the wall clock was set of late; none where it was not.
    pub fn look(&mut self, now: Timestamp, monotonic: Monotonic) -> Option<Duration> {
        let signed = |millis: u64| i64::try_from(millis).unwrap_or(i64::MAX);
        let here = Stand {
            zero_ms: signed(now.as_millis())
                .saturating_sub(signed(crate::time::millis(monotonic.elapsed()))),
            until: monotonic,
        };
        match self.stands.back_mut() {
            Some(last) => {
                // Nobody looked since, so it may have been set just now.
                last.until = monotonic;
                if last.distance(&here) >= NEAR {
                    self.stands.push_back(here);
                }
            }
            None => self.stands.push_back(here),
        }
        let is_old = |stand: &Stand| monotonic.since(stand.until) > OF_LATE;
        while self.stands.len() > MOST || self.stands.front().is_some_and(is_old) {
            self.stands.pop_front();
        }
        let furthest = self.stands.iter().map(|stand| stand.distance(&here)).max();
        furthest.filter(|&furthest| furthest > LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const DAY: u64 = 86_400;

    /// Looks after so many seconds with the wall clock so many ahead; the seconds by which it was set of late, or 0.
    fn check(looks: &[(u64, u64, u64)]) {
        let mut steps = ClockSteps::default();
        for &(lived, ahead, expected) in looks {
            let at = Monotonic::from_start(Duration::from_secs(lived));
            let set = steps.look(BEGIN + Duration::from_secs(lived + ahead), at);
            let set = set.map_or(0, |set| set.as_secs());
            assert_eq!(set, expected, "{lived} of {looks:?}");
        }
    }

    #[test]
    fn a_clock_that_was_set_is_not_judged_by_until_ten_minutes_have_passed() {
        check(&[(0, 0, 0), (5, DAY, DAY), (604, DAY, DAY), (606, DAY, 0)]);
        // Back again, before and after it.
        check(&[(0, DAY, 0), (5, 0, DAY), (606, 0, 0)]);
        check(&[
            (0, 0, 0),
            (300, DAY, DAY),
            (301, 0, DAY),
            (900, 0, DAY),
            (902, 0, 0),
        ]);
    }

    #[test]
    fn a_look_after_a_long_time_does_not_know_when_it_was_set() {
        check(&[(0, 0, 0), (3_600, DAY, DAY), (7_200, DAY, 0)]);
    }

    #[test]
    fn a_clock_that_drifts_was_not_set_and_small_steps_add_up() {
        check(&[(0, 0, 0), (10, 60, 0)]);
        let drifts: Vec<_> = (0..200).map(|look| (look * 600, look * 2, 0)).collect();
        check(&drifts);
        check(&[(0, 0, 0), (10, 40, 0), (20, 80, 80), (620, 80, 0)]);
    }

    #[test]
    fn one_that_is_set_all_the_time_takes_no_more_memory() {
        let mut steps = ClockSteps::default();
        for look in 0..10_000 {
            let at = Monotonic::from_start(Duration::from_millis(look));
            steps.look(BEGIN + Duration::from_secs(look % 7 * 100), at);
        }
        assert!(steps.stands.len() <= MOST);
    }
}
