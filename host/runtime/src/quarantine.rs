//! When a plugin version that fails again and again has to rest, and when it is tried again.
//!
//! Invariant: no clock; callers pass `now`. Only faults of the plugin count (traps, limits, broken answers): an
//! ordinary error that it returns is an answer.

use mainstay_domain::{backoff::Backoff, time::Monotonic};
use std::time::Duration;

/// How patient the host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuarantinePolicy {
    /// Failures in a row that begin a rest; default 5.
    pub failures: u32,
    /// The first rest; default 10 s.
    pub first_rest: Duration,
    /// Each further rest is twice as long as the one before, up to this; default 10 min.
    pub longest_rest: Duration,
}

impl Default for QuarantinePolicy {
    fn default() -> Self {
        Self {
            failures: 5,
            first_rest: Duration::from_secs(10),
            longest_rest: Duration::from_secs(600),
        }
    }
}

/// Whether a version may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Yes.
    Open,
    /// Yes, as the one call that decides whether its rest is over.
    Probe,
    /// No, it rests for this long.
    Resting(Duration),
}

/// What a call changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuarantineChange {
    /// Nothing that anyone has to hear.
    Unchanged,
    /// It rests now, for this long.
    Quarantined(Duration),
    /// Its rest is over: the probe answered.
    Released,
}

/// The failures of one plugin version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quarantine {
    /// In a row.
    failures: u32,
    /// Since a call last answered.
    rests: u32,
    state: State,
}

/// Whether a version rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// It does not.
    #[default]
    Open,
    /// It does, until this; from then on it waits for a probe.
    Resting(Monotonic),
    /// It rested until this, and a probe is under way.
    Probing(Monotonic),
}

impl State {
    /// When its last rest ends, or ended.
    fn until(self) -> Option<Monotonic> {
        match self {
            Self::Open => None,
            Self::Resting(until) | Self::Probing(until) => Some(until),
        }
    }

    /// No probe is under way any more.
    fn without_probe(self) -> Self {
        match self {
            Self::Probing(until) => Self::Resting(until),
            Self::Open | Self::Resting(_) => self,
        }
    }
}

impl Quarantine {
    /// Whether a call may be made now, without making it.
    pub fn is_resting(&self, now: Monotonic) -> bool {
        match self.state {
            State::Open => false,
            State::Resting(until) => now < until,
            State::Probing(_) => true,
        }
    }

    /// Whether it has failed too often and no call has answered since.
    pub fn is_quarantined(&self) -> bool {
        self.state != State::Open
    }

    /// Asks to make a call. After a rest the first that asks is the probe; others wait for what it shows.
    pub fn admit(&mut self, now: Monotonic) -> Admission {
        match self.state {
            State::Open => Admission::Open,
            State::Resting(until) if now >= until => {
                self.state = State::Probing(until);
                Admission::Probe
            }
            // Zero where only the probe is waited for.
            State::Resting(until) | State::Probing(until) => Admission::Resting(until.since(now)),
        }
    }

    /// A call answered, with a value or with an ordinary error.
    pub fn answered(&mut self) -> QuarantineChange {
        let was_resting = self.is_quarantined();
        *self = Self::default();
        match was_resting {
            true => QuarantineChange::Released,
            false => QuarantineChange::Unchanged,
        }
    }

    /// A call failed by the plugin's fault.
    pub fn failed(&mut self, policy: &QuarantinePolicy, now: Monotonic) -> QuarantineChange {
        self.failures = self.failures.saturating_add(1);
        let probe_failed = matches!(self.state, State::Probing(_));
        self.state = self.state.without_probe();
        let rests_already = self.state.until().is_some_and(|until| now < until);
        if rests_already || (!probe_failed && self.failures < policy.failures) {
            return QuarantineChange::Unchanged;
        }
        self.rests = self.rests.saturating_add(1);
        let rest = Backoff::doubled(policy.first_rest, policy.longest_rest).after(self.rests);
        self.state = State::Resting(now + rest);
        QuarantineChange::Quarantined(rest)
    }

    /// A call ended without telling anything of the plugin; where it was the probe, another may follow.
    pub fn inconclusive(&mut self) {
        self.state = self.state.without_probe();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: QuarantinePolicy = QuarantinePolicy {
        failures: 3,
        first_rest: Duration::from_secs(10),
        longest_rest: Duration::from_secs(25),
    };

    fn at(seconds: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_secs(seconds))
    }

