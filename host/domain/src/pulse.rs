//! Whether the daemon itself was held up: stopped, suspended with its machine, or without a processor.
//!
//! Its pulse beats steadily while it runs. Where a beat comes late, nothing ran in between: time-outs that passed
//! meanwhile are the daemon's own.
//!
//! Invariant: pure; callers pass the time, on both clocks.
//! Invariant: what was held up is taken off what is counted while the machine is awake, and no more: however often it
//! happens, what is due comes due.

use crate::time::Monotonic;
use std::time::Duration;

/// How often it is to beat.
pub const BEAT: Duration = Duration::from_millis(100);
/// Later by this, a beat shows that the daemon was held up. A busy machine delays by less.
const HELD_UP: Duration = Duration::from_millis(500);
/// So long after it the daemon reads what was sent to it meanwhile.
const CATCH_UP: Duration = Duration::from_secs(5);

/// One moment, on both clocks of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moment {
    /// With the time in which the machine was suspended.
    pub with_suspension: Monotonic,
    /// Without it: by this one periods and deadlines are counted.
    pub awake: Monotonic,
}

/// For how long the daemon was held up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldUp {
    /// In all.
    pub length: Duration,
    /// What of it passed on the clock that stands still while the machine is suspended.
    pub awake: Duration,
}

/// When a target was last heard of, and for how long the daemon had been held up by then, in all its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heard {
    /// While the machine was awake.
    pub at: Monotonic,
    held_up: Duration,
}

/// How it stands with a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heartbeat {
    /// It came in time.
    InTime,
    /// It is late, but the daemon was held up for so long of that, and could not hear it.
    Excused(Duration),
    /// It did not come.
    Missed,
}

/// The beats of a daemon.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pulse {
    last: Option<Moment>,
    gap: Option<Gap>,
    /// Of all gaps, on the clock that stands still while the machine is suspended.
    in_all: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Gap {
    ended: Moment,
    length: Duration,
}

impl Pulse {
    /// It beats; how long the daemon was held up, if it was since the beat before.
    pub fn beat(&mut self, now: Moment) -> Option<HeldUp> {
        let held_up = self.unnoted(now);
        self.last = Some(now);
        let held_up = held_up?;
        self.in_all = self.in_all.saturating_add(held_up.awake);
        self.gap = Some(Gap {
            ended: now,
            length: held_up.length,
        });
        Some(held_up)
    }

    /// How long the daemon was held up, if it was between this time, on the clock that counts suspensions, and now.
    pub fn held_up_since(&self, start: Monotonic, now: Moment) -> Option<Duration> {
        let noted = self.gap.filter(|gap| gap.ended.with_suspension >= start);
        let noted = noted.map(|gap| gap.length);
        let unnoted = self.unnoted(now).map(|held_up| held_up.length);
        unnoted.or(noted)
    }

    /// A target is heard of now.
    pub fn heard(&self, now: Moment) -> Heard {
        Heard {
            at: now.awake,
            held_up: self.in_all(now),
        }
    }

    /// How it stands with a heartbeat that is due once in `every`: the time in which nobody could hear it is taken off its
    /// silence. Once the daemon goes on it has a moment to come, for it may lie in the socket.
    pub fn heartbeat(&self, last: Heard, every: Duration, now: Moment) -> Heartbeat {
        let silence = now.awake.since(last.at);
        if silence <= every {
            return Heartbeat::InTime;
        }
        let held_up = self.in_all(now).saturating_sub(last.held_up);
        let unheard = silence.saturating_sub(held_up);
        // At most once for all gaps: with one every few seconds it would never be missed.
        let catches_up = self.catches_up(now) && unheard <= every.saturating_add(CATCH_UP);
        match held_up.is_zero() {
            false if unheard <= every || catches_up => Heartbeat::Excused(held_up),
            _ => Heartbeat::Missed,
        }
    }

    /// What the beat will show that may be just about to come.
    fn unnoted(&self, now: Moment) -> Option<HeldUp> {
        let last = self.last?;
        let length = now.with_suspension.since(last.with_suspension);
        let awake = now.awake.since(last.awake).min(length);
        (length >= HELD_UP).then_some(HeldUp { length, awake })
    }

    fn in_all(&self, now: Moment) -> Duration {
        let unnoted = self.unnoted(now).map(|held_up| held_up.awake);
        self.in_all.saturating_add(unnoted.unwrap_or_default())
    }

