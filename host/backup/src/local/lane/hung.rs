//! What hangs in a tier: how much, and in which of all that was mounted there.
//!
//! Invariant: what hangs in a file system that was unmounted counts for nothing of what is mounted in its place; but for all of it
//! together there is a bound.

use crate::local::mounts::Mount;
use std::time::Instant;

/// With so many looks that hang in what is mounted in one place no more are tried there.
const MOST_HUNG: usize = 16;
/// With so many that hang in all that was ever mounted there no more are tried either.
const MOST_HUNG_EVER: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Look,
    /// A look that may take as long as a change.
    Read,
    Change,
}

#[derive(Default)]
pub(super) struct State {
    /// What was given up and is not over, in what is mounted there.
    pub(super) looks: usize,
    /// The same of changes, in whatever was.
    pub(super) changes: usize,
    /// Where it does not answer: when it was last tried.
    pub(super) silent: Option<Instant>,
    /// How often something else was mounted there since the first.
    pub(super) round: u64,
    /// What was mounted there when something hung last, or was tried; none where nobody could tell.
    mounted: Option<Mount>,
    /// Looks that hang in what was mounted there before.
    left: usize,
}

impl State {
    /// Of what was begun in that round.
    pub(super) fn hung(&mut self, kind: Kind, round: u64) -> &mut usize {
        match kind {
            Kind::Look | Kind::Read if round == self.round => &mut self.looks,
            Kind::Look | Kind::Read => &mut self.left,
            Kind::Change => &mut self.changes,
        }
    }

    /// That is mounted there now, where somebody can tell.
    pub(super) fn mounted(&mut self, now: Option<Mount>) {
        let Some(now) = now else { return };
        let before = self.mounted.replace(now);
        if before.is_some() && before != self.mounted {
            self.round += 1;
            self.left += self.looks;
            self.looks = 0;
        }
    }

    /// Whether one more may hang in what is mounted there.
    pub(super) fn may_be_tried(&self) -> bool {
        self.looks < MOST_HUNG && !self.is_used_up()
    }

    /// Whether so many hang that only another daemon asks.
    pub(super) fn is_used_up(&self) -> bool {
        self.looks + self.left + self.changes >= MOST_HUNG_EVER
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::mounts::mount_of;
    use std::path::Path;

    #[test]
    fn what_hangs_in_what_was_unmounted_keeps_nobody_from_what_is_mounted_now() {
        let [first, second] = ["/", "/proc"].map(|path| mount_of(Path::new(path)));
        assert_ne!(first, second, "the files of processes are mounted");
        let mut state = State::default();
        state.mounted(first.clone());
        *state.hung(Kind::Look, 0) += MOST_HUNG;
        state.mounted(first.clone());
        state.mounted(None);
        assert_eq!((state.looks, state.left, state.round), (MOST_HUNG, 0, 0));
        assert!(!state.may_be_tried());
        state.mounted(second);
        assert_eq!((state.looks, state.left, state.round), (0, MOST_HUNG, 1));
        assert!(state.may_be_tried());
        // One of them ends.
        *state.hung(Kind::Read, 0) -= 1;
        assert_eq!((state.looks, state.left), (0, MOST_HUNG - 1));
        // However often that happens, threads are not without number.
        while !state.is_used_up() {
            let round = state.round;
            *state.hung(Kind::Look, round) += 1;
            let other = match state.round % 2 {
                0 => mount_of(Path::new("/proc")),
                _ => first.clone(),
            };
            state.mounted(other);
        }
        assert_eq!(state.looks + state.left, MOST_HUNG_EVER);
        assert!(!state.may_be_tried());
    }
}
