//! The wall clock as far as it can be believed, for what cannot be taken back: deleting, and judging what is too old.
//!
//! Invariant: it is never ahead of the wall clock.
//! Invariant: it goes on with the time lived. Where the wall clock is further ahead, it was set, or the daemon did not
//! live; that counts once the wall clock has stood by it, or further ahead, for [`CONFIRMED`] of life, which goes on from
//! one daemon to the next. One that is wrong for a minute, or for hours, makes nothing too old, whatever is written and
//! whoever is started meanwhile.

use crate::time::{Monotonic, Timestamp, millis};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// So far a wall clock may be ahead of the time lived: clocks drift, and are set by the way.
const SLACK: Duration = Duration::from_secs(60);

/// For so long a wall clock that is ahead has to stay so until it is believed.
pub const CONFIRMED: Duration = Duration::from_secs(86_400);

/// So many stands are remembered; one that is above is taken for the one below it, so that less is believed.
const MOST: usize = 64;

/// How far ahead of the time lived the wall clock stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stand {
    /// What the wall clock showed.
    pub wall: Timestamp,
    /// At this time of life, in milliseconds: the last one at which it was no further ahead.
    pub lived_ms: u64,
}

/// What the next daemon goes on with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettledState {
    /// For how long daemons have lived, in milliseconds.
    pub lived_ms: u64,
    /// Where the wall clock stood within the last [`CONFIRMED`] of life, the least ahead first; that one is believed.
    pub stands: Vec<Stand>,
}

/// What is believed.
#[derive(Debug, Clone)]
pub struct SettledClock {
    lived: Duration,
    /// As in [`SettledState`].
    stands: Vec<Stand>,
    /// When that was known last; none before the first look.
    looked_at: Option<Monotonic>,
}

impl Stand {
    /// Milliseconds between the wall clock and the time lived.
    fn ahead_ms(&self) -> i64 {
        signed(self.wall.as_millis()).saturating_sub(signed(self.lived_ms))
    }

    /// What the wall clock shows at another time of life, where it stands as here.
    fn at(&self, lived_ms: u64) -> Timestamp {
        let shown = self.ahead_ms().saturating_add(signed(lived_ms));
        Timestamp::from_millis(u64::try_from(shown).unwrap_or_default())
    }
}

fn signed(millis: u64) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX)
}

impl SettledClock {
    /// Where no daemon before left a state. `last_lived` is when one was alive last, by its clock; where there was none,
    /// the first look is believed.
    pub fn new(last_lived: Option<Timestamp>) -> Self {
        let stand = last_lived.map(|wall| Stand { wall, lived_ms: 0 });
        Self {
            lived: Duration::ZERO,
            stands: stand.into_iter().collect(),
            looked_at: None,
        }
    }

    /// Goes on with what the daemon before left.
    pub fn resumed(state: SettledState) -> Self {
        Self {
            lived: Duration::from_millis(state.lived_ms),
            stands: state.stands,
            looked_at: None,
        }
    }

    /// What the next daemon goes on with.
    pub fn state(&self) -> SettledState {
        SettledState {
            lived_ms: millis(self.lived),
            stands: self.stands.clone(),
        }
    }

