//! How waits are spread, so that what failed at one time is not tried at one time [seed 001].
//!
//! Invariant: no randomness: the same wait of the same thing is spread in the same way by every daemon, and under every
//! config, so that a restart neither shortens nor lengthens it.
//! Invariant: total for every input, and never longer than the longest.

use std::{fmt, time::Duration};

/// A way to spread waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Jitter {
    /// As they are.
    #[default]
    None,
    /// From half of it to one and a half.
    Full,
    /// From half of it to all of it.
    Equal,
    /// From nothing to three times as long.
    Decorrelated,
}

impl Jitter {
    /// Every way.
    pub const ALL: [Jitter; 4] = [
        Jitter::None,
        Jitter::Full,
        Jitter::Equal,
        Jitter::Decorrelated,
    ];

    /// The word that operators write.
    pub fn as_str(self) -> &'static str {
        match self {
            Jitter::None => "none",
            Jitter::Full => "full",
            Jitter::Equal => "equal",
            Jitter::Decorrelated => "decorrelated",
        }
    }

    /// The wait before the `number`th try of `what`, which stays the same for each of them.
    pub fn spread(
        self,
        wait: Duration,
        longest: Duration,
        what: impl fmt::Display,
        number: u32,
    ) -> Duration {
        let factor = match self {
            Jitter::None => return wait.min(longest),
            Jitter::Full => 0.5 + share(&what.to_string(), number),
            Jitter::Equal => 0.5 + share(&what.to_string(), number) / 2.0,
            Jitter::Decorrelated => 3.0 * share(&what.to_string(), number),
        };
        let spread = Duration::try_from_secs_f64(wait.as_secs_f64() * factor);
        spread.unwrap_or(longest).min(longest)
    }
}

/// A part of a length, from nothing to all of it: always the same for the same `what`.
pub fn part(length: Duration, what: impl fmt::Display) -> Duration {
    Duration::try_from_secs_f64(length.as_secs_f64() * share(&what.to_string(), 0))
        .unwrap_or(length)
        .min(length)
}

/// From 0 to below 1: evenly spread, and always the same for the same.
fn share(what: &str, number: u32) -> f64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(what.as_bytes());
    hasher.update(&number.to_le_bytes());
    let hash = hasher.finalize();
    // No more bits than a number of this kind holds.
    let first = hash.as_bytes().iter().take(6);
    let bits = first.fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
    bits as f64 / (1_u64 << 48) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The shortest and the longest of many spread seconds.
    fn range(jitter: Jitter) -> (f64, f64) {
        let waits = (0..2_000).map(|number| jitter.spread(SECOND, 60 * SECOND, "op", number));
        let seconds = waits.map(|wait| wait.as_secs_f64());
        seconds.fold((f64::MAX, 0.0), |(least, most), one| {
            (one.min(least), one.max(most))
        })
    }

    #[test]
    fn waits_are_spread_as_far_as_the_seed_says() {
        for (jitter, from, to) in [
            (Jitter::None, 1.0, 1.0),
            (Jitter::Full, 0.5, 1.5),
            (Jitter::Equal, 0.5, 1.0),
            (Jitter::Decorrelated, 0.0, 3.0),
        ] {
            let (least, most) = range(jitter);
            assert!(least >= from && least < from + 0.05, "{jitter:?}: {least}");
            assert!(most <= to && most > to - 0.05, "{jitter:?}: {most}");
        }
    }

    #[test]
    fn a_wait_is_spread_in_the_same_way_each_time_and_others_are_not() {
        let wait = |what: &str, number| Jitter::Full.spread(SECOND, 60 * SECOND, what, number);
        assert_eq!(wait("a", 1), wait("a", 1));
        assert_ne!(wait("a", 1), wait("a", 2));
        assert_ne!(wait("a", 1), wait("b", 1));
    }

    #[test]
    fn a_part_is_the_same_each_time_and_spreads_over_the_whole_length() {
        let parts = (0..2_000).map(|number| part(60 * SECOND, format_args!("host-{number}/state")));
        let parts: Vec<Duration> = parts.collect();
        assert!(parts.iter().all(|part| *part < 60 * SECOND));
        assert!(parts.iter().any(|part| *part < SECOND));
        assert!(parts.iter().any(|part| *part > 59 * SECOND));
        assert_eq!(part(60 * SECOND, "host-7/state"), parts[7]);
        assert_eq!(part(Duration::ZERO, "host-7/state"), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn no_wait_is_longer_than_the_longest(seconds in any::<u64>(), longest in any::<u64>(), number in any::<u32>()) {
            let (wait, longest) = (Duration::from_secs(seconds), Duration::from_secs(longest));
            for jitter in Jitter::ALL {
                prop_assert!(jitter.spread(wait, longest, "op", number) <= longest);
            }
        }
    }
}
