//! In which mode the host works: as it should, with a part of it in doubt, or with so much of it down that only what is
//! safe can be relied on [seed 001].
//!
//! The mode follows from the health of the host and is nobody's order. It changes nothing of what the host does; it is
//! what whoever relies on the host goes by, as a load balancer does by `/ready`.
//!
//! Invariant: the mode is the worst that anything called for within the hold: a worse one begins at once, and a better
//! one only after nothing has called for the worse one for all of that time. So it does not flap [seed 001, its defect].

use crate::{fallback_mode::FallbackMode, host_health::HostHealth, text::counted, time::Monotonic};
use std::time::Duration;

/// From so many failed targets on only what is safe can be relied on [seed 001].
const SAFE_FROM: usize = 2;
/// More failed attempts within the hour than these put the host in doubt [seed 001].
const MOST_FAILED_ATTEMPTS: usize = 50;

/// For so long nothing must call for a mode before a better one begins: what a circuit is open for.
pub const HOLD: Duration = Duration::from_secs(30);

/// The mode that a state of the host calls for [seed 001], and why.
pub fn called_for(health: &HostHealth) -> (FallbackMode, FallbackReason) {
    let HostHealth {
        failed,
        open,
        failed_attempts,
        ..
    } = *health;
    match () {
        () if failed >= SAFE_FROM => (FallbackMode::Safe, FallbackReason::FailedTargets(failed)),
        () if open > 0 => (FallbackMode::Heuristic, FallbackReason::OpenCircuits(open)),
        () if failed_attempts > MOST_FAILED_ATTEMPTS => (
            FallbackMode::Heuristic,
            FallbackReason::FailedAttempts(failed_attempts),
        ),
        () => (FallbackMode::Primary, FallbackReason::Calm),
    }
}

/// Why a mode is called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FallbackReason {
    /// So many targets have failed.
    FailedTargets(usize),
    /// So many circuits are open.
    OpenCircuits(usize),
    /// So many attempts to recover failed within the hour.
    FailedAttempts(usize),
    /// Nothing calls for a worse one.
    Calm,
}

impl std::fmt::Display for FallbackReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::FailedTargets(count) => {
                let verb = if count == 1 { "has" } else { "have" };
                write!(f, "{} {verb} failed", counted(count, "target"))
            }
            Self::OpenCircuits(count) => {
                let verb = if count == 1 { "is" } else { "are" };
                write!(f, "{} {verb} open", counted(count, "circuit"))
            }
            Self::FailedAttempts(count) => write!(
                f,
                "{} to recover failed within the hour",
                counted(count, "attempt")
            ),
            Self::Calm => f.write_str("nothing has called for a worse one for a while"),
        }
    }
}

/// A change of the mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FallbackChange {
    /// The mode before.
    pub from: FallbackMode,
    /// The mode now.
    pub to: FallbackMode,
    /// What calls for it.
    pub reason: FallbackReason,
}

/// The mode of the host, and what it remembers to keep it steady. It begins as [`FallbackMode::Primary`].
#[derive(Debug, Clone, Default)]
pub struct Fallback {
    mode: FallbackMode,
    /// What was called for when the host was looked at last.
    wanted: FallbackMode,
    /// When [`FallbackMode::Heuristic`] was called for last.
    heuristic: Option<Monotonic>,
    /// When [`FallbackMode::Safe`] was.
    safe: Option<Monotonic>,
}

impl Fallback {
    /// The mode.
    pub fn mode(&self) -> FallbackMode {
        self.mode
    }

    /// Takes what the host is like now; the mode changes by it, or by the time that has passed.
    pub fn observe(&mut self, health: &HostHealth, now: Monotonic) -> Option<FallbackChange> {
        let (wanted, reason) = called_for(health);
        // What was called for held until this look.
        self.note(self.wanted, now);
        self.note(wanted, now);
        self.wanted = wanted;
        let holds = |last: Option<Monotonic>| last.is_some_and(|last| now.since(last) < HOLD);
        let held = match () {
            () if holds(self.safe) => FallbackMode::Safe,
            () if holds(self.heuristic) => FallbackMode::Heuristic,
            () => FallbackMode::Primary,
        };
        let from = std::mem::replace(&mut self.mode, held.max(wanted));
        (from != self.mode).then_some(FallbackChange {
            from,
            to: self.mode,
            reason: match self.mode == wanted {
                true => reason,
                false => FallbackReason::Calm,
            },
        })
    }

