//! What the environments of processes said at earlier looks, so that a look reads only those that can be what it looks for.
//!
//! A process that nothing is looked for in is passed over as it is listed, by its number and its directory's inode, so that a
//! look costs what has come since the one before.
//!
//! Invariant: nothing is known of a process that may still be on the way from `fork` to `exec`: without a mark one counts
//! only where it had none [`SETTLED`] ago, and is no child of the daemon.
//! Invariant: by what is known here a process is only passed over. Whether one is a target's, and so is ended, its
//! environment says at that look: a program that a target started may have executed another without the variable, and it
//! must not depend on when it was looked at whether that is left alone.

use super::one::Mark;
use crate::adapters::process::stat::{Listed, ProcessStat};
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
    /// Tells it from others too; see [`Listed::inode`].
    inode: u64,
    /// A thread of the kernel never becomes anything else.
    is_kernel: bool,
    /// Whether it was one when it was read.
    is_child: bool,
    mark: Option<Mark>,
    since: Instant,
}

/// What was read of all; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen(Arc<Mutex<HashMap<u32, Known>>>);

/// What one look finds out, which takes the place of what the look before did.
pub(super) struct Look<'a> {
    seen: &'a Seen,
    /// The daemon's own number, which the system is not asked for at every process.
    own: u32,
    now: HashMap<u32, Known>,
}

impl Seen {
    pub(super) fn look(&self) -> Look<'_> {
        Look {
            seen: self,
            own: std::process::id(),
            now: HashMap::new(),
        }
    }
}

impl Known {
    fn of(process: Listed, stat: &ProcessStat, own: u32) -> Self {
        Self {
            start_ticks: stat.start_ticks,
            inode: process.inode,
            is_kernel: stat.is_kernel,
            is_child: stat.parent == own,
            mark: None,
            since: Instant::now(),
        }
    }
}

impl Look<'_> {
    /// Whether it is the daemon.
    pub(super) fn is_own(&self, process: Listed) -> bool {
        process.pid == self.own
    }

    /// Whether it carries no mark, as is known without a look at it.
    pub(super) fn passes_over(&mut self, process: Listed) -> bool {
        let known = self.seen.0.lock().get(&process.pid).cloned();
        let Some(known) = known.filter(|known| known.inode == process.inode) else {
            return false;
        };
        let is_settled = || known.since.elapsed() >= SETTLED && !known.is_child;
        let passes = known.is_kernel || (known.mark.is_none() && is_settled());
        if passes {
            self.now.insert(process.pid, known);
        }
        passes
    }

    /// It is a thread of the kernel.
    pub(super) fn is_kernel(&mut self, process: Listed, stat: &ProcessStat) {
        self.now
            .insert(process.pid, Known::of(process, stat, self.own));
    }

    /// What the environment of this process said, where that is enough to pass it over.
    pub(super) fn known(&mut self, process: Listed, stat: &ProcessStat) -> Option<Option<Mark>> {
        let known = self.seen.0.lock().get(&process.pid).cloned();
        let mut known = known.filter(|known| known.start_ticks == stat.start_ticks)?;
        let counts =
            known.mark.is_some() || (known.since.elapsed() >= SETTLED && stat.parent != self.own);
        known.inode = process.inode;
        let mark = known.mark.clone();
        self.now.insert(process.pid, known);
        counts.then_some(mark)
    }

    /// What was read of it.
    pub(super) fn read(&mut self, process: Listed, stat: &ProcessStat, mark: Option<Mark>) {
        let (known, own) = (self.now.entry(process.pid), self.own);
        known.or_insert_with(|| Known::of(process, stat, own)).mark = mark;
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

    fn listed() -> Listed {
        Listed { pid: 7, inode: 70 }
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
        look.known(listed(), stat);
        look.read(listed(), stat, mark);
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
        assert_eq!(seen.look().known(listed(), &stat(5, 1)), None);
        age(&seen);
        assert_eq!(seen.look().known(listed(), &stat(5, 1)), Some(None));
        let ours = stat(5, std::process::id());
        assert_eq!(
            seen.look().known(listed(), &ours),
            None,
            "it may be about to execute"
        );
    }

    #[test]
    fn a_mark_counts_at_once_and_not_for_another_process_of_that_number() {
        let seen = Seen::default();
        read(&seen, &stat(5, 1), Some(mark()));
        assert_eq!(seen.look().known(listed(), &stat(5, 1)), Some(Some(mark())));
        age(&seen);
        assert_eq!(seen.look().known(listed(), &stat(6, 1)), None);
    }

    #[test]
    fn one_that_a_look_did_not_meet_is_forgotten() {
        let seen = Seen::default();
        read(&seen, &stat(5, 1), Some(mark()));
        seen.look().done();
        assert_eq!(seen.look().known(listed(), &stat(5, 1)), None);
    }

    #[test]
    fn one_without_a_mark_is_passed_over_as_it_is_listed_once_it_has_settled() {
        let seen = Seen::default();
        read(&seen, &stat(5, 1), None);
        assert!(!seen.look().passes_over(listed()), "it may yet execute");
        age(&seen);
        assert!(seen.look().passes_over(listed()));
        let another = Listed {
            inode: 71,
            ..listed()
        };
        assert!(!seen.look().passes_over(another), "the number is another's");
        read(&seen, &stat(5, 1), Some(mark()));
        age(&seen);
        assert!(!seen.look().passes_over(listed()), "it has a mark");
    }

    #[test]
    fn a_child_is_never_passed_over_as_it_is_listed_and_a_thread_of_the_kernel_is_at_once() {
        let seen = Seen::default();
        read(&seen, &stat(5, std::process::id()), None);
        age(&seen);
        assert!(!seen.look().passes_over(listed()));
        let mut look = seen.look();
        look.is_kernel(
            listed(),
            &ProcessStat {
                is_kernel: true,
                ..stat(5, 2)
            },
        );
        look.done();
        let mut look = seen.look();
        assert!(look.passes_over(listed()));
        look.done();
        assert!(seen.look().passes_over(listed()), "it was met again");
    }
}
