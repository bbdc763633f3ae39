//! How much time was lived since a wall-clock time, whatever the wall clock did meanwhile.
//!
//! Invariant: of what was in the life of this program a jump of the wall clock adds nothing and takes nothing away. Of
//! what was before it, only the wall clock knows how long before.
//! Invariant: bounded memory, however often the clock is set.

use crate::time::{Monotonic, Timestamp};
use std::{collections::VecDeque, time::Duration};

/// A wall clock drifts, and is set by the way; what is more is a jump.
const SLACK: Duration = Duration::from_secs(2);
/// So many jumps are remembered.
const REMEMBERED: usize = 64;

/// The wall clock between jumps, in the order in which that was lived.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    stretches: VecDeque<Stretch>,
    /// The newest look.
    now: Monotonic,
}

/// The wall clock went on as it should from here.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    wall: Timestamp,
    began: Monotonic,
}

impl Stretch {
    fn wall_at(&self, monotonic: Monotonic) -> Timestamp {
        self.wall + monotonic.since(self.began)
    }
}

impl Timeline {
    /// Both clocks stand like this.
    pub fn pass(&mut self, wall: Timestamp, monotonic: Monotonic) {
        self.now = monotonic;
        let is_as_expected = self.stretches.back().is_some_and(|stretch| {
            let expected = stretch.wall_at(monotonic);
            wall <= expected + SLACK && expected <= wall + SLACK
        });
        if is_as_expected {
            return;
        }
        self.stretches.push_back(Stretch {
            wall,
            began: monotonic,
        });
        if self.stretches.len() > REMEMBERED {
            self.stretches.pop_front();
        }
    }

    /// What was lived since then, up to the newest look. Where a wall clock that was set back has shown a time twice, the
    /// newer one is meant; a time that it skipped was when it was set.
    pub fn lived_since(&self, then: Timestamp) -> Duration {
        let mut ends = self.now;
        let mut skipped = None;
        for stretch in self.stretches.iter().rev() {
            let end = stretch.wall_at(ends) + SLACK;
            if then >= stretch.wall && then <= end {
                return self.now.since(stretch.began + then.since(stretch.wall));
            }
            if then > end {
                skipped.get_or_insert(ends);
            }
            ends = stretch.began;
        }
        match (skipped, self.stretches.front()) {
            (Some(set), _) => self.now.since(set),
            (None, Some(first)) => first
                .wall
                .since(then)
                .saturating_add(self.now.since(first.began)),
            (None, None) => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const DAY: Duration = Duration::from_secs(86_400);
    const MINUTE: Duration = Duration::from_secs(60);

    fn at(length: Duration) -> Monotonic {
        Monotonic::from_start(length)
    }

    #[test]
    fn without_a_jump_it_is_what_the_wall_clock_says() {
        let mut timeline = Timeline::default();
        for minute in 5..20 {
            timeline.pass(BEGIN + minute * MINUTE, at(minute * MINUTE));
        }
        for (then, lived) in [
            (BEGIN - DAY, DAY + 19 * MINUTE),
            (BEGIN + 4 * MINUTE, 15 * MINUTE),
            (BEGIN + 10 * MINUTE, 9 * MINUTE),
            (BEGIN + 19 * MINUTE, Duration::ZERO),
            (BEGIN + DAY, Duration::ZERO),
        ] {
            assert_eq!(timeline.lived_since(then), lived, "{then}");
        }
    }

    #[test]
    fn a_jump_adds_nothing_and_takes_nothing_away() {
        for (ahead, back) in [(400 * DAY, Duration::ZERO), (Duration::ZERO, DAY)] {
            let mut timeline = Timeline::default();
            timeline.pass(BEGIN, at(Duration::ZERO));
            timeline.pass(BEGIN + MINUTE, at(MINUTE));
            let set = |length: Duration| BEGIN + length + ahead - back;
            timeline.pass(set(2 * MINUTE), at(2 * MINUTE));
            timeline.pass(set(5 * MINUTE), at(5 * MINUTE));
            assert_eq!(timeline.lived_since(BEGIN + MINUTE), 4 * MINUTE);
            assert_eq!(timeline.lived_since(set(3 * MINUTE)), 2 * MINUTE);
            // And back again.
            timeline.pass(BEGIN + 6 * MINUTE, at(6 * MINUTE));
            assert_eq!(timeline.lived_since(BEGIN + MINUTE), 5 * MINUTE);
        }
    }

    #[test]
    fn a_time_that_the_clock_skipped_was_when_it_was_set() {
        let mut timeline = Timeline::default();
        timeline.pass(BEGIN, at(Duration::ZERO));
        timeline.pass(BEGIN + DAY, at(MINUTE));
        // It is set back by so little that this is no jump.
        let second = Duration::from_secs(1);
        timeline.pass(BEGIN + DAY - second, at(MINUTE));
        timeline.pass(BEGIN + DAY + 4 * MINUTE, at(5 * MINUTE));
        for (then, lived) in [
            (BEGIN + DAY - second, 4 * MINUTE),
            (BEGIN + DAY - MINUTE, 4 * MINUTE),
            (BEGIN + 10 * MINUTE, 4 * MINUTE),
            (BEGIN + 2 * DAY, Duration::ZERO),
            (BEGIN - MINUTE, 6 * MINUTE),
        ] {
            assert_eq!(timeline.lived_since(then), lived, "{then}");
        }
    }

    #[test]
    fn a_clock_that_is_set_for_ever_takes_no_more_memory() {
        let mut timeline = Timeline::default();
        for jump in 0..1_000 {
            timeline.pass(BEGIN + jump * DAY, at(jump * MINUTE));
        }
        assert_eq!(timeline.stretches.len(), REMEMBERED);
    }
}
