//! How the host as a whole does: what its targets, their circuits and its recoveries come to, and one score of all three
//! [seed 001].
//!
//! Invariant: a score is from 0 to 1, and nothing that gets worse raises it.

use crate::{breaker::CircuitState, health::Health};

/// What the state of the targets weighs in the score [seed 001].
const SYSTEM_WEIGHT: f64 = 0.40;
/// What their circuits do.
const CIRCUIT_WEIGHT: f64 = 0.35;
/// What the attempts do that failed.
const RETRY_WEIGHT: f64 = 0.25;

/// From this score on something is healthy [seed 001].
const HEALTHY_FROM: f64 = 0.8;
/// From this score on it is degraded, and below it failed.
const DEGRADED_FROM: f64 = 0.5;

/// Fewer failed attempts than these within the hour are nothing unusual [seed 001].
const STABLE_BELOW: usize = 5;
/// Fewer than these are many, and from these on too many.
const ELEVATED_BELOW: usize = 20;

/// How many attempts to recover failed of late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RetryState {
    /// Fewer than 5 within the hour.
    Stable,
    /// Fewer than 20.
    Elevated,
    /// 20 or more.
    Critical,
}

impl RetryState {
    /// What so many failed attempts within the hour are.
    pub fn of(failed_attempts: usize) -> Self {
        match failed_attempts {
            few if few < STABLE_BELOW => Self::Stable,
            many if many < ELEVATED_BELOW => Self::Elevated,
            _ => Self::Critical,
        }
    }

    /// What it is worth in the score, from 0 to 1.
    fn score(self) -> f64 {
        match self {
            Self::Stable => 1.0,
            Self::Elevated => 0.5,
            Self::Critical => 0.0,
        }
    }
}

/// What a state of health is worth, from 0 to 1 [seed 001]; that something starts says as little of it as that nobody knows.
pub fn score_of(health: Health) -> f64 {
    match health {
        Health::Healthy => 1.0,
        Health::Degraded => 0.6,
        Health::Failed => 0.0,
        Health::Unknown | Health::Starting => 0.5,
    }
}

/// What a score means: healthy, degraded or failed [seed 001].
pub fn class_of(score: f64) -> Health {
    match score {
        high if high >= HEALTHY_FROM => Health::Healthy,
        middle if middle >= DEGRADED_FROM => Health::Degraded,
        _ => Health::Failed,
    }
}

/// What all targets together come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HostHealth {
    /// Targets that are healthy.
    pub healthy: usize,
    /// Targets that are degraded.
    pub degraded: usize,
    /// Targets that have failed, by their checks or by a report.
    pub failed: usize,
    /// Targets that are being started.
    pub starting: usize,
    /// Targets of which nothing is known.
    pub unknown: usize,
    /// Circuits that are open.
    pub open: usize,
    /// Circuits that are half-open.
    pub half_open: usize,
    /// Attempts to recover that failed within the hour; see [`FailedAttempts`](crate::failed_attempts::FailedAttempts).
    pub failed_attempts: usize,
}

impl HostHealth {
    /// Of these targets, each with its circuit, and of so many failed attempts.
    pub fn of(
        targets: impl IntoIterator<Item = (Health, CircuitState)>,
        failed_attempts: usize,
    ) -> Self {
        let mut all = Self {
            failed_attempts,
            ..Self::default()
        };
        for (health, circuit) in targets {
            match health {
                Health::Healthy => all.healthy += 1,
                Health::Degraded => all.degraded += 1,
                Health::Failed => all.failed += 1,
                Health::Starting => all.starting += 1,
                Health::Unknown => all.unknown += 1,
            }
            match circuit {
                CircuitState::Closed => {}
                CircuitState::Open => all.open += 1,
                CircuitState::HalfOpen => all.half_open += 1,
            }
        }
        all
    }

    /// How many targets there are.
    pub fn targets(&self) -> usize {
        self.healthy + self.degraded + self.failed + self.starting + self.unknown
    }

    /// How they are as one: failed where one is, else degraded where one is, else healthy where one is [seed 001]; unknown
    /// where nothing is known of any.
    pub fn system(&self) -> Health {
        match self {
            all if all.failed > 0 => Health::Failed,
            all if all.degraded > 0 => Health::Degraded,
            all if all.healthy > 0 => Health::Healthy,
            _ => Health::Unknown,
        }
    }

