//! What is committed and not yet on the disk: the line between the writer and the thread that syncs.
//!
//! Invariant: it is in the order of the commits, and so is what the syncer takes: all that there is, for one fsync.
//! Invariant: it is bounded as [`super::queue`] is, for what is in it counts there until it is on the disk.
//! Invariant: once a sync has failed the syncer takes nothing more before the writer has saved what is committed, and what
//! it saves is all that is in the line then: it hands over what it commits before it does anything else.
//! Invariant: neither thread waits for the other when that has ended.

use super::{queue::Waiting, store::Done};
use crate::port::StoreError;
use parking_lot::{Condvar, Mutex};

/// One submission that is committed, and what became of it.
pub(super) type Written = (Waiting, Done);

/// What one fsync puts on the disk.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) written: Vec<Written>,
    /// Of its last commit.
    pub(super) number: u64,
}

/// The line.
#[derive(Debug, Default)]
pub(super) struct Unsynced {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    line: Group,
    /// Whether the syncer has something in its hands.
    is_at_hand: bool,
    disk: Disk,
    ends: Ends,
}

/// How the disk takes what is synced.
#[derive(Debug, Default)]
enum Disk {
    #[default]
    Well,
    /// The last sync has failed, and what is committed is not saved.
    Fails(StoreError),
    /// This, which was in the line, is saved.
    Saved(Group),
}

/// Which of the two threads go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Ends {
    #[default]
    Both,
    /// Nothing more comes.
    Syncer,
    /// Nobody syncs any more.
    Nobody,
}

impl Unsynced {
    /// Puts what was committed, up to this number, at the end of the line.
    pub(super) fn push(&self, written: Vec<Written>, number: u64) {
        let mut state = self.state.lock();
        if state.ends == Ends::Nobody {
            return;
        }
        state.line.written.extend(written);
        state.line.number = number;
        drop(state);
        self.changed.notify_all();
    }

    /// For the syncer, which is done with what it has taken before: all that is in the line. Waits for something; none
    /// where nothing more comes.
    pub(super) fn take(&self) -> Option<Group> {
        let mut state = self.state.lock();
        if std::mem::take(&mut state.is_at_hand) {
            self.changed.notify_all();
        }
        self.changed.wait_while(&mut state, |state| {
            state.line.written.is_empty() && state.ends == Ends::Both
        });
        if state.line.written.is_empty() {
            return None;
        }
        state.is_at_hand = true;
        Some(state.take_line())
    }

    /// For the syncer: this, which it has taken, could not be synced and is first in the line again. It is to wait for the
    /// writer then.
    pub(super) fn fail(&self, group: Group, why: StoreError) {
        let mut state = self.state.lock();
        let later = std::mem::replace(&mut state.line.written, group.written);
        state.line.written.extend(later);
        state.disk = Disk::Fails(why);
        drop(state);
        self.changed.notify_all();
    }

    /// For the syncer: waits until the writer has saved what is committed. What it saved; none where the writer has ended and
    /// nobody does.
    pub(super) fn wait_until_saved(&self) -> Option<Group> {
        let mut state = self.state.lock();
        self.changed.wait_while(&mut state, |state| {
            state.disk.fails().is_some() && state.ends == Ends::Both
        });
        match std::mem::take(&mut state.disk) {
            Disk::Saved(others) => Some(others),
            Disk::Well | Disk::Fails(_) => None,
        }
    }

    /// For the writer: why it has to save what is committed before it commits more, where it has to.
    pub(super) fn failed(&self) -> Option<StoreError> {
        self.state.lock().disk.fails().cloned()
    }

    /// For the writer: what is in the line is not on the disk for now, and nobody waits for that. What was refused is
    /// answered with that.
    pub(super) fn hold(&self, why: &StoreError) {
        for (waiting, done) in &mut self.state.lock().line.written {
            if let Done::Changes(Err(refused)) | Done::Value(Err(refused)) = done {
                let refused = refused.clone();
                waiting.work.take().refuse(refused);
                *done = Done::Changes(Ok(Vec::new()));
            } else {
                waiting.work.is_held(why);
            }
        }
    }

    /// For the writer: everything committed is on the disk, in another way than by a sync. What it commits from now on
    /// is not.
    pub(super) fn saved(&self) {
        let mut state = self.state.lock();
        let others = state.take_line();
        state.disk = Disk::Saved(others);
        drop(state);
        self.changed.notify_all();
    }

