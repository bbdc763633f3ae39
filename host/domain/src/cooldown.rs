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
    cooling: HashMap<(TargetName, FailureType), Cooling>,
    /// Past ones are dropped when there are so many, so that a start costs no look at all of them.
    sweep_at: usize,
}

/// One failure that cools down.
#[derive(Debug, Clone, Copy)]
struct Cooling {
    /// When it was recovered, where that is known.
    since: Option<Timestamp>,
    until: Timestamp,
}

impl Cooling {
    /// Until when it does so, if it does so for this long.
    fn until(
        &self,
        length: Duration,
        now: Timestamp,
        lived: impl Fn(Timestamp) -> Duration,
    ) -> Timestamp {
        match self.since {
            Some(since) => now + length.saturating_sub(lived(since)),
            None => self.until.min(now + length),
        }
    }
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
        let cooling = |until| Cooling { since: None, until };
        Self {
            cooling: entries
                .map(|(t, f, until)| ((t, f), cooling(until)))
                .collect(),
            sweep_at: SWEEP_FROM,
        }
    }

    /// When the last recovery of a failure was, which its record does not say; nothing where it does not cool down. Of one
    /// that is to come it is `now`: how long ago it was nobody knows.
    pub fn learn(
        &mut self,
        target: &TargetName,
        failure: &FailureType,
        recovered: Timestamp,
        now: Timestamp,
    ) {
        let key = (target.clone(), failure.clone());
        if let Some(cooling) = self.cooling.get_mut(&key)
            && recovered < cooling.until
        {
            cooling.since = cooling.since.max(Some(recovered.min(now)));
        }
    }

    /// Another config is in use, by which each failure cools down for so long, counted from its recovery; none: nobody
    /// says. Those of which the end is another, to be journaled, in the order of their names.
    pub fn follow(
        &mut self,
        now: Timestamp,
        length: impl Fn(&TargetName, &FailureType) -> Option<Duration>,
    ) -> Vec<(TargetName, FailureType, Timestamp)> {
        let mut changed = Vec::new();
        for ((target, failure), cooling) in &mut self.cooling {
            let Some(since) = cooling.since.filter(|_| cooling.until > now) else {
                continue;
            };
            let Some(length) = length(target, failure) else {
                continue;
            };
            let until = since + length;
            if until != cooling.until {
                cooling.until = until;
                changed.push((target.clone(), failure.clone(), until));
            }
        }
        changed.sort();
        changed
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
        if self.cooling.len() >= self.sweep_at {
            self.cooling.retain(|_, cooling| cooling.until > now);
            self.sweep_at = (2 * self.cooling.len()).max(SWEEP_FROM);
        }
        let until = now + length;
        let cooling = Cooling {
            since: Some(now),
            until,
        };
        self.cooling
            .insert((target.clone(), failure.clone()), cooling);
        Some(until)
    }

    /// How many failures cool down.
    pub fn cooling(&self, now: Timestamp) -> u32 {
        let cooling = self.cooling.values();
        let count = cooling.filter(|cooling| cooling.until > now).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Until when this failure cools down; `None` where an operation may start now. `length` is what the route says
    /// today, counted from the recovery by the time that was lived since a time, as `lived` says: neither a longer one of
    /// yesterday nor a clock that went back makes it longer than that, and no clock that went ahead makes it shorter.
    pub fn until(
        &self,
        target: &TargetName,
        failure: &FailureType,
        length: Duration,
        now: Timestamp,
        lived: impl Fn(Timestamp) -> Duration,
    ) -> Option<Timestamp> {
        let cooling = self.cooling.get(&(target.clone(), failure.clone()))?;
        // What is over does not begin again with a longer one.
        let is_over = match cooling.since {
            Some(since) => lived(since) >= cooling.until.since(since),
            None => cooling.until <= now,
        };
        let until = (!is_over).then(|| cooling.until(length, now, lived));
        until.filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    /// How long ago that is then.
    fn lived(now: u64) -> impl Fn(Timestamp) -> Duration {
        move |since| at(now).since(since)
    }

    /// A success of `api` from `down` at 1,000 s; what the cooldown is at `now`, by what the route says then.
    fn check(target: &str, failure: &str, length: u64, now: u64, expected: Option<u64>) {
        let name = |text| TargetName::parse(text).unwrap();
        let failure_type = |text| FailureType::parse(text).unwrap();
        let five_minutes = Duration::from_secs(300);
        let mut cooldowns = Cooldowns::default();
        let until = cooldowns.start(&name("api"), &failure_type("down"), five_minutes, at(1_000));
        let recorded = until.map(|until| (name("api"), failure_type("down"), until));
        let mut recovered = Cooldowns::new(recorded, at(1_000));
        recovered.learn(&name("api"), &failure_type("down"), at(1_000), at(1_000));
        for cooldowns in [cooldowns, recovered] {
            let found = cooldowns.until(
                &name(target),
                &failure_type(failure),
                Duration::from_secs(length),
                at(now),
                lived(now),
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
    fn a_shorter_cooldown_in_the_config_counts_from_the_recovery() {
        check("api", "down", 10, 1_001, Some(1_010));
        check("api", "down", 10, 1_010, None);
        check("api", "down", 0, 1_001, None);
    }

    #[test]
    fn of_a_recovery_that_nobody_knows_it_is_no_longer_than_the_config_says() {
        let (target, failure) = (
            TargetName::parse("api").unwrap(),
            FailureType::parse("down").unwrap(),
        );
        let recorded = [(target.clone(), failure.clone(), at(1_300))];
        let cooldowns = Cooldowns::new(recorded, at(1_000));
        let ten = Duration::from_secs(10);
        let until = cooldowns.until(&target, &failure, ten, at(1_001), lived(1_001));
        assert_eq!(until, Some(at(1_011)));
    }

    #[test]
    fn a_longer_cooldown_in_the_config_counts_from_the_recovery_too_and_begins_nothing_anew() {
        let (target, failure) = (
            TargetName::parse("api").unwrap(),
            FailureType::parse("down").unwrap(),
        );
        let (ten, long) = (Duration::from_secs(10), Duration::from_secs(300));
        let mut cooldowns = Cooldowns::default();
        cooldowns.start(&target, &failure, ten, at(1_000));
        let mut late = cooldowns.clone();
        assert_eq!(
            cooldowns.follow(at(1_005), |_, _| Some(long)),
            [(target.clone(), failure.clone(), at(1_300))]
        );
        assert_eq!(
            cooldowns.until(&target, &failure, long, at(1_100), lived(1_100)),
            Some(at(1_300))
        );
        assert!(late.follow(at(1_011), |_, _| Some(long)).is_empty());
        let until = late.until(&target, &failure, long, at(1_011), lived(1_011));
        assert_eq!(until, None);
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
        assert!(cooldowns.cooling.is_empty());
    }
}
