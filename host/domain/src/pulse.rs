//! Whether the daemon itself was held up: stopped, suspended with its machine, or without a processor.
//!
//! Its pulse beats steadily while it runs. Where a beat comes late, nothing ran in between: time-outs that passed
//! meanwhile are the daemon's own.
//!
//! Invariant: pure; callers pass the time since the boot, that in which the machine was suspended included.

use crate::time::Monotonic;
use std::time::Duration;

/// How often it is to beat.
pub const BEAT: Duration = Duration::from_millis(100);
/// Later by this, a beat shows that the daemon was held up. A busy machine delays by less.
const HELD_UP: Duration = Duration::from_millis(500);

/// The beats of a daemon.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pulse {
    last: Option<Monotonic>,
    gap: Option<Gap>,
}

#[derive(Debug, Clone, Copy)]
struct Gap {
    ended: Monotonic,
    length: Duration,
}

impl Pulse {
    /// It beats; how long the daemon was held up, if it was since the beat before.
    pub fn beat(&mut self, now: Monotonic) -> Option<Duration> {
        let length = self.last.map(|last| now.since(last));
        self.last = Some(now);
        let length = length.filter(|&length| length >= HELD_UP)?;
        self.gap = Some(Gap { ended: now, length });
        Some(length)
    }

    /// How long the daemon was held up, if it was between this time and now.
    pub fn held_up_since(&self, start: Monotonic, now: Monotonic) -> Option<Duration> {
        let noted = self.gap.filter(|gap| gap.ended >= start);
        let noted = noted.map(|gap| gap.length);
        // The beat that shows it may be just about to come.
        let unnoted = self.last.map(|last| now.since(last));
        unnoted.filter(|&length| length >= HELD_UP).or(noted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_millis(millis))
    }

    #[test]
    fn a_beat_that_comes_late_shows_a_gap_and_what_was_in_flight_then() {
        let mut pulse = Pulse::default();
        assert_eq!(
            pulse.held_up_since(at(0), at(90_000)),
            None,
            "it has no beat yet"
        );
        for now in [0, 100, 200, 699] {
            assert_eq!(pulse.beat(at(now)), None, "{now}");
        }
        let twelve = Duration::from_secs(12);
        assert_eq!(
            pulse.held_up_since(at(600), at(12_699)),
            Some(twelve),
            "before the beat"
        );
        assert_eq!(pulse.beat(at(12_699)), Some(twelve));
        for (start, now, expected) in [
            (600, 12_700, Some(twelve)),
            (12_699, 12_750, Some(twelve)),
            (12_700, 12_750, None),
            (12_700, 13_200, Some(Duration::from_millis(501))),
        ] {
            assert_eq!(
                pulse.held_up_since(at(start), at(now)),
                expected,
                "{start} {now}"
            );
        }
        assert_eq!(pulse.beat(at(12_800)), None);
        assert_eq!(pulse.held_up_since(at(12_750), at(12_900)), None);
    }
}
