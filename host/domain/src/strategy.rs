//! How the attempts of an operation are spaced [seed 002].
//!
//! Invariant: total for every input: no overflow, no NaN, never longer than the greatest delay.
//! Invariant: the delay before an attempt of an incident is the same each time that it is asked for.

use crate::{backoff::Backoff, id::IncidentId, jitter::Jitter, spec::Strategy};
use std::time::Duration;

/// Why a strategy is none.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InvalidStrategy {
    /// Zero attempts.
    #[error("max_attempts is 0: at least 1 is allowed; to run nothing, leave the route out")]
    NoAttempts,
    /// Delays would shrink, or are none.
    #[error("multiplier is {0}: at least 1.0 is allowed")]
    Multiplier(f64),
    /// The cap is below where it starts.
    #[error(
        "max_delay is {max:?}, less than initial_delay, {initial:?}: at least as much is allowed"
    )]
    MaxDelay {
        /// The first delay.
        initial: Duration,
        /// Its cap.
        max: Duration,
    },
}

impl Strategy {
    /// Checks the constraints of the seed: at least one attempt, a multiplier of at least 1.0, a greatest delay that
    /// is not below the first.
    ///
    /// # Errors
    /// The first of these that does not hold.
    pub fn validate(self) -> Result<Self, InvalidStrategy> {
        if self.max_attempts() == 0 {
            return Err(InvalidStrategy::NoAttempts);
        }
        if let Strategy::Exponential { multiplier, .. } = self
            && !(multiplier.is_finite() && multiplier >= 1.0)
        {
            return Err(InvalidStrategy::Multiplier(multiplier));
        }
        match self {
            Strategy::Exponential {
                initial_delay: initial,
                max_delay: max,
                ..
            }
            | Strategy::Linear {
                initial_delay: initial,
                max_delay: max,
                ..
            } if max < initial => Err(InvalidStrategy::MaxDelay { initial, max }),
            _ => Ok(self),
        }
    }

    /// How often it is tried, the first time included.
    pub fn max_attempts(&self) -> u32 {
        match self {
            Strategy::Exponential { max_attempts, .. }
            | Strategy::Linear { max_attempts, .. }
            | Strategy::Immediate { max_attempts }
            | Strategy::Manual { max_attempts } => *max_attempts,
        }
    }

    /// Whether a person has to approve before the first attempt.
    pub fn awaits_approval(&self) -> bool {
        matches!(self, Strategy::Manual { .. })
    }

    /// Whether there is such an attempt, counted from 1.
    pub fn has_attempt(&self, attempt: u32) -> bool {
        (1..=self.max_attempts()).contains(&attempt)
    }

    /// What is waited before an attempt, counted from 1, as long as nothing spreads it; `None` where there is no such attempt.
    pub fn usual_delay_before(&self, attempt: u32) -> Option<Duration> {
        let (delay, _, longest) = self.unspread(attempt)?;
        Some(delay.min(longest))
    }

    /// What is waited before an attempt of an incident, counted from 1; `None` where there is no such attempt. The first runs
    /// at once, unless the strategy delays it too.
    pub fn delay_before(&self, attempt: u32, of: &IncidentId) -> Option<Duration> {
        let (delay, jitter, longest) = self.unspread(attempt)?;
        Some(jitter.spread(delay, longest, of, attempt))
    }

    /// The delay before an attempt, how it is spread, and the longest it may be; `None` where there is no such attempt.
    fn unspread(&self, attempt: u32) -> Option<(Duration, Jitter, Duration)> {
        if !self.has_attempt(attempt) {
            return None;
        }
        let failures = attempt.saturating_sub(1);
        Some(match *self {
            Strategy::Exponential {
                max_delay,
                delay_first,
                jitter,
                ..
            }
            | Strategy::Linear {
                max_delay,
                delay_first,
                jitter,
                ..
            } => {
                let failures = failures.saturating_add(u32::from(delay_first));
                (self.back_off(failures), jitter, max_delay)
            }
            Strategy::Immediate { .. } | Strategy::Manual { .. } => {
                (Duration::ZERO, Jitter::None, Duration::ZERO)
            }
        })
    }

