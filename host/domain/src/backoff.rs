//! Waits that grow with each failure in a row, up to a longest.
//!
//! Invariant: no clock and no randomness; who waits counts its failures.
//! Invariant: total for every input: no overflow, no NaN, never longer than the longest.

use std::time::Duration;

/// How long is waited after failures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    first: Duration,
    growth: Growth,
    longest: Duration,
}

/// What becomes of a wait with one more failure.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Growth {
    /// It is twice as long.
    Doubled,
    /// It is so many times as long.
    Multiplied(f64),
    /// It is longer by the first.
    Added,
}

impl Backoff {
    /// Each wait is twice as long as the one before.
    pub const fn doubled(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            growth: Growth::Doubled,
            longest,
        }
    }

    /// Each wait is `factor` times as long as the one before.
    pub const fn multiplied(first: Duration, factor: f64, longest: Duration) -> Self {
        Self {
            first,
            growth: Growth::Multiplied(factor),
            longest,
        }
    }

    /// Each wait is longer than the one before by the first.
    pub const fn added(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            growth: Growth::Added,
            longest,
        }
    }

    /// How long is waited after so many failures in a row; nothing after none.
    pub fn after(&self, failures: u32) -> Duration {
        let Some(earlier) = failures.checked_sub(1) else {
            return Duration::ZERO;
        };
        if earlier == 0 || self.first.is_zero() {
            return self.first.min(self.longest);
        }
        let grown = match self.growth {
            Growth::Doubled => 1_u32
                .checked_shl(earlier)
                .and_then(|factor| self.first.checked_mul(factor)),
            // What is out of the range of a duration, NaN included, is beyond the longest.
            Growth::Multiplied(factor) => Duration::try_from_secs_f64(
                self.first.as_secs_f64() * factor.powf(f64::from(earlier)),
            )
            .ok(),
            Growth::Added => self.first.checked_mul(failures),
        };
        grown.unwrap_or(self.longest).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_grow_from_the_first_to_the_longest() {
        let check = |backoff: Backoff, expected: &[u64]| {
            let waits: Vec<u64> = (0..)
                .take(expected.len())
                .map(|failures| backoff.after(failures).as_secs())
                .collect();
            assert_eq!(waits, expected, "{backoff:?}");
        };
        let minute = 60 * SECOND;
        check(
            Backoff::doubled(SECOND, minute),
            &[0, 1, 2, 4, 8, 16, 32, 60, 60],
        );
        check(
            Backoff::multiplied(SECOND, 3.0, minute),
            &[0, 1, 3, 9, 27, 60, 60],
        );
        check(Backoff::multiplied(SECOND, 1.0, minute), &[0, 1, 1]);
        check(Backoff::added(SECOND, 3 * SECOND), &[0, 1, 2, 3, 3]);
        check(Backoff::doubled(2 * minute, minute), &[0, 60, 60]);
        check(Backoff::doubled(Duration::ZERO, minute), &[0, 0, 0]);
    }

    #[test]
    fn no_number_of_failures_is_too_great() {
        for failures in [32, 33, 1_000, u32::MAX] {
            for longest in [60 * SECOND, Duration::MAX] {
                for backoff in [
                    Backoff::doubled(SECOND, longest),
                    Backoff::multiplied(SECOND, 2.0, longest),
                    Backoff::multiplied(SECOND, f64::NAN, longest),
                    Backoff::added(SECOND, longest),
                ] {
                    let wait = backoff.after(failures);
                    assert!(
                        wait >= 32 * SECOND && wait <= longest,
                        "{backoff:?}: {wait:?}"
                    );
                }
            }
        }
    }
}
