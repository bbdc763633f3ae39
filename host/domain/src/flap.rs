//! Whether a target flaps: opens its circuit again and again.
//!
//! Invariant: a target that begins to flap is announced once, and so is that it has been calm since.
//! Invariant: bounded memory, however often it opens.

use crate::time::Monotonic;
use std::{collections::VecDeque, time::Duration};

/// More openings than this within [`WINDOW`] are flapping.
pub const MAX_OPENS: usize = 5;
/// How far back openings count.
pub const WINDOW: Duration = Duration::from_secs(600);
/// So many openings are remembered: more would not make any strategy wait longer.
const REMEMBERED: usize = 16;

/// The openings of one target's circuit.
#[derive(Debug, Clone, Default)]
pub struct FlapDetector {
    opens: VecDeque<Monotonic>,
    /// Openings from before the start of the program: until when each counts.
    before: VecDeque<Duration>,
    /// How old the newest of those were, oldest first.
    ages: VecDeque<Duration>,
    announced: bool,
}

impl FlapDetector {
    /// The circuit opened. Whether the target begins to flap with that: the one time to alert.
    pub fn opened(&mut self, now: Monotonic) -> bool {
        self.steadied(now);
        self.opens.push_back(now);
        if self.opens.len() > REMEMBERED {
            self.opens.pop_front();
        }
        let begins = self.is_flapping(now) && !self.announced;
        self.announced |= begins;
        begins
    }

    /// An opening from before this program started, the oldest first. If the target was flapping then, it is not
    /// announced again, but its end is: nobody may have heard of that.
    pub fn opened_before(&mut self, age: Duration, now: Monotonic) {
        self.ages.push_back(age);
        if self.ages.len() > MAX_OPENS + 1 {
            self.ages.pop_front();
        }
        if self.ages.len() > MAX_OPENS
            && let Some(oldest) = self.ages.front()
        {
            self.announced |= oldest.saturating_sub(age) < WINDOW;
        }
        if age < WINDOW {
            self.before
                .push_back(WINDOW.saturating_sub(age) + now.elapsed());
            if self.before.len() > REMEMBERED {
                self.before.pop_front();
            }
        }
    }

    /// Whether it was announced, and is calm by now: the one time to say so.
    pub fn steadied(&mut self, now: Monotonic) -> bool {
        let is_over = self.announced && !self.is_flapping(now);
        self.announced &= !is_over;
        is_over
    }

    /// When it will be calm if it does not open again; none where nobody was told that it flaps.
    pub fn calm_at(&self) -> Option<Monotonic> {
        let own = self.opens.iter().map(|at| *at + WINDOW);
        let before = self.before.iter().copied().map(Monotonic::from_start);
        let mut ends: Vec<Monotonic> = own.chain(before).collect();
        ends.sort_unstable_by(|a, b| b.cmp(a));
        let calm = ends.get(MAX_OPENS).copied().unwrap_or_default();
        self.announced.then_some(calm)
    }

    /// Whether it has opened too often of late.
    pub fn is_flapping(&self, now: Monotonic) -> bool {
        self.recent(now) > MAX_OPENS
    }

    /// How many openings are too many of late; 0 unless the target flaps. The strategy of its recovery says what that
    /// makes it wait: [`crate::spec::Strategy::back_off`].
    pub fn excess(&self, now: Monotonic) -> u32 {
        u32::try_from(self.recent(now).saturating_sub(MAX_OPENS)).unwrap_or(u32::MAX)
    }

    fn recent(&self, now: Monotonic) -> usize {
        let in_window = |at: &&Monotonic| now.since(**at) < WINDOW;
        let earlier = self.before.iter().filter(|until| now.elapsed() < **until);
        self.opens.iter().rev().take_while(in_window).count() + earlier.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_secs(seconds))
    }

    /// Opens at these seconds; at which of them it is announced, and the excess after the last.
    fn check(opens: &[u64], announced: &[u64], excess: u32) {
        let mut flaps = FlapDetector::default();
        let heard: Vec<u64> = opens
            .iter()
            .copied()
            .filter(|second| flaps.opened(at(*second)))
            .collect();
        assert_eq!(heard, announced, "opens at {opens:?}");
        let last = opens.last().copied().unwrap_or(0);
        assert_eq!(flaps.excess(at(last)), excess, "{opens:?}");
    }

    #[test]
    fn the_sixth_opening_within_ten_minutes_is_flapping_and_is_told_once() {
        check(&[], &[], 0);
        check(&[0, 1, 2, 3, 4], &[], 0);
        check(&[0, 1, 2, 3, 4, 5], &[5], 1);
        check(&[0, 1, 2, 3, 4, 5, 6, 7], &[5], 3);
        check(&[0, 200, 400, 600, 800, 1_000], &[], 0);
    }

    #[test]
    fn the_excess_grows_to_its_end_and_goes_away_with_calm() {
        let mut flaps = FlapDetector::default();
        for second in 0..1_000 {
            flaps.opened(at(second));
        }
        assert_eq!(flaps.excess(at(1_000)), 11);
        assert_eq!(flaps.opens.len(), REMEMBERED);
        assert_eq!(flaps.excess(at(1_600)), 0);
        assert!(!flaps.is_flapping(at(1_600)));
    }

    #[test]
    fn the_end_is_told_once_when_the_sixth_newest_opening_is_ten_minutes_old() {
        let mut flaps = FlapDetector::default();
        assert_eq!(flaps.calm_at(), None);
        for second in 0..8 {
            flaps.opened(at(second));
        }
        assert_eq!(flaps.calm_at(), Some(at(602)));
        assert!(!flaps.steadied(at(601)));
        assert!(flaps.steadied(at(602)));
        assert!(!flaps.steadied(at(603)), "once");
        assert_eq!(flaps.calm_at(), None);
    }

    #[test]
    fn the_end_of_what_flapped_before_the_start_is_told_whether_it_is_over_by_then_or_not() {
        for (ages, calm) in [
            ([300_u64, 299, 298, 297, 296, 295], Some(at(300))),
            ([3_000, 2_999, 2_998, 2_997, 2_996, 2_995], Some(at(0))),
            ([3_000, 2_400, 1_800, 1_200, 600, 1], None),
        ] {
            let mut flaps = FlapDetector::default();
            for age in ages {
                flaps.opened_before(Duration::from_secs(age), at(0));
            }
            assert_eq!(flaps.calm_at(), calm, "{ages:?}");
        }
    }

    #[test]
    fn a_target_that_flaps_again_after_calm_is_told_again() {
        check(
            &[0, 1, 2, 3, 4, 5, 900, 901, 902, 903, 904, 905],
            &[5, 905],
            1,
        );
    }
}