    fn failed_three_times() -> Quarantine {
        let mut quarantine = Quarantine::default();
        assert_eq!(
            quarantine.failed(&POLICY, at(0)),
            QuarantineChange::Unchanged
        );
        assert_eq!(
            quarantine.failed(&POLICY, at(0)),
            QuarantineChange::Unchanged
        );
        let rest = Duration::from_secs(10);
        assert_eq!(
            quarantine.failed(&POLICY, at(0)),
            QuarantineChange::Quarantined(rest)
        );
        quarantine
    }

    #[test]
    fn what_each_call_makes_of_each_state() {
        use State::{Open, Probing, Resting};
        let in_state = |state| Quarantine {
            failures: 3,
            rests: 1,
            state,
        };
        let (early, late) = (at(9), at(10));
        let rest = |seconds| Admission::Resting(Duration::from_secs(seconds));
        // The state and the time; what who asks is told, and the state then; and the state after a probe told nothing.
        let table = [
            (Open, early, Admission::Open, Open, Open),
            (Resting(late), early, rest(1), Resting(late), Resting(late)),
            (
                Resting(late),
                late,
                Admission::Probe,
                Probing(late),
                Resting(late),
            ),
            (Probing(late), late, rest(0), Probing(late), Resting(late)),
        ];
        for (state, now, admission, after, untold) in table {
            let mut quarantine = in_state(state);
            let is_resting = matches!(admission, Admission::Resting(_));
            assert_eq!(quarantine.is_resting(now), is_resting, "{state:?} {now:?}");
            assert_eq!(quarantine.is_quarantined(), state != Open, "{state:?}");
            assert_eq!(quarantine.admit(now), admission, "{state:?} {now:?}");
            assert_eq!(quarantine.state, after, "{state:?} {now:?}");
            let mut quarantine = in_state(state);
            quarantine.inconclusive();
            assert_eq!(quarantine.state, untold, "{state:?}");
            assert_eq!(
                in_state(state).answered() == QuarantineChange::Released,
                state != Open,
                "{state:?}"
            );
        }
    }

    #[test]
    fn an_answer_between_failures_forgives_them() {
        let mut quarantine = Quarantine::default();
        for _ in 0..10 {
            assert_eq!(
                quarantine.failed(&POLICY, at(0)),
                QuarantineChange::Unchanged
            );
            assert_eq!(
                quarantine.failed(&POLICY, at(0)),
                QuarantineChange::Unchanged
            );
            assert_eq!(quarantine.answered(), QuarantineChange::Unchanged);
        }
        assert_eq!(quarantine.admit(at(0)), Admission::Open);
    }

    #[test]
    fn after_the_rest_one_probe_decides() {
        let mut quarantine = failed_three_times();
        assert_eq!(
            quarantine.admit(at(4)),
            Admission::Resting(Duration::from_secs(6))
        );
        assert!(quarantine.is_resting(at(9)));
        assert_eq!(quarantine.admit(at(10)), Admission::Probe);
        assert!(quarantine.is_resting(at(10)), "others wait for the probe");
        assert_eq!(quarantine.answered(), QuarantineChange::Released);
        assert_eq!(quarantine.admit(at(10)), Admission::Open);
    }

    #[test]
    fn each_failed_probe_doubles_the_rest_up_to_the_longest() {
        let mut quarantine = failed_three_times();
        for (now, rest) in [(10, 20), (30, 25), (55, 25)] {
            assert_eq!(quarantine.admit(at(now)), Admission::Probe);
            let rest = Duration::from_secs(rest);
            assert_eq!(
                quarantine.failed(&POLICY, at(now)),
                QuarantineChange::Quarantined(rest)
            );
        }
    }

    #[test]
    fn a_call_that_was_under_way_does_not_lengthen_the_rest() {
        let mut quarantine = failed_three_times();
        assert_eq!(
            quarantine.failed(&POLICY, at(1)),
            QuarantineChange::Unchanged
        );
        assert_eq!(quarantine.admit(at(10)), Admission::Probe);
    }

    #[test]
    fn a_probe_that_told_nothing_lets_another_follow() {
        let mut quarantine = failed_three_times();
        assert_eq!(quarantine.admit(at(10)), Admission::Probe);
        quarantine.inconclusive();
        assert_eq!(quarantine.admit(at(10)), Admission::Probe);
    }
}
