//! When to look at a restarted service again.
//!
//! Invariant: pauses grow from 50 ms to 1 s, and the last one ends at the limit.

use std::time::Duration;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What to do after a look that saw a check fail.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Look again after this pause.
    After(Duration),
    /// The limit is over.
    NoMore,
}

/// Decides after the look number `looks` (from 1), `elapsed` after the restart.
pub(crate) fn next_look(looks: u32, elapsed: Duration, limit: Duration) -> Look {
    let left = limit.saturating_sub(elapsed);
    if left.is_zero() {
        return Look::NoMore;
    }
    let doublings = looks.saturating_sub(1).min(10);
    let pause = FIRST_PAUSE
        .saturating_mul(1 << doublings)
        .min(LONGEST_PAUSE);
    Look::After(pause.min(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_second_and_end_at_the_limit() {
        fn check(looks: u32, elapsed: u64, limit: u64, expected: Look) {
            let millis = Duration::from_millis;
            assert_eq!(next_look(looks, millis(elapsed), millis(limit)), expected);
        }
        let after = |pause| Look::After(Duration::from_millis(pause));
        check(1, 0, 20_000, after(50));
        check(2, 50, 20_000, after(100));
        check(6, 3_000, 20_000, after(1_000));
        check(u32::MAX, 3_000, 20_000, after(1_000));
        check(6, 19_700, 20_000, after(300));
        check(7, 20_000, 20_000, Look::NoMore);
        check(1, 0, 0, Look::NoMore);
    }
}
