//! The wall clock as far as it can be believed, for what cannot be taken back: deleting, and judging what is too old.
//!
//! Invariant: it is never ahead of the wall clock.
//! Invariant: it goes on with the time lived. Where the wall clock is further ahead, it was set, or the daemon did not
//! live; that counts once the wall clock has stood by it for [`CONFIRMED`] of life. One that is wrong for a minute, or
//! for hours, makes nothing too old.

use crate::time::{Monotonic, Timestamp};
use std::time::Duration;

/// So far a wall clock may be ahead of the time lived: clocks drift, and are set by the way.
const SLACK: Duration = Duration::from_secs(60);

/// For so long a wall clock that is ahead has to stay so until it is believed.
pub const CONFIRMED: Duration = Duration::from_secs(86_400);

/// What is believed.
#[derive(Debug, Clone, Copy)]
pub struct SettledClock {
    settled: Timestamp,
    /// When that was known last; none before the first look.
    looked_at: Option<Monotonic>,
    /// Since when the wall clock is ahead.
    ahead_since: Option<Monotonic>,
}

impl SettledClock {
    /// `last_lived` is when the daemon before was alive last, by its clock; where there was none, the first look is
    /// believed.
    pub fn new(last_lived: Option<Timestamp>) -> Self {
        Self {
            settled: last_lived.unwrap_or(Timestamp::from_millis(u64::MAX)),
            looked_at: None,
            ahead_since: None,
        }
    }

    /// Looks at both clocks, at least every few minutes; the time that is believed now.
    pub fn look(&mut self, now: Timestamp, monotonic: Monotonic) -> Timestamp {
        let lived = self
            .looked_at
            .map_or(Duration::ZERO, |last| monotonic.since(last));
        self.looked_at = Some(monotonic);
        let expected = self.settled + lived;
        if now <= expected + SLACK {
            self.ahead_since = None;
            self.settled = now;
        } else {
            let since = *self.ahead_since.get_or_insert(monotonic);
            let is_confirmed = monotonic.since(since) >= CONFIRMED;
            self.settled = if is_confirmed { now } else { expected };
            if is_confirmed {
                self.ahead_since = None;
            }
        }
        self.settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const DAY: Duration = Duration::from_secs(86_400);
    const BEGIN: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    /// Looks each minute for so long, with the wall clock off by `ahead`; what is believed at the end.
    fn live(
        clock: &mut SettledClock,
        lived: &mut Duration,
        length: Duration,
        ahead: Duration,
    ) -> Timestamp {
        let end = *lived + length;
        let mut settled = BEGIN;
        while *lived < end {
            *lived += MINUTE;
            settled = clock.look(BEGIN + *lived + ahead, Monotonic::from_start(*lived));
        }
        settled
    }

    #[test]
    fn a_clock_that_is_wrong_for_a_while_makes_nothing_older() {
        for (jump, length) in [
            (DAY, MINUTE),
            (91 * DAY, 600 * MINUTE),
            (400 * DAY, DAY / 2),
        ] {
            let (mut clock, mut lived) = (SettledClock::new(Some(BEGIN)), Duration::ZERO);
            live(&mut clock, &mut lived, 10 * MINUTE, Duration::ZERO);
            let settled = live(&mut clock, &mut lived, length, jump);
            assert!(settled <= BEGIN + lived, "{jump:?} for {length:?}");
            let settled = live(&mut clock, &mut lived, MINUTE, Duration::ZERO);
            assert_eq!(settled, BEGIN + lived);
        }
    }

    #[test]
    fn a_clock_that_stays_where_it_was_set_is_believed_after_a_day_of_life() {
        let (mut clock, mut lived) = (SettledClock::new(None), Duration::ZERO);
        live(&mut clock, &mut lived, 10 * MINUTE, Duration::ZERO);
        live(&mut clock, &mut lived, DAY, 30 * DAY);
        let settled = live(&mut clock, &mut lived, 2 * MINUTE, 30 * DAY);
        assert_eq!(settled, BEGIN + lived + 30 * DAY);
    }

    #[test]
    fn a_daemon_that_starts_under_a_wrong_clock_goes_by_when_the_one_before_lived() {
        let (mut clock, mut lived) = (SettledClock::new(Some(BEGIN)), Duration::ZERO);
        let settled = live(&mut clock, &mut lived, 5 * MINUTE, 91 * DAY);
        assert!(settled <= BEGIN + lived);
        let (mut first, mut lived) = (SettledClock::new(None), Duration::ZERO);
        let settled = live(&mut first, &mut lived, 5 * MINUTE, 91 * DAY);
        assert_eq!(
            settled,
            BEGIN + lived + 91 * DAY,
            "nothing is there to lose"
        );
    }

    proptest! {
        #[test]
        fn it_is_never_ahead_of_the_wall_clock(
            looks in prop::collection::vec((0..90_000_u64, 0..4_000_000_000_u64), 1..50),
        ) {
            let mut clock = SettledClock::new(Some(BEGIN));
            let mut lived = Duration::ZERO;
            for (pause, wall) in looks {
                lived += Duration::from_secs(pause);
                let now = Timestamp::from_millis(wall * 1_000);
                prop_assert!(clock.look(now, Monotonic::from_start(lived)) <= now);
            }
        }
    }
}
