//! The one thread that writes: takes the oldest of what waits, writes it in one transaction, answers who needs no more
//! than that, and hands it over to be put on the disk.
//!
//! Invariant: what cannot be written for now stays first in the line and is tried again until it is written.
//! Invariant: what is written is handed over before anything else is done, in the order of the commits.
//! Invariant: once a sync has failed nothing is committed before what was committed is saved.
//! Invariant: it ends after everything that it has committed is on the disk and answered, or cannot be in time.
//!
//! Length: what is done where the disk takes nothing belongs to each step of it.

use super::{
    error::{explain, explain_refused, is_of_the_disk, may_pass},
    queue::{Queue, Taken, Waiting},
    reserve::Reserve,
    store::{Done, Store},
    unsynced::{Unsynced, Written},
    wal::PAGE,
};
use crate::port::{DiskState, StoreError};
use mainstay_domain::backoff::Backoff;
use std::{
    cell::OnceCell,
    collections::VecDeque,
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;

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
    pub(super) unsynced: Arc<Unsynced>,
    pub(super) reserve: Reserve,
    pub(super) room: watch::Sender<DiskState>,
    /// When a try was first in vain since the daemon ends, or since something was written.
    pub(super) late_since: Option<Instant>,
}

impl Drop for Writer {
    /// However the thread ends, nobody waits for it for ever.
    fn drop(&mut self) {
        self.queue.end();
        self.unsynced.close();
    }
}

impl Writer {
    /// Writes until the queue is closed and everything in it is written and on the disk, or cannot be.
    pub(super) fn run(mut self) {
        if let Err(error) = self.store.sync_apart() {
            // Slower, and no less safe.
            tracing::warn!(error = %explain(&self.path, &error), "the journal is synced by each commit");
        }
        self.serve();
        while let Some(why) = self.unsynced.settle() {
            if !self.save(&why, &mut VecDeque::new()) {
                return;
            }
        }
        // All of it in one file, where nothing reads: a copy of that file is a copy of the journal.
        self.store.checkpoint("TRUNCATE");
    }

    /// Writes until the queue is closed and everything in it is written, or cannot be.
    fn serve(&mut self) {
        let mut backlog = 0;
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
                Taken::Woken => {
                    if !self.is_sound(&mut VecDeque::new()) {
                        return;
                    }
                }
                Taken::Closed => return,
            }
            self.make_reserve();
        }
    }

    /// Writes a batch, in order, however long that takes. False where the daemon ends before it can be.
    fn write(&mut self, mut batch: VecDeque<Waiting>) -> bool {
        let mut size = batch.len();
        let mut tries = Tries::default();
        while !batch.is_empty() {
            if !self.is_sound(&mut batch) {
                return false;
            }
            let now = size.min(batch.len());
            if now == 0 {
                // All of it was answered meanwhile.
                break;
            }
            let work = batch.iter().take(now).map(|waiting| &waiting.work);
            match self.store.write(work) {
                Ok(done) => {
                    self.hand_over(batch.drain(..now), done);
                    size = size.saturating_mul(2);
                    if tries.count > 0 {
                        tracing::warn!(path = %self.path.display(), tries = tries.count, "what was held is being written");
                    }
                    tries = Tries::default();
                    self.late_since = None;
                }
                Err(error) if may_pass(&error) => {
                    // Where there is little room, some of it may fit.
                    size = now.div_ceil(2);
                    if !self.wait_for_room(&mut batch, &error, &mut tries) {
                        return false;
                    }
                }
                // Only one of them may be what is refused.
                Err(_) if now > 1 => size = 1,
                Err(error) => {
                    if let Some(waiting) = batch.pop_front() {
                        self.refuse(waiting, explain(&self.path, &error));
                    }
                }
            }
        }
        true
    }

    /// This is committed: answers who needs no more than that, and leaves the others to who puts it on the disk.
    fn hand_over(&self, taken: impl Iterator<Item = Waiting>, done: Vec<Done>) {
        self.queue.written();
        let mut written: Vec<Written> = taken.zip(done).collect();
        for (waiting, done) in &mut written {
            // One of them may be refused by itself.
            if !matches!(done, Done::Changes(Err(_))) {
                waiting.work.is_written();
            }
        }
        self.unsynced.push(written, self.store.head.number);
    }

    /// This will never be written.
    fn refuse(&self, waiting: Waiting, why: StoreError) {
        self.queue.written();
        self.queue.release(waiting.load());
        waiting.work.refuse(why);
    }

    /// Whether what is committed is on the disk or on its way there, after it was saved where it had to be; the batch at
    /// hand waits behind it. False where the daemon ends before it is.
    fn is_sound(&mut self, batch: &mut VecDeque<Waiting>) -> bool {
        match self.unsynced.failed() {
            Some(why) => self.save(&why, batch),
            None => true,
        }
    }

    /// A sync has failed: puts what is committed on the disk in another way, however long that takes. Nobody waits for that
    /// longer than for one try, nor does who submitted the batch at hand. False where the daemon ends before it is.
    fn save(&mut self, why: &StoreError, batch: &mut VecDeque<Waiting>) -> bool {
        tracing::error!(error = %why, "what is written is not yet on the disk");
        self.room.send_replace(DiskState::Full(why.to_string()));
        let mut tries: u32 = 0;
        loop {
            match self.store.save() {
                Ok(true) => {
                    tracing::warn!(path = %self.path.display(), "what could not be put on the disk is there");
                    self.late_since = None;
                    self.unsynced.saved();
                    self.queue.written();
                    return true;
                }
                // Somebody reads; it goes on when they are done.
                Ok(false) => {}
                Err(error) => {
                    tracing::debug!(error = %explain(&self.path, &error), "the database takes it neither");
                }
            }
            self.unsynced.hold(why);
            self.queue.hold_behind(why, batch);
            tries = tries.saturating_add(1);
            // A daemon that ends has little time, and looks often.
            let wait = match self.late_since {
                Some(_) => FIRST_WAIT,
                None => WAITS.after(tries),
            };
            if self.queue.pause(wait) && self.is_late() {
                tracing::error!(error = %why, "the daemon ends with changes that may not be on the disk");
                return false;
            }
        }
    }

    /// Whether the daemon, which ends, has tried in vain for long enough.
    fn is_late(&mut self) -> bool {
        let since = self.late_since.get_or_insert_with(Instant::now);
        since.elapsed() > LAST_TRIES
    }

    /// A write failed, and may work later. Waits until it is worth another try; false where the daemon ends.
    fn wait_for_room(
        &mut self,
        batch: &mut VecDeque<Waiting>,
        error: &rusqlite::Error,
        tries: &mut Tries,
    ) -> bool {
        let why = self.why(error, tries);
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
        if tries.count == 0 {
            tracing::error!(error = %why, "nothing can be written; what is submitted is held in memory, in order");
        }
        tries.count = tries.count.saturating_add(1);
        let wait = WAITS.after(tries.count);
        let (start, free) = (Instant::now(), self.reserve.free());
        // Who waits for what was written before is answered by then too.
        while start.elapsed() < wait && self.unsynced.failed().is_none() {
            if self.queue.pause(FIRST_WAIT) {
                if self.is_late() {
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
    fn why(&self, error: &rusqlite::Error, tries: &Tries) -> StoreError {
        let is_full = error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull);
        let said = match is_of_the_disk(error) && !is_full {
            true => tries.said.get_or_init(|| self.reserve.refusal()).as_ref(),
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
struct Tries {
    count: u32,
    /// Why the directory takes nothing, as the system said it at the first that failed.
    said: OnceCell<Option<io::Error>>,
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