    /// When a better mode may begin, if nothing happens until then; none where what is called for holds.
    pub fn due(&self) -> Option<Monotonic> {
        let last = match self.mode {
            mode if mode == self.wanted => None,
            FallbackMode::Primary => None,
            FallbackMode::Heuristic => self.heuristic,
            FallbackMode::Safe => self.safe,
        };
        last.map(|last| last + HOLD)
    }

    fn note(&mut self, mode: FallbackMode, now: Monotonic) {
        match mode {
            FallbackMode::Primary => {}
            FallbackMode::Heuristic => self.heuristic = Some(now),
            FallbackMode::Safe => self.safe = Some(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FallbackMode::{Heuristic, Primary, Safe};
    use proptest::prelude::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_secs(seconds))
    }

    fn host(failed: usize, open: usize, failed_attempts: usize) -> HostHealth {
        HostHealth {
            failed,
            open,
            failed_attempts,
            ..HostHealth::default()
        }
    }

    #[test]
    fn each_mode_is_called_for_as_in_the_seed() {
        for (health, mode) in [
            (host(0, 0, 0), Primary),
            (host(1, 0, 50), Primary),
            (host(0, 0, 51), Heuristic),
            (host(0, 1, 0), Heuristic),
            (host(1, 1, 0), Heuristic),
            (host(2, 0, 0), Safe),
            (host(3, 3, 99), Safe),
        ] {
            assert_eq!(called_for(&health).0, mode, "{health:?}");
        }
    }

    #[test]
    fn a_reason_is_a_sentence_that_follows_a_colon() {
        for (reason, sentence) in [
            (FallbackReason::FailedTargets(2), "2 targets have failed"),
            (FallbackReason::OpenCircuits(1), "1 circuit is open"),
            (
                FallbackReason::FailedAttempts(51),
                "51 attempts to recover failed within the hour",
            ),
            (
                FallbackReason::Calm,
                "nothing has called for a worse one for a while",
            ),
        ] {
            assert_eq!(reason.to_string(), sentence);
        }
    }

    #[test]
    fn a_worse_mode_begins_at_once_and_a_better_one_after_the_hold() {
        let mut fallback = Fallback::default();
        let mut check = |seconds: u64, health: HostHealth, expected: Option<(_, _)>| {
            let change = fallback.observe(&health, at(seconds));
            let change = change.map(|change| (change.from, change.to));
            assert_eq!(change, expected, "{seconds}");
            fallback.due()
        };
        check(0, host(0, 0, 0), None);
        check(1, host(2, 2, 0), Some((Primary, Safe)));
        // It held until it was seen to be over.
        assert_eq!(check(10, host(1, 1, 0), None), Some(at(40)));
        assert_eq!(check(20, host(0, 0, 0), None), Some(at(40)));
        check(39, host(0, 0, 0), None);
        // A circuit was open until 20 s, so it is not yet as it should.
        assert_eq!(
            check(40, host(0, 0, 0), Some((Safe, Heuristic))),
            Some(at(50))
        );
        assert_eq!(check(50, host(0, 0, 0), Some((Heuristic, Primary))), None);
    }

    #[test]
    fn what_comes_and_goes_within_the_hold_changes_the_mode_once() {
        let mut fallback = Fallback::default();
        let mut changes = 0;
        for second in 0..600 {
            let failed = if second % 20 < 5 { 2 } else { 0 };
            changes += usize::from(fallback.observe(&host(failed, 0, 0), at(second)).is_some());
        }
        assert_eq!((changes, fallback.mode()), (1, Safe));
    }

    proptest! {
        /// Against the rule said in another way: the worst that was called for at any time within the hold.
        #[test]
        fn the_mode_is_the_worst_that_was_called_for_within_the_hold(
            looks in prop::collection::vec((0_u64..40, 0_usize..4, 0_usize..2, 0_usize..60), 1..40),
        ) {
            let mut fallback = Fallback::default();
            let mut now = 0;
            // Each mode with when it began to be called for and when it was last.
            let mut spans: Vec<(FallbackMode, u64)> = Vec::new();
            for (pause, failed, open, failed_attempts) in looks {
                now += pause;
                let health = host(failed, open, failed_attempts);
                let before = fallback.mode();
                let change = fallback.observe(&health, at(now));
                if let Some((_, last)) = spans.last_mut() {
                    *last = now;
                }
                spans.push((called_for(&health).0, now));
                let recent = spans.iter().filter(|(_, last)| now - last < HOLD.as_secs());
                let worst = recent.map(|(mode, _)| *mode).max();
                prop_assert_eq!(Some(fallback.mode()), worst);
                prop_assert_eq!(change.is_some(), before != fallback.mode());
                prop_assert!(fallback.mode() >= called_for(&health).0);
            }
        }
    }
}