    /// The worst of their circuits.
    pub fn circuit(&self) -> CircuitState {
        match self {
            all if all.open > 0 => CircuitState::Open,
            all if all.half_open > 0 => CircuitState::HalfOpen,
            _ => CircuitState::Closed,
        }
    }

    /// How many attempts failed of late.
    pub fn retry(&self) -> RetryState {
        RetryState::of(self.failed_attempts)
    }

    /// From 0 to 1: 0.40 of the targets, 0.35 of the circuits, 0.25 of the attempts [seed 001].
    pub fn score(&self) -> f64 {
        let circuit = match self.circuit() {
            CircuitState::Closed => 1.0,
            CircuitState::HalfOpen => 0.5,
            CircuitState::Open => 0.0,
        };
        let score = SYSTEM_WEIGHT * score_of(self.system())
            + CIRCUIT_WEIGHT * circuit
            + RETRY_WEIGHT * self.retry().score();
        score.clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CircuitState::{Closed, HalfOpen, Open};
    use Health::{Degraded, Failed, Healthy, Starting, Unknown};
    use proptest::prelude::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    }

    #[test]
    fn all_targets_are_as_the_worst_of_them_of_which_something_is_known() {
        let check = |healths: &[Health], system: Health| {
            let targets = healths.iter().map(|health| (*health, Closed));
            let all = HostHealth::of(targets, 0);
            assert_eq!(all.system(), system, "{healths:?}");
            assert_eq!(all.targets(), healths.len());
        };
        check(&[], Unknown);
        check(&[Unknown, Starting], Unknown);
        check(&[Unknown, Healthy], Healthy);
        check(&[Healthy, Degraded], Degraded);
        check(&[Healthy, Degraded, Failed], Failed);
    }

    #[test]
    fn the_score_weighs_targets_circuits_and_attempts_as_the_seed_does() {
        let score =
            |target: (Health, CircuitState), failed| HostHealth::of([target], failed).score();
        close(score((Healthy, Closed), 0), 1.0);
        close(score((Degraded, Closed), 0), 0.24 + 0.35 + 0.25);
        close(score((Unknown, Closed), 0), 0.20 + 0.35 + 0.25);
        close(score((Failed, Open), 0), 0.25);
        close(score((Failed, HalfOpen), 5), 0.175 + 0.125);
        close(score((Failed, Open), 20), 0.0);
    }

    #[test]
    fn a_score_and_a_number_of_failures_have_the_classes_of_the_seed() {
        for (score, class) in [
            (1.0, Healthy),
            (0.8, Healthy),
            (0.799, Degraded),
            (0.5, Degraded),
            (0.499, Failed),
            (f64::NAN, Failed),
        ] {
            assert_eq!(class_of(score), class, "{score}");
        }
        for (failed, state) in [
            (0, RetryState::Stable),
            (4, RetryState::Stable),
            (5, RetryState::Elevated),
            (19, RetryState::Elevated),
            (20, RetryState::Critical),
        ] {
            assert_eq!(RetryState::of(failed), state, "{failed}");
        }
    }

    fn any_target() -> impl Strategy<Value = (Health, CircuitState)> {
        let health = prop::sample::select(vec![Unknown, Starting, Healthy, Degraded, Failed]);
        let circuit = prop::sample::select(vec![Closed, HalfOpen, Open]);
        (health, circuit)
    }

    proptest! {
        #[test]
        fn what_gets_worse_raises_no_score(
            targets in prop::collection::vec(any_target(), 0..8), failed in 0_usize..100, more in 0_usize..100,
        ) {
            let score = HostHealth::of(targets.clone(), failed).score();
            prop_assert!((0.0..=1.0).contains(&score));
            let after_failures = HostHealth::of(targets.clone(), failed + more).score();
            prop_assert!(after_failures <= score);
            for worse in [(Failed, Open), (Failed, Closed)] {
                let with_another = targets.iter().copied().chain([worse]);
                prop_assert!(HostHealth::of(with_another, failed).score() <= score);
            }
        }

        #[test]
        fn every_target_is_counted_once(targets in prop::collection::vec(any_target(), 0..30)) {
            let all = HostHealth::of(targets.clone(), 0);
            prop_assert_eq!(all.targets(), targets.len());
            prop_assert!(all.open + all.half_open <= targets.len());
        }
    }
}
