//! Whether a target flaps: opens its circuit again and again.
//!
//! Invariant: a target that begins to flap is announced once, until it has been calm.
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
    announced: bool,
}

impl FlapDetector {
    /// The circuit opened. Whether the target begins to flap with that: the one time to alert.
    pub fn opened(&mut self, now: Monotonic) -> bool {
        if !self.is_flapping(now) {
            self.announced = false;
        }
        self.opens.push_back(now);
        if self.opens.len() > REMEMBERED {
            self.opens.pop_front();
        }
        let begins = self.is_flapping(now) && !self.announced;
        self.announced |= begins;
        begins
    }

    /// An opening from before this program started. If the target was flapping then, it is not announced again.
    pub fn opened_before(&mut self, age: Duration, now: Monotonic) {
        if age < WINDOW {
            self.before
                .push_back(WINDOW.saturating_sub(age) + now.elapsed());
            if self.before.len() > REMEMBERED {
                self.before.pop_front();
            }
            self.announced |= self.is_flapping(now);
        }
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
    fn a_target_that_flaps_again_after_calm_is_told_again() {
        check(
            &[0, 1, 2, 3, 4, 5, 900, 901, 902, 903, 904, 905],
            &[5, 905],
            1,
        );
    }
}
