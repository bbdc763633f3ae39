//! After a success, a target is left alone for a while [seed 001: it starts on success, 300 s by default].
//!
//! Invariant: only automatic operations heed a cooldown; callers do not ask for the others.

use crate::{
    name::{FailureType, TargetName},
    time::Timestamp,
};
use std::{collections::HashMap, time::Duration};

/// When which failure of which target may be recovered automatically again.
#[derive(Debug, Clone, Default)]
pub struct Cooldowns {
    until: HashMap<(TargetName, FailureType), Timestamp>,
    /// Past ones are dropped when there are so many, so that a start costs no look at all of them.
    sweep_at: usize,
}

/// Fewer than these are not worth a sweep.
const SWEEP_FROM: usize = 64;

impl Cooldowns {
    /// Those that the journal holds; past ones are dropped.
    pub fn new(
        recorded: impl IntoIterator<Item = (TargetName, FailureType, Timestamp)>,
        now: Timestamp,
    ) -> Self {
        let entries = recorded.into_iter().filter(|(_, _, until)| *until > now);
        Self {
            until: entries.map(|(t, f, until)| ((t, f), until)).collect(),
            sweep_at: SWEEP_FROM,
        }
    }

    /// An operation succeeded. Until when its failure cools down, to be journaled; `None` where it does not.
    pub fn start(
        &mut self,
        target: &TargetName,
        failure: &FailureType,
        length: Duration,
        now: Timestamp,
    ) -> Option<Timestamp> {
        if length.is_zero() {
            return None;
        }
        if self.until.len() >= self.sweep_at {
            self.until.retain(|_, until| *until > now);
            self.sweep_at = (2 * self.until.len()).max(SWEEP_FROM);
        }
        let until = now + length;
        self.until.insert((target.clone(), failure.clone()), until);
        Some(until)
    }

    /// Until when this failure cools down; `None` where an operation may start now. `length` is what the route says
    /// today: neither a longer one of yesterday nor a clock that went back makes it longer than that.
    pub fn until(
        &self,
        target: &TargetName,
        failure: &FailureType,
        length: Duration,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let until = self.until.get(&(target.clone(), failure.clone()))?;
        Some((*until).min(now + length)).filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    /// A success of `api` from `down` at 1,000 s; what the cooldown is at `now`, by what the route says then.
    fn check(target: &str, failure: &str, length: u64, now: u64, expected: Option<u64>) {
        let name = |text| TargetName::parse(text).unwrap();
        let failure_type = |text| FailureType::parse(text).unwrap();
        let five_minutes = Duration::from_secs(300);
        let mut cooldowns = Cooldowns::default();
        let until = cooldowns.start(&name("api"), &failure_type("down"), five_minutes, at(1_000));
        let recorded = until.map(|until| (name("api"), failure_type("down"), until));
        let recovered = Cooldowns::new(recorded, at(1_000));
        for cooldowns in [cooldowns, recovered] {
            let found = cooldowns.until(
                &name(target),
                &failure_type(failure),
                Duration::from_secs(length),
                at(now),
            );
            assert_eq!(
                found,
                expected.map(at),
                "{target} {failure} {length} at {now}"
            );
        }
    }

    #[test]
    fn the_same_failure_of_the_same_target_rests_and_no_other() {
        check("api", "down", 300, 1_001, Some(1_300));
        check("api", "down", 300, 1_299, Some(1_300));
        check("api", "down", 300, 1_300, None);
        check("api", "slow", 300, 1_001, None);
        check("web", "down", 300, 1_001, None);
    }

    #[test]
    fn a_shorter_cooldown_in_the_config_counts_from_now_on() {
        check("api", "down", 10, 1_001, Some(1_011));
        check("api", "down", 0, 1_001, None);
    }

    #[test]
    fn a_clock_that_went_back_does_not_make_it_longer() {
        check("api", "down", 300, 500, Some(800));
    }

    #[test]
    fn without_a_length_nothing_is_recorded() {
        let (target, failure) = (
            TargetName::parse("a").unwrap(),
            FailureType::parse("b").unwrap(),
        );
        let mut cooldowns = Cooldowns::default();
        assert_eq!(
            cooldowns.start(&target, &failure, Duration::ZERO, at(1)),
            None
        );
        assert!(cooldowns.until.is_empty());
    }
}