    fn catches_up(&self, now: Moment) -> bool {
        let ended = self.gap.map(|gap| gap.ended.awake);
        let lately = ended.is_some_and(|ended| now.awake.since(ended) < CATCH_UP);
        lately || self.unnoted(now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn awake(millis: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_millis(millis))
    }

    /// On a machine that was never suspended.
    fn at(millis: u64) -> Moment {
        Moment {
            with_suspension: awake(millis),
            awake: awake(millis),
        }
    }

    #[test]
    fn a_beat_that_comes_late_shows_a_gap_and_what_was_in_flight_then() {
        let mut pulse = Pulse::default();
        assert_eq!(
            pulse.held_up_since(awake(0), at(90_000)),
            None,
            "it has no beat yet"
        );
        for now in [0, 100, 200, 699] {
            assert_eq!(pulse.beat(at(now)), None, "{now}");
        }
        let twelve = Duration::from_secs(12);
        assert_eq!(
            pulse.held_up_since(awake(600), at(12_699)),
            Some(twelve),
            "before the beat"
        );
        let held_up = pulse.beat(at(12_699)).unwrap();
        assert_eq!((held_up.length, held_up.awake), (twelve, twelve));
        for (start, now, expected) in [
            (600, 12_700, Some(twelve)),
            (12_699, 12_750, Some(twelve)),
            (12_700, 12_750, None),
            (12_700, 13_200, Some(Duration::from_millis(501))),
        ] {
            assert_eq!(
                pulse.held_up_since(awake(start), at(now)),
                expected,
                "{start} {now}"
            );
        }
        assert_eq!(pulse.beat(at(12_800)), None);
        assert_eq!(pulse.held_up_since(awake(12_750), at(12_900)), None);
    }

    #[test]
    fn of_a_suspension_only_what_passed_while_the_machine_was_awake_is_taken_off() {
        let mut pulse = Pulse::default();
        pulse.beat(at(0));
        let now = Moment {
            with_suspension: awake(3_600_000),
            awake: awake(200),
        };
        let held_up = pulse.beat(now).unwrap();
        assert_eq!(held_up.length, Duration::from_secs(3_600));
        assert_eq!(held_up.awake, Duration::from_millis(200));
        assert_eq!(
            pulse.held_up_since(awake(1), now),
            Some(Duration::from_secs(3_600))
        );
    }

    /// Beats every tenth of a second while it runs, and is held up for `gap` at each of these times.
    fn first_miss(every: u64, gaps: impl Fn(u64) -> Option<u64>) -> u64 {
        let mut pulse = Pulse::default();
        pulse.beat(at(0));
        let (last, every) = (pulse.heard(at(0)), Duration::from_millis(every));
        let (mut now, mut ran) = (0, 0);
        loop {
            let step = gaps(ran).unwrap_or(100);
            (now, ran) = (now + step, ran + 100);
            let before = pulse.heartbeat(last, every, at(now));
            pulse.beat(at(now));
            let after = pulse.heartbeat(last, every, at(now));
            assert_eq!(before, after, "whether the beat came yet or not");
            if after == Heartbeat::Missed {
                return ran;
            }
            assert!(ran < 1_000_000, "it is never missed");
        }
    }

    #[test]
    fn a_heartbeat_is_missed_once_the_daemon_has_listened_for_a_period_however_often_it_was_held_up()
     {
        assert_eq!(first_miss(10_000, |_| None), 10_100);
        for between in [1_000, 3_000, 7_000] {
            for gap in [500, 2_000, 60_000] {
                let ran = first_miss(10_000, |ran| ran.is_multiple_of(between).then_some(gap));
                assert!((10_100..=20_000).contains(&ran), "{between} {gap}: {ran}");
            }
        }
        let once = first_miss(10_000, |ran| (ran == 2_000).then_some(60_000));
        assert!((10_000..=10_200).contains(&once), "{once}");
    }

    #[test]
    fn a_heartbeat_that_was_due_during_a_gap_has_a_moment_after_it() {
        let mut pulse = Pulse::default();
        pulse.beat(at(0));
        let (last, every) = (pulse.heard(at(0)), Duration::from_secs(1));
        for now in (100..=900).step_by(100) {
            pulse.beat(at(now));
        }
        pulse.beat(at(60_900));
        for (now, expected) in [
            (60_950, Heartbeat::Excused(Duration::from_secs(60))),
            (65_850, Heartbeat::Excused(Duration::from_secs(60))),
            (65_950, Heartbeat::Missed),
        ] {
            let mut pulse = pulse;
            for beat in (61_000..now).step_by(100) {
                pulse.beat(at(beat));
            }
            assert_eq!(pulse.heartbeat(last, every, at(now)), expected, "{now}");
        }
        let heard = pulse.heard(at(60_950));
        let silent = at(62_100);
        pulse.beat(at(61_000));
        for beat in (61_100..62_100).step_by(100) {
            pulse.beat(at(beat));
        }
        assert_eq!(
            pulse.heartbeat(heard, every, silent),
            Heartbeat::Missed,
            "the gap was before it"
        );
    }
}