    /// For the writer, at its end: waits until everything is on the disk and answered, or as [`Unsynced::failed`].
    pub(super) fn settle(&self) -> Option<StoreError> {
        let mut state = self.state.lock();
        self.changed.wait_while(&mut state, |state| {
            let is_left = state.is_at_hand || !state.line.written.is_empty();
            is_left && state.disk.fails().is_none() && state.ends == Ends::Both
        });
        match state.ends {
            Ends::Both => state.disk.fails().cloned(),
            Ends::Syncer | Ends::Nobody => None,
        }
    }

    /// The writer has ended: what is in the line is still synced.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        if state.ends == Ends::Both {
            state.ends = Ends::Syncer;
        }
        drop(state);
        self.changed.notify_all();
    }

    /// The syncer has ended: who waits for what is in the line is answered with that.
    pub(super) fn end(&self) {
        let mut state = self.state.lock();
        state.ends = Ends::Nobody;
        let left = state.take_line();
        drop(state);
        self.changed.notify_all();
        drop(left);
    }

    /// Submissions in the line.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.state.lock().line.written.len()
    }
}

impl Disk {
    fn fails(&self) -> Option<&StoreError> {
        match self {
            Self::Fails(why) => Some(why),
            Self::Well | Self::Saved(_) => None,
        }
    }
}

impl State {
    /// All that is in the line; the number stays what it is.
    fn take_line(&mut self) -> Group {
        Group {
            written: std::mem::take(&mut self.line.written),
            number: self.line.number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        port::StoreErrorKind,
        sqlite::queue::{BOUND, Queue, Taken, Work},
    };
    use std::path::PathBuf;
    use tokio::sync::oneshot;

    fn commit(line: &Unsynced, number: u64) {
        let queue = Queue::new(PathBuf::from("/a/journal.db"), BOUND);
        queue.push(Work::SetAside(Vec::new(), oneshot::channel().0));
        let Taken::Batch(batch) = queue.take(1, None) else {
            panic!("there is a batch");
        };
        let written = batch
            .into_iter()
            .map(|waiting| (waiting, Done::SetAside(Ok(Vec::new()))));
        line.push(written.collect(), number);
    }

    /// A sync of all that is in the line fails; how many submissions that were.
    fn torn(line: &Unsynced) -> usize {
        let group = line.take().expect("something is in the line");
        let taken = group.written.len();
        line.fail(group, StoreError::new(StoreErrorKind::Unavailable, "torn"));
        taken
    }

    /// How many submissions a group has, and up to which commit.
    fn of(group: Option<Group>) -> Option<(usize, u64)> {
        group.map(|group| (group.written.len(), group.number))
    }

    #[test]
    fn all_that_is_in_the_line_is_taken_at_once_and_what_is_left_also_where_no_more_comes() {
        let line = Unsynced::default();
        commit(&line, 1);
        commit(&line, 2);
        assert_eq!(of(line.take()), Some((2, 2)));
        commit(&line, 3);
        line.close();
        assert_eq!(of(line.take()), Some((1, 3)));
        assert_eq!(of(line.take()), None);
    }

    #[test]
    fn what_is_committed_after_a_save_is_not_of_what_was_saved() {
        let line = Unsynced::default();
        commit(&line, 1);
        assert_eq!(torn(&line), 1);
        commit(&line, 2);
        let why = line.failed().expect("it is told");
        assert_eq!(line.settle().map(|why| why.text), Some(why.text));
        line.saved();
        assert!(line.failed().is_none());
        // The writer goes on before the syncer looks.
        commit(&line, 3);
        assert_eq!(of(line.wait_until_saved()), Some((2, 2)));
        assert_eq!(torn(&line), 1);
        line.saved();
        assert_eq!(of(line.wait_until_saved()), Some((1, 3)));
    }

    #[test]
    fn who_has_ended_is_not_waited_for() {
        let line = Unsynced::default();
        commit(&line, 1);
        assert_eq!(torn(&line), 1);
        line.close();
        assert_eq!(of(line.wait_until_saved()), None);
        let line = Unsynced::default();
        commit(&line, 1);
        line.end();
        assert!(line.settle().is_none());
        commit(&line, 2);
        assert_eq!(line.len(), 0);
    }
}
