//! The one thread that writes: takes the oldest of what waits, writes it in one transaction, puts it on the disk, then
//! answers.
//!
//! Invariant: nothing is answered as durable, and no event is told, before it is on the disk.
//! Invariant: what cannot be written for now stays first in the line and is tried again until it is written.

use super::{
    error::{explain, explain_refused, is_of_the_disk, may_pass, sentence},
    queue::{Queue, Taken, Waiting, Work},
    reserve::Reserve,
    store::{Done, Store},
    wal::PAGE,
};
use crate::port::{Committed, DiskState, StoreError, StoreErrorKind};
use mainstay_domain::{backoff::Backoff, event::Event};
use std::{
    cell::OnceCell,
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{broadcast, watch};

/// Submissions of one transaction.
const MAX_BATCH: usize = 1_024;
/// Pages in the write-ahead log from which it is emptied in the next quiet moment.
const CHECKPOINT_PAGES: i64 = 1_000;
/// Bytes in the write-ahead log from which it is emptied without waiting for one: an eighth of the disk, within these.
const LEAST_WAL: u64 = 4 << 20;
const MOST_WAL: u64 = 64 << 20;
/// A moment without submissions is quiet after this long.
const QUIET: Duration = Duration::from_millis(200);
/// How often it is looked whether there is room for the reserve again.
const REFILL: Duration = Duration::from_secs(1);
/// The first wait after a write that failed, and how often it is looked for room meanwhile.
const FIRST_WAIT: Duration = if cfg!(test) {
    Duration::from_millis(2)
} else {
    Duration::from_millis(250)
};
/// The waits after writes that failed, one after the other.
const WAITS: Backoff = Backoff::doubled(FIRST_WAIT, Duration::from_secs(5));
/// So many bytes more than before are room that is worth a try at once.
const NEW_ROOM: u64 = 64 << 10;
/// How long a daemon that ends tries to write what it holds.
const LAST_TRIES: Duration = Duration::from_secs(5);

/// What the writer thread owns.
pub(super) struct Writer {
    pub(super) path: PathBuf,
    pub(super) store: Store,
    pub(super) queue: Arc<Queue>,
    pub(super) events: broadcast::Sender<Arc<Event>>,
    pub(super) reserve: Reserve,
    pub(super) room: watch::Sender<DiskState>,
}

impl Drop for Writer {
    /// However the thread ends, nobody waits for it for ever.
    fn drop(&mut self) {
        self.queue.end();
    }
}

impl Writer {
    /// Writes until the queue is closed and everything in it is written, or cannot be.
    pub(super) fn run(mut self) {
        let mut backlog = 0;
        if let Err(error) = self.store.sync_apart() {
            // Slower, and no less safe.
            tracing::warn!(error = %explain(&self.path, &error), "the journal is synced by each commit");
        }
        let max_backlog = max_wal_pages(self.reserve.disk());
        self.make_reserve();
        loop {
            let patience = if backlog >= CHECKPOINT_PAGES {
                Some(QUIET)
            } else {
                (!self.reserve.is_whole()).then_some(REFILL)
            };
            match self.queue.take(MAX_BATCH, patience) {
                Taken::Batch(batch) => {
                    if !self.write(batch) {
                        return;
                    }
                    backlog = self.store.checkpoint("NOOP");
                    if backlog >= max_backlog {
                        backlog = self.store.checkpoint("PASSIVE");
                    }
                }
                Taken::Quiet => backlog = self.store.checkpoint("PASSIVE"),
                Taken::Closed => {
                    // All of it in one file, where nothing reads: a copy of that file is a copy of the journal.
                    self.store.checkpoint("TRUNCATE");
                    return;
                }
            }
            self.make_reserve();
        }
    }

    /// Writes a batch, in order, however long that takes. False where the daemon ends before it can be.
    fn write(&mut self, mut batch: VecDeque<Waiting>) -> bool {
        let mut size = batch.len();
        let mut retries = Retries::default();
        while !batch.is_empty() {
            let now = size.min(batch.len());
            let work = batch.iter().take(now).map(|waiting| &waiting.work);
            match self.store.write(work) {
                Ok(done) => {
                    for (waiting, done) in batch.iter_mut().zip(&done) {
                        // One of them may be refused by itself.
                        if !matches!(done, Done::Changes(Err(_))) {
                            waiting.work.is_written();
                        }
                    }
                    if !self.sync(&mut retries) {
                        return false;
                    }
                    let mut told = Vec::new();
                    for (waiting, done) in batch.drain(..now).zip(done) {
                        self.queue.written(waiting.load());
                        answer(waiting.work, done, &mut told);
                    }
                    // Who waits comes first: each event wakes those who follow them, and they are many.
                    for event in told {
                        let _ = self.events.send(event);
                    }
                    size = size.saturating_mul(2);
                    retries.end(&self.path);
                }
                Err(error) if may_pass(&error) => {
                    // Where there is little room, some of it may fit.
                    size = now.div_ceil(2);
                    if !self.wait_for_room(&mut batch, &error, &mut retries) {
                        return false;
                    }
                }
                // Only one of them may be what is refused.
                Err(_) if now > 1 => size = 1,
                Err(error) => {
                    if let Some(waiting) = batch.pop_front() {
                        self.queue.written(waiting.load());
                        waiting.work.refuse(explain(&self.path, &error));
                    }
                }
            }
        }
        true
    }

    /// Puts what is committed on the disk, however long that takes. False where the daemon ends before it is.
    fn sync(&mut self, retries: &mut Retries) -> bool {
        let Err(error) = self.store.sync() else {
            return true;
        };
        let what = format!("cannot be put on the disk: {error}; look at the disk");
        let why = sentence(&self.path, StoreErrorKind::Unavailable, what);
        tracing::error!(error = %why, "what is written waits, and so does who waits for it");
        self.room.send_replace(DiskState::Full(why.to_string()));
        loop {
            match self.store.save() {
                Ok(true) => {
                    tracing::warn!(path = %self.path.display(), "what could not be put on the disk is there");
                    return true;
                }
                // Somebody reads; it goes on when they are done.
                Ok(false) => {}
                Err(error) => {
                    tracing::debug!(error = %explain(&self.path, &error), "the database takes it neither");
                }
            }
            retries.count = retries.count.saturating_add(1);
            if self.queue.pause(WAITS.after(retries.count)) {
                let since = *retries.closed_at.get_or_insert_with(Instant::now);
                if since.elapsed() > LAST_TRIES {
                    tracing::error!(error = %why, "the daemon ends with changes that may not be on the disk");
                    return false;
                }
            }
        }
    }

    /// A write failed, and may work later. Waits until it is worth another try; false where the daemon ends.
    fn wait_for_room(
        &mut self,
        batch: &mut VecDeque<Waiting>,
        error: &rusqlite::Error,
        retries: &mut Retries,
    ) -> bool {
        let why = self.why(error, retries);
        if is_of_the_disk(error) {
            let released = self.reserve.is_whole() && self.reserve.release();
            self.room.send_if_modified(|room| {
                let is_news = !matches!(room, DiskState::Full(_));
                if is_news {
                    tracing::error!(error = %why, reserve_released = released, "the disk of the journal takes nothing");
                    *room = DiskState::Full(why.to_string());
                }
                is_news
            });
            // What the log holds moves into the file, and the log begins anew in the room that it has.
            self.store.checkpoint("PASSIVE");
            if released {
                return true;
            }
        }
        self.queue.hold(&why, batch);
        if retries.count == 0 {
            tracing::error!(error = %why, "nothing can be written; what is submitted is held in memory, in order");
        }
        retries.count = retries.count.saturating_add(1);
        let wait = WAITS.after(retries.count);
        let (start, free) = (Instant::now(), self.reserve.free());
        while start.elapsed() < wait {
            if self.queue.pause(FIRST_WAIT) {
                let since = *retries.closed_at.get_or_insert_with(Instant::now);
                if since.elapsed() > LAST_TRIES {
                    let held = self.queue.changes();
                    tracing::error!(error = %why, held, "the daemon ends with changes that are not written; they are lost");
                    return false;
                }
                return true;
            }
            if let (Some(before), Some(now)) = (free, self.reserve.free())
                && now >= before.saturating_add(NEW_ROOM)
            {
                break;
            }
        }
        true
    }

    /// Why a write failed. That a disk has no room SQLite says; of the rest only that it is an error, and the system more.
    fn why(&self, error: &rusqlite::Error, retries: &Retries) -> StoreError {
        let is_full = error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull);
        let said = match is_of_the_disk(error) && !is_full {
            true => retries.said.get_or_init(|| self.reserve.refusal()).as_ref(),
            false => None,
        };
        said.map_or_else(
            || explain(&self.path, error),
            |said| explain_refused(&self.path, said),
        )
    }

    /// Makes the reserve where there is room for it, and says that the journal is well again where it was not and all
    /// that was held is written.
    fn make_reserve(&mut self) {
        let is_full = matches!(*self.room.borrow(), DiskState::Full(_));
        let is_needed = match is_full {
            true => self.queue.changes() == 0,
            false => !self.reserve.is_whole(),
        };
        if !is_needed {
            return;
        }
        if self.reserve.refill() && is_full {
            tracing::warn!(path = %self.path.display(), "the journal is written again, and its reserve is whole");
            self.room.send_replace(DiskState::Recovered);
        }
    }
}

/// The tries of one batch.
#[derive(Default)]
struct Retries {
    count: u32,
    closed_at: Option<Instant>,
    /// Why the directory takes nothing, as the system said it at the first that failed.
    said: OnceCell<Option<io::Error>>,
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

impl Retries {
    /// Something was written.
    fn end(&mut self, path: &Path) {
        if self.count > 0 {
            tracing::warn!(path = %path.display(), tries = self.count, "what was held is being written");
        }
        *self = Self::default();
    }
}

/// Pages in the write-ahead log from which it is emptied without waiting, on a disk of so many bytes.
fn max_wal_pages(disk: u64) -> i64 {
    let bytes = (disk / 8).clamp(LEAST_WAL, MOST_WAL);
    i64::try_from(bytes / PAGE as u64).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_ahead_log_takes_an_eighth_of_a_small_disk_and_64_mib_of_a_large_one() {
        for (disk, mib) in [
            (0, 4),
            (16, 4),
            (64, 8),
            (256, 32),
            (512, 64),
            (1 << 30, 64),
        ] {
            assert_eq!(max_wal_pages(disk << 20) * 4_096, mib << 20, "{disk} MiB");
        }
        assert_eq!(max_wal_pages(u64::MAX) * 4_096, 64 << 20);
    }
}