    /// Looks at both clocks, at least every few minutes; the time that is believed now.
    pub fn look(&mut self, now: Timestamp, monotonic: Monotonic) -> Timestamp {
        let lived = self
            .looked_at
            .map_or(Duration::ZERO, |last| monotonic.since(last));
        self.looked_at = Some(monotonic);
        self.lived = self.lived.saturating_add(lived);
        let here = Stand {
            wall: now,
            lived_ms: millis(self.lived),
        };
        let before = self.stands.len();
        self.stands
            .retain(|stand| stand.ahead_ms() < here.ahead_ms());
        let was_lower = self.stands.len() == before;
        let is_near = |stand: &Stand| {
            let further = here.ahead_ms().saturating_sub(stand.ahead_ms());
            further <= signed(millis(SLACK))
        };
        let is_full = self.stands.len() >= MOST;
        if self.stands.first().is_none_or(is_near) {
            self.stands = vec![here];
        } else if let Some(last) = self.stands.last_mut() {
            let is_same = is_near(&*last) || is_full;
            if was_lower || is_same {
                // Where nobody looked meanwhile, it may have stood so until now.
                *last = Stand {
                    wall: last.at(here.lived_ms),
                    lived_ms: here.lived_ms,
                };
            }
            if !is_same {
                self.stands.push(here);
            }
        }
        self.stands
            .retain(|stand| here.lived_ms.saturating_sub(stand.lived_ms) < millis(CONFIRMED));
        // The newest is of now.
        self.stands
            .first()
            .map_or(now, |stand| stand.at(here.lived_ms))
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

    /// The next daemon, with what the one before left.
    fn restarted(clock: &SettledClock) -> SettledClock {
        let stored = serde_json::to_string(&clock.state()).unwrap();
        SettledClock::resumed(serde_json::from_str(&stored).unwrap())
    }

    #[test]
    fn daemons_that_are_restarted_under_a_wrong_clock_believe_it_no_sooner() {
        let (mut clock, mut lived) = (SettledClock::new(Some(BEGIN)), Duration::ZERO);
        live(&mut clock, &mut lived, 10 * MINUTE, Duration::ZERO);
        for _ in 0..20 {
            let settled = live(&mut clock, &mut lived, 60 * MINUTE, 91 * DAY);
            assert!(settled <= BEGIN + lived, "{settled} {lived:?}");
            clock = restarted(&clock);
        }
        let settled = live(&mut clock, &mut lived, MINUTE, Duration::ZERO);
        // The minute before the first look of each of them is none of life.
        assert!(settled <= BEGIN + lived);
        assert!((BEGIN + lived).since(settled) < 30 * MINUTE, "{settled}");
    }

    #[test]
    fn daemons_that_live_by_day_alone_fall_behind_by_a_day_of_life_at_most() {
        let (mut clock, mut lived) = (SettledClock::new(Some(BEGIN)), Duration::ZERO);
        let mut slept = Duration::ZERO;
        for day in 1..30 {
            let settled = live(&mut clock, &mut lived, 16 * 60 * MINUTE, slept);
            let behind = (BEGIN + lived + slept).since(settled);
            assert!(behind <= DAY, "day {day}: {behind:?}");
            slept += 8 * 60 * MINUTE;
            clock = restarted(&clock);
        }
    }

    #[test]
    fn what_was_ahead_for_long_vouches_for_nothing_further_ahead() {
        let (mut clock, mut lived) = (SettledClock::new(Some(BEGIN)), Duration::ZERO);
        live(&mut clock, &mut lived, 10 * MINUTE, Duration::ZERO);
        live(&mut clock, &mut lived, DAY - 10 * MINUTE, 20 * MINUTE);
        let settled = live(&mut clock, &mut lived, 20 * MINUTE, 91 * DAY);
        assert_eq!(settled, BEGIN + lived + 20 * MINUTE);
    }

    #[test]
    fn a_daemon_that_could_not_look_for_long_does_not_believe_what_it_sees_then() {
        let (mut clock, mut lived) = (SettledClock::new(Some(BEGIN)), Duration::ZERO);
        live(&mut clock, &mut lived, 10 * MINUTE, Duration::ZERO);
        lived += 3 * DAY;
        let settled = live(&mut clock, &mut lived, 5 * MINUTE, 91 * DAY);
        assert_eq!(settled, BEGIN + lived);
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
                prop_assert!(clock.stands.len() <= MOST + 1);
                clock = restarted(&clock);
                // The first look of a daemon is of its start.
                let again = clock.look(now, Monotonic::from_start(lived));
                prop_assert!(again <= now);
            }
        }
    }
}