    /// What is waited after so many failures in a row; nothing after none.
    pub fn back_off(&self, failures: u32) -> Duration {
        match *self {
            Strategy::Exponential {
                initial_delay,
                multiplier,
                max_delay,
                ..
            } => Backoff::multiplied(initial_delay, multiplier, max_delay).after(failures),
            Strategy::Linear {
                initial_delay,
                max_delay,
                ..
            } => Backoff::added(initial_delay, max_delay).after(failures),
            Strategy::Immediate { .. } | Strategy::Manual { .. } => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    const SECOND: Duration = Duration::from_secs(1);

    fn exponential(max_attempts: u32, multiplier: f64) -> Strategy {
        Strategy::Exponential {
            max_attempts,
            initial_delay: SECOND,
            multiplier,
            max_delay: Duration::from_secs(60),
            delay_first: false,
            jitter: Jitter::None,
        }
    }

    fn linear(max_delay: Duration) -> Strategy {
        Strategy::Linear {
            max_attempts: 5,
            initial_delay: SECOND,
            max_delay,
            delay_first: false,
            jitter: Jitter::None,
        }
    }

    fn incident() -> IncidentId {
        IncidentId::parse("inc-01K0000000000000000000000B").unwrap()
    }

    /// The same, whose first attempt waits too.
    fn delayed(strategy: Strategy) -> Strategy {
        match strategy {
            Strategy::Exponential {
                max_attempts,
                initial_delay,
                multiplier,
                max_delay,
                jitter,
                ..
            } => Strategy::Exponential {
                max_attempts,
                initial_delay,
                multiplier,
                max_delay,
                delay_first: true,
                jitter,
            },
            Strategy::Linear {
                max_attempts,
                initial_delay,
                max_delay,
                jitter,
                ..
            } => Strategy::Linear {
                max_attempts,
                initial_delay,
                max_delay,
                delay_first: true,
                jitter,
            },
            other => other,
        }
    }

    /// The seconds before each attempt.
    fn check(strategy: Strategy, expected: &[u64]) {
        let strategy = strategy.validate().unwrap();
        let delays: Vec<u64> = (1..)
            .map_while(|attempt| strategy.delay_before(attempt, &incident()))
            .map(|delay| delay.as_secs())
            .collect();
        assert_eq!(delays, expected, "{strategy:?}");
    }

    #[test]
    fn the_first_attempt_runs_at_once_and_the_delays_are_the_seeds() {
        check(exponential(5, 2.0), &[0, 1, 2, 4, 8]);
        check(exponential(9, 2.0), &[0, 1, 2, 4, 8, 16, 32, 60, 60]);
        check(exponential(3, 1.0), &[0, 1, 1]);
        check(linear(3 * SECOND), &[0, 1, 2, 3, 3]);
        check(Strategy::Immediate { max_attempts: 3 }, &[0, 0, 0]);
        check(Strategy::Manual { max_attempts: 1 }, &[0]);
    }

    #[test]
    fn with_delay_first_the_delays_are_those_of_the_seeds_table() {
        check(delayed(exponential(5, 2.0)), &[1, 2, 4, 8, 16]);
        check(delayed(linear(3 * SECOND)), &[1, 2, 3, 3, 3]);
    }

    #[test]
    fn delays_are_spread_around_those_of_the_strategy_and_do_not_change() {
        let mut spread = delayed(exponential(5, 2.0));
        if let Strategy::Exponential { jitter, .. } = &mut spread {
            *jitter = Jitter::Full;
        }
        let delays = || (1..=5).map(|attempt| spread.delay_before(attempt, &incident()).unwrap());
        for (delay, whole) in delays().zip([1, 2, 4, 8, 16]) {
            let whole = whole * SECOND;
            assert!(delay >= whole / 2 && delay <= whole * 3 / 2, "{delay:?}");
        }
        assert!(delays().eq(delays()));
        let other = IncidentId::parse("inc-01K0000000000000000000000C").unwrap();
        assert_ne!(spread.delay_before(1, &other), delays().next());
    }

    #[test]
    fn there_is_no_attempt_before_the_first_and_after_the_last() {
        assert_eq!(exponential(5, 2.0).delay_before(0, &incident()), None);
        assert_eq!(exponential(5, 2.0).delay_before(6, &incident()), None);
    }

    #[test]
    fn what_the_seed_forbids_is_refused() {
        let max_delay = InvalidStrategy::MaxDelay {
            initial: SECOND,
            max: Duration::ZERO,
        };
        for (strategy, error) in [
            (exponential(0, 2.0), InvalidStrategy::NoAttempts),
            (
                Strategy::Manual { max_attempts: 0 },
                InvalidStrategy::NoAttempts,
            ),
            (exponential(5, 0.9), InvalidStrategy::Multiplier(0.9)),
            (
                exponential(5, f64::INFINITY),
                InvalidStrategy::Multiplier(f64::INFINITY),
            ),
            (linear(Duration::ZERO), max_delay),
        ] {
            assert_eq!(strategy.validate(), Err(error));
        }
        assert!(exponential(5, f64::NAN).validate().is_err());
    }

    proptest! {
        #[test]
        fn no_input_overflows_or_waits_longer_than_the_greatest_delay(
            attempt in any::<u32>(),
            multiplier in any::<f64>(),
            initial in any::<u64>(),
            max in any::<u64>(),
        ) {
            let (initial_delay, max_delay) = (Duration::from_secs(initial), Duration::from_millis(max));
            let max_attempts = u32::MAX;
            for strategy in [
                Strategy::Exponential {
                    max_attempts, initial_delay, multiplier, max_delay, delay_first: false, jitter: Jitter::Decorrelated,
                },
                Strategy::Linear {
                    max_attempts, initial_delay, max_delay, delay_first: true, jitter: Jitter::Full,
                },
            ] {
                let delay = strategy.delay_before(attempt, &incident());
                prop_assert!(delay.is_none_or(|d| d <= max_delay));
                prop_assert_eq!(delay.is_none(), attempt == 0);
            }
        }

        #[test]
        fn delays_never_shrink(attempts in 2_u32..200, multiplier in 1.0_f64..10.0) {
            let strategy = exponential(attempts, multiplier);
            let delays: Vec<_> = (1..=attempts).filter_map(|n| strategy.delay_before(n, &incident())).collect();
            prop_assert!(delays.is_sorted());
        }
    }
}
