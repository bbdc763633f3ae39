//! What the environments of processes said at earlier looks, so that a look reads only those that can be what it looks for.
//!
//! Invariant: nothing is known of a process that may still be on the way from `fork` to `exec`: without a mark one counts
//! only where it had none [`SETTLED`] ago, and is no child of the daemon.
//! Invariant: by what is known here a process is only passed over. Whether one is a target's, and so is ended, its
//! environment says at that look: a program that a target started may have executed another without the variable, and it
//! must not depend on when it was looked at whether that is left alone.

use super::one::Mark;
use crate::adapters::process::stat::ProcessStat;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// Long after a process was made.
const SETTLED: Duration = Duration::from_secs(10);

/// What was read of one.
#[derive(Debug, Clone)]
struct Known {
    /// With the number this tells it from others; see [`ProcessStat::start_ticks`].
    start_ticks: u64,
    mark: Option<Mark>,
    since: Instant,
}

/// What was read of all; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen(Arc<Mutex<HashMap<u32, Known>>>);

/// What one look finds out, which takes the place of what the look before did.
pub(super) struct Look<'a> {
    seen: &'a Seen,
    now: HashMap<u32, Known>,
}

impl Seen {
    pub(super) fn look(&self) -> Look<'_> {
        Look {
            seen: self,
            now: HashMap::new(),
        }
    }
}

impl Look<'_> {
    /// What the environment of this process said, where that is enough to pass it over.
    pub(super) fn known(&mut self, pid: u32, stat: &ProcessStat) -> Option<Option<Mark>> {
        let known = self.seen.0.lock().get(&pid).cloned();
        let known = known.filter(|known| known.start_ticks == stat.start_ticks)?;
        let counts = known.mark.is_some()
            || (known.since.elapsed() >= SETTLED && stat.parent != std::process::id());
        let mark = known.mark.clone();
        self.now.insert(pid, known);
        counts.then_some(mark)
    }

    /// What was read of it.
    pub(super) fn read(&mut self, pid: u32, stat: &ProcessStat, mark: Option<Mark>) {
        let known = self.now.entry(pid).or_insert_with(|| Known {
            start_ticks: stat.start_ticks,
            mark: None,
            since: Instant::now(),
        });
        known.mark = mark;
    }

    /// The look went through every process.
    pub(super) fn done(self) {
        *self.seen.0.lock() = self.now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_domain::name::TargetName;

    fn stat(start_ticks: u64, parent: u32) -> ProcessStat {
        ProcessStat {
            state: b'S',
            parent,
            group: 1,
            session: 1,
            is_kernel: false,
            cpu_ticks: 0,
            start_ticks,
        }
    }

    fn mark() -> Mark {
        Mark {
            target: TargetName::parse("web").unwrap(),
            start: None,
            marked_as: None,
        }
    }

    fn read(seen: &Seen, stat: &ProcessStat, mark: Option<Mark>) {
        let mut look = seen.look();
        look.known(7, stat);
        look.read(7, stat, mark);
        look.done();
    }

    /// As if it had been read long ago.
    fn age(seen: &Seen) {
        for known in seen.0.lock().values_mut() {
            known.since = known.since.checked_sub(SETTLED).unwrap();
        }
    }

    #[test]
    fn a_process_that_had_no_mark_just_now_is_read_again_and_later_it_is_not() {
        let seen = Seen::default();
        read(&seen, &stat(5, 1), None);
        assert_eq!(seen.look().known(7, &stat(5, 1)), None);
        age(&seen);
        assert_eq!(seen.look().known(7, &stat(5, 1)), Some(None));
        let ours = stat(5, std::process::id());
        assert_eq!(
            seen.look().known(7, &ours),
            None,
            "it may be about to execute"
        );
    }

    #[test]
    fn a_mark_counts_at_once_and_not_for_another_process_of_that_number() {
        let seen = Seen::default();
        read(&seen, &stat(5, 1), Some(mark()));
        assert_eq!(seen.look().known(7, &stat(5, 1)), Some(Some(mark())));
        age(&seen);
        assert_eq!(seen.look().known(7, &stat(6, 1)), None);
    }

    #[test]
    fn one_that_a_look_did_not_meet_is_forgotten() {
        let seen = Seen::default();
        read(&seen, &stat(5, 1), Some(mark()));
        seen.look().done();
        assert_eq!(seen.look().known(7, &stat(5, 1)), None);
    }
}
