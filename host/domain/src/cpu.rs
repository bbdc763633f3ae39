//! How much CPU a process and its group use, from two readings of what they have used since their start.
//!
//! Invariant: what cannot be known is no success: a first reading says nothing, nor one of another process than before.

use crate::{health::Outcome, time::Monotonic};
use std::time::Duration;

/// Between two readings that are compared: so long that the ticks of the system, and a process that is seen to join the
/// group a moment late, hardly count.
pub const SHORTEST_SPAN: Duration = Duration::from_secs(1);

/// What a process and its group have used of the CPU up to a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuReading {
    /// The leader's number.
    pub pid: u32,
    /// When the leader was started, in clock ticks after boot: with its number it is this very process.
    pub start_ticks: u64,
    /// CPU time of all members since their start, with that of the children that they have waited for.
    pub used: Duration,
    /// When it was read.
    pub at: Monotonic,
}

impl CpuReading {
    /// Whether this can be compared with an earlier reading. What has used less than before has lost a member, and its
    /// time with it.
    fn goes_on_from(&self, earlier: &Self) -> bool {
        (self.pid, self.start_ticks) == (earlier.pid, earlier.start_ticks)
            && self.used >= earlier.used
            && self.at >= earlier.at
    }

    /// The use since an earlier reading in percent, 100 for one core; none where no time has passed.
    fn percent_since(&self, earlier: &Self) -> Option<f64> {
        let span = self.at.since(earlier.at).as_secs_f64();
        let used = self.used.saturating_sub(earlier.used).as_secs_f64();
        (span > 0.0).then(|| 100.0 * used / span)
    }
}

/// The readings of one check that the next one is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CpuReadings {
    /// At least [`SHORTEST_SPAN`] before `last`.
    before: Option<CpuReading>,
    last: Option<CpuReading>,
}

impl CpuReadings {
    /// Takes up a reading: how much was used since the one before in percent, 100 for one core. Where that was too short
    /// a time ago, since the one before that. None where there is none to compare it with.
    pub fn take(&mut self, reading: CpuReading) -> Option<f64> {
        let Some(last) = self.last.filter(|last| reading.goes_on_from(last)) else {
            *self = Self {
                before: None,
                last: Some(reading),
            };
            return None;
        };
        if reading.at.since(last.at) < SHORTEST_SPAN {
            return reading.percent_since(&self.before?);
        }
        *self = Self {
            before: Some(last),
            last: Some(reading),
        };
        reading.percent_since(&last)
    }
}

/// What a use of so many percent is: failed above `max`, degraded above `degraded`.
pub fn judge(percent: f64, max: f64, degraded: Option<f64>) -> Outcome {
    if percent > max {
        Outcome::Failed
    } else if degraded.is_some_and(|degraded| percent > degraded) {
        Outcome::Degraded
    } else {
        Outcome::Healthy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(pid: u32, start_ticks: u64, used_ms: u64, at_ms: u64) -> CpuReading {
        CpuReading {
            pid,
            start_ticks,
            used: Duration::from_millis(used_ms),
            at: Monotonic::from_start(Duration::from_millis(at_ms)),
        }
    }

    #[test]
    fn what_was_used_is_counted_since_the_reading_before() {
        // Each row goes on from those above it: the reading, and the percent that it shows.
        let story = [
            ("a first look", reading(7, 100, 500, 0), None),
            ("half a core", reading(7, 100, 1_500, 2_000), Some(50.0)),
            ("idle", reading(7, 100, 1_500, 4_000), Some(0.0)),
            ("two cores", reading(7, 100, 5_500, 6_000), Some(200.0)),
            (
                "too soon: since 4 s",
                reading(7, 100, 5_500, 6_500),
                Some(160.0),
            ),
            ("too soon again", reading(7, 100, 5_500, 6_999), Some(133.4)),
            ("since 6 s", reading(7, 100, 6_000, 7_000), Some(50.0)),
            (
                "another process of its number",
                reading(7, 900, 10, 9_000),
                None,
            ),
            ("too soon after its first", reading(7, 900, 20, 9_010), None),
            (
                "since its first",
                reading(7, 900, 1_010, 10_000),
                Some(100.0),
            ),
            ("a restart", reading(8, 990, 0, 20_000), None),
            ("it starts up", reading(8, 990, 900, 21_000), Some(90.0)),
            ("a member left", reading(8, 990, 300, 22_000), None),
            (
                "counted from there",
                reading(8, 990, 500, 24_000),
                Some(10.0),
            ),
        ];
        let mut readings = CpuReadings::default();
        for (what, reading, expected) in story {
            let shown = readings.take(reading);
            let close = match (shown, expected) {
                (Some(shown), Some(expected)) => f64::abs(shown - expected) < 0.1,
                (shown, expected) => shown == expected,
            };
            assert!(close, "{what}: {shown:?}, not {expected:?}");
        }
    }

    #[test]
    fn a_clock_that_went_back_begins_anew() {
        let mut readings = CpuReadings::default();
        assert_eq!(readings.take(reading(7, 1, 0, 5_000)), None);
        assert_eq!(readings.take(reading(7, 1, 0, 4_000)), None);
        assert_eq!(readings.take(reading(7, 1, 0, 6_000)), Some(0.0));
    }

    #[test]
    fn above_the_limit_it_fails_and_above_the_lower_one_it_is_degraded() {
        use Outcome::{Degraded, Failed, Healthy};
        for (percent, max, degraded, expected) in [
            (90.0, 90.0, None, Healthy),
            (90.1, 90.0, None, Failed),
            (250.0, 300.0, Some(200.0), Degraded),
            (200.0, 300.0, Some(200.0), Healthy),
            (300.1, 300.0, Some(200.0), Failed),
            (0.0, 0.5, Some(0.1), Healthy),
        ] {
            assert_eq!(
                judge(percent, max, degraded),
                expected,
                "{percent} of {max}"
            );
        }
    }
}
