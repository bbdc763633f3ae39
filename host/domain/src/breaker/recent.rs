//! What the last looks of one check saw, for checks that fail by how many of them failed.
//!
//! Invariant: looks are only counted from when the check last began anew: a start, a recovery, another config.

use crate::spec::FailOf;

/// The last looks, the newest in the lowest bit, one where it failed. No look is as one that passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct RecentLooks(u64);

impl RecentLooks {
    /// One more look.
    pub(super) fn add(&mut self, has_failed: bool) {
        self.0 = (self.0 << 1) | u64::from(has_failed);
    }

    /// Whether so many of the last so many failed.
    pub(super) fn reach(self, limit: FailOf) -> bool {
        let window = u64::MAX >> (FailOf::MOST - limit.of.clamp(1, FailOf::MOST));
        (self.0 & window).count_ones() >= limit.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reaches(looks: &str, failures: u32, of: u32) -> bool {
        let mut recent = RecentLooks::default();
        looks.chars().for_each(|look| recent.add(look == '-'));
        recent.reach(FailOf { failures, of })
    }

    #[test]
    fn failures_count_whatever_lies_between_them_as_long_as_the_window_reaches() {
        for (looks, failures, of, expected) in [
            ("", 1, 1, false),
            ("-", 1, 1, true),
            ("-+", 1, 1, false),
            ("-+-+-", 3, 5, true),
            ("-+-++-", 3, 5, false),
            ("--", 3, 5, false),
            ("---", 3, 5, true),
            ("-++++-", 2, 5, false),
            ("-+++-", 2, 5, true),
        ] {
            assert_eq!(reaches(looks, failures, of), expected, "{looks}");
        }
    }

    proptest! {
        #[test]
        fn it_is_as_counting_says(looks in "[-+]{0,200}", of in 1_u32..=64, failures in 1_u32..=64) {
            let last = looks.chars().rev().take(of as usize);
            let failed = last.filter(|&look| look == '-').count();
            prop_assert_eq!(reaches(&looks, failures, of), failed >= failures as usize);
        }
    }
}
