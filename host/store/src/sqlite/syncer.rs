//! The thread that puts on the disk what the writer has committed, and then does what follows from that: answers, and
//! tells the events.
//!
//! The writer commits meanwhile, so that who needs only that it outlives the daemon waits for no fsync, neither its own nor
//! that of what was before. What is committed while one fsync runs shares the next.
//!
//! Invariant: nothing is answered as durable, marked or told before a sync that began after its commit has ended well, or
//! it was saved. The number of a group is taken before its sync begins.
//! Invariant: answers and events are in the order of the commits. What was committed counts in the line of the writer
//! until it is on the disk, so that its bound is one of both.
//! Invariant: a sync that failed is never believed by trying it again. The writer, which commits nothing then, moves what is
//! committed into the database itself, see [`super::store::Store::save`]. Only it checkpoints: SQLite does not sync a database
//! to which it has copied while another connection commits.
//! Invariant: the log is the file that SQLite has open: it is neither replaced nor removed while the writer has its
//! connection. Where it begins anew after a checkpoint, or is removed with that connection, what was in it is in the database,
//! synced by SQLite before that.
//! Invariant: the log is opened before anything is committed to it, so that what could not be written of it is told to
//! this thread, too, when SQLite was told first.

use super::{
    error::sentence,
    files::beside,
    load::Load,
    mark::{Head, Mark},
    queue::{Queue, Work},
    store::Done,
    unsynced::{Group, Unsynced},
};
use crate::port::{Committed, DiskState, StoreErrorKind};
use mainstay_domain::{code::ErrorCode, event::Event};
use std::{fs::File, io, path::PathBuf, sync::Arc};
use tokio::sync::{broadcast, watch};

/// What the thread owns.
pub(super) struct Syncer {
    pub(super) path: PathBuf,
    pub(super) unsynced: Arc<Unsynced>,
    pub(super) queue: Arc<Queue>,
    /// The write-ahead log; none where there was none yet.
    pub(super) log: Option<File>,
    /// Of the last commit that is on the disk.
    pub(super) synced: Head,
    pub(super) mark: Mark,
    pub(super) events: broadcast::Sender<Arc<Event>>,
    pub(super) room: watch::Receiver<DiskState>,
    #[cfg(test)]
    pub(super) faults: Arc<super::store::Faults>,
}

impl Drop for Syncer {
    /// However the thread ends, nobody waits for it for ever: without it nothing is durable, so nothing more is taken.
    fn drop(&mut self) {
        self.queue.end();
        self.unsynced.end();
    }
}

impl Syncer {
    /// Syncs until the writer has ended and everything that it committed is on the disk, or cannot be.
    pub(super) fn run(mut self) {
        while let Some(mut group) = self.unsynced.take() {
            if group.number > self.synced.number
                && let Err(error) = self.sync()
            {
                let Some(saved) = self.rescue(&error, group) else {
                    return;
                };
                group = saved;
            }
            if group.number > self.synced.number {
                self.synced.number = group.number;
                self.mark.set(&self.synced);
            }
            self.answer(group);
        }
    }

    /// Puts what is in the log on the disk.
    ///
    /// # Errors
    /// Nobody knows how much of it is there, nor would after another try.
    fn sync(&mut self) -> io::Result<()> {
        #[cfg(test)]
        self.faults.strike_sync()?;
        let log = match &mut self.log {
            Some(log) => log,
            none => none.insert(File::open(beside(&self.path, "-wal"))?),
        };
        log.sync_data()
    }

    /// A sync of this has failed: has the writer save what is committed, and gives what it saved; none where it has ended.
    fn rescue(&self, error: &io::Error, group: Group) -> Option<Group> {
        let what =
            format!("cannot be put on the disk: {error}; look at its health, as with `dmesg`");
        let what = ErrorCode::DiskFull.mark(what);
        let why = sentence(&self.path, StoreErrorKind::Unavailable, what);
        self.unsynced.fail(group, why);
        self.queue.wake();
        self.unsynced.wait_until_saved()
    }

    /// This is on the disk: tells who submitted it, then who follows the events.
    fn answer(&self, group: Group) {
        let loads = group.written.iter().map(|(waiting, _)| waiting.load());
        self.queue.release(loads.fold(Load::default(), Load::plus));
        let mut told = Vec::new();
        for (waiting, done) in group.written {
            answer(waiting.work, done, &mut told);
        }
        // Who waits comes first: each event wakes those who follow them, and they are many.
        for event in told {
            let _ = self.events.send(event);
        }
        if matches!(*self.room.borrow(), DiskState::Full(_)) {
            // It may be well again, which the writer finds out.
            self.queue.wake();
        }
    }
}

/// Tells the submitter, who may have gone; the events are left for those who subscribed.
fn answer(work: Work, done: Done, told: &mut Vec<Arc<Event>>) {
    match (work, done) {
        (Work::Changes(_, _, ack), Done::Changes(Ok(events))) => {
            told.extend(events.iter().cloned());
            if let Some(ack) = ack {
                let _ = ack.send(Ok(Committed::Durable(events)));
            }
        }
        (Work::Value(_, ack), Done::Value(result)) => drop(ack.send(result)),
        (Work::SetAside(_, ack), Done::SetAside(result)) => drop(ack.send(result)),
        #[cfg(test)]
        (Work::Connection(_, ack), Done::Connection(result)) => drop(ack.send(result)),
        (work, Done::Changes(Err(why)) | Done::Value(Err(why))) => work.refuse(why),
        // The answers of a batch are of the kinds of its submissions.
        _ => {}
    }
}
