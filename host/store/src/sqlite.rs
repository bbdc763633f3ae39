//! The journal: what must survive a crash, in one SQLite file of the state directory.
//!
//! Invariant: a change is acknowledged as durable, and its events are told, only after an fsync that covers it.
//! Invariant: one thread writes, in the order of the calls of [`Journal::commit`]; whatever waits when it is ready
//! shares one transaction, and a submission that is refused fails alone.
//! Invariant: another one syncs what is written, and answers in that order (`syncer`); the writer waits for no fsync of it,
//! and whatever is written when the last fsync has ended shares the next.
//! Invariant: a journal that does not hold all that was acknowledged, or a row that is not what was written, is an
//! error with the file's name (`mark`, `sums`); nothing is taken for the whole that is not.
//! Invariant: readers have connections of their own and never hold up the writer. Those who show what is in the journal have
//! others than the daemon's own work, plugins' values say, which no one who reads much can hold up.
//! Invariant: a write that fails in a way that may pass is tried again until it works, and what is behind it waits in
//! order; nothing that was taken is dropped while the daemon lives.
//! Invariant: the line before the writer is bounded. What is above is refused at once, with an error and without
//! waiting, for its callers run on threads that everybody shares.
//!
//! On a disk that is full a reserve is let go of first. Where that is used up too, commits are answered as held, and
//! are written when there is room.
//!
//! Length: it lists what the journal is made of.

mod aside;
mod audit;
mod changes;
mod check;
mod checking;
mod checkpoint;
mod columns;
mod copy;
mod directory;
mod error;
mod event_filter;
mod files;
mod forget;
mod intake;
mod load;
mod lock;
mod mark;
mod newest;
mod numbers;
mod open;
mod owner;
mod private;
mod queue;
mod readers;
mod records;
mod recovered;
mod regular;
mod reserve;
mod rows;
mod salvage;
mod schema;
mod source;
mod statistics;
mod store;
mod sums;
mod swap;
mod syncer;
mod thread;
mod unread;
mod unsynced;
mod value_write;
mod values;
mod wal;
mod writer;

use crate::port::{Batch, Boxed, Commit, DiskState, Fence, Journal, StoreError, StoreErrorKind};
pub use copy::copy;
pub use directory::StateDirectory;
pub use error::disk_remedy;
pub use private::replace as replace_private;
pub use salvage::{Salvaged, SalvagedTable, salvage};
pub use {
    audit::{AuditReport, verify as verify_audit},
    check::{JournalReport, TableReport, check},
    checking::JournalDamage,
};

use checking::Checking;
use load::Load;
use mainstay_domain::{code::ErrorCode, event::Event};
use mark::Mark;
use parking_lot::Mutex;
use queue::{Ack, BOUND, Queue, Work};
use readers::Readers;
use reserve::Reserve;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
};
use store::Store;
use syncer::Syncer;
use thread::Threads;
use tokio::sync::{SetOnce, broadcast, oneshot, watch};
use unsynced::Unsynced;
use writer::Writer;

/// The file's name.
pub const FILE_NAME: &str = "journal.db";

/// Events that a subscriber may be behind before it is told that it lags.
const SUBSCRIBER_LAG: usize = 4_096;

/// The journal in SQLite. Dropping it waits until everything submitted is written, on a full disk for some seconds.
#[derive(Debug)]
pub struct SqliteJournal {
    path: PathBuf,
    queue: Arc<Queue>,
    events: broadcast::Sender<Arc<Event>>,
    /// For the daemon's own work.
    readers: Arc<Readers>,
    /// For those who show it.
    browsers: Arc<Readers>,
    transactions: Arc<AtomicU64>,
    room: watch::Receiver<DiskState>,
    #[cfg(test)]
    faults: Arc<store::Faults>,
    #[cfg(test)]
    unsynced: Arc<Unsynced>,
    /// The writer, and who syncs what it writes.
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Set where one of them has panicked.
    broken: Arc<SetOnce<String>>,
    /// Set where the check of a large journal has found something.
    damage: Arc<SetOnce<JournalDamage>>,
    checking: Option<Checking>,
    _directory: Arc<StateDirectory>,
}

impl SqliteJournal {
    /// Opens the journal of a state directory, which is its own until it is dropped.
    ///
    /// Refused, with nothing changed: a file that is damaged, is not a journal, or is from a newer version. A large file is
    /// only looked at here, and checked as a whole while the journal is open; see [`SqliteJournal::damage`].
    pub fn open(directory: Arc<StateDirectory>) -> Result<Self, StoreError> {
        Self::open_bounded(directory, BOUND)
    }

    fn open_bounded(directory: Arc<StateDirectory>, bound: Load) -> Result<Self, StoreError> {
        Self::open_limited(directory, bound, open::CHECKED_BYTES)
    }

    /// The same, where files up to `checked_bytes` are checked as a whole before they are opened.
    fn open_limited(
        directory: Arc<StateDirectory>,
        bound: Load,
        checked_bytes: u64,
    ) -> Result<Self, StoreError> {
        let path = directory.path().join(FILE_NAME);
        swap::finish(&path).map_err(|error| error::unfinished(&path, &error))?;
        let mut reserve = Reserve::of(directory.path());
        let opened = loop {
            match open::open(&path, checked_bytes) {
                // Even to open it some room is needed.
                Err(error)
                    if error.kind == StoreErrorKind::Unavailable
                        && reserve.is_out_of_room()
                        && reserve.release() =>
                {
                    tracing::error!(%error, "the reserve is let go of; trying again");
                }
                opened => break opened?,
            }
        };
        let (room_sender, room) = watch::channel(match reserve.was_released() {
            true => DiskState::Full(ErrorCode::DiskFull.mark(format!(
                "the journal in {} found its disk full before this daemon was started",
                path.display()
            ))),
            false => DiskState::Healthy,
        });
        let readers = Arc::new(Readers::new(path.clone()));
        let browsers = Arc::new(Readers::new(path.clone()));
        let queue = Arc::new(Queue::new(path.clone(), bound));
        let (events, _) = broadcast::channel(SUBSCRIBER_LAG);
        let transactions = Arc::new(AtomicU64::new(0));
        #[cfg(test)]
        let faults = Arc::<store::Faults>::default();
        let mut mark = Mark::new(mark::path(&path));
        mark.set(&opened.head);
        let unsynced = Arc::<Unsynced>::default();
        let syncer = Syncer {
            path: path.clone(),
            unsynced: Arc::clone(&unsynced),
            queue: Arc::clone(&queue),
            log: opened.log,
            synced: opened.head.clone(),
            mark,
            events: events.clone(),
            room: room.clone(),
            #[cfg(test)]
            faults: Arc::clone(&faults),
        };
        let writer = Writer {
            path: path.clone(),
            store: Store {
                path: path.clone(),
                connection: opened.connection,
                head: opened.head,
                transactions: Arc::clone(&transactions),
                keeps_log: false,
                #[cfg(test)]
                faults: Arc::clone(&faults),
            },
            queue: Arc::clone(&queue),
            unsynced: Arc::clone(&unsynced),
            reserve,
            room: room_sender,
            late_since: None,
        };
        let threads = Threads {
            path: path.clone(),
            queue: Arc::clone(&queue),
            broken: Arc::new(SetOnce::new()),
        };
        // Where there is no second one the first ends with it.
        let syncing = threads.start("journal-sync", move || syncer.run())?;
        let writing = threads.start("journal", move || writer.run())?;
        let damage = Arc::new(SetOnce::new());
        let checking = match opened.is_checked {
            true => None,
            false => Checking::start(&path, Arc::clone(&damage)),
        };
        Ok(Self {
            path,
            queue,
            events,
            readers,
            browsers,
            transactions,
            room,
            #[cfg(test)]
            faults,
            #[cfg(test)]
            unsynced,
            threads: Mutex::new(vec![writing, syncing]),
            broken: threads.broken,
            damage,
            checking,
            _directory: directory,
        })
    }

    /// Resolves with what happened where the writer breaks off, or who syncs what it writes. From then on nothing is
    /// written any more, so whoever opened the journal has to end and to open it anew.
    pub fn broken(&self) -> impl Future<Output = String> + Send + use<> {
        let broken = Arc::clone(&self.broken);
        async move { broken.wait().await.clone() }
    }

    /// Resolves with what is wrong with a journal that was too large to be checked when it was opened; never where
    /// nothing is. What can be read of it still is, and writing goes on.
    pub fn damage(&self) -> impl Future<Output = JournalDamage> + Send + use<> {
        let damage = Arc::clone(&self.damage);
        async move { damage.wait().await.clone() }
    }

    /// Writes what waits, puts it on the disk, then moves everything into the one file; blocks until that is done, on a
    /// full disk for some seconds. Whatever is asked of it afterwards is refused as closed.
    pub fn close(&self) {
        // Readers first: the connection that closes last empties the write-ahead log, and they cannot.
        self.readers.close();
        self.browsers.close();
        if let Some(checking) = &self.checking {
            checking.stop();
        }
        self.queue.close();
        for thread in self.threads.lock().drain(..) {
            // Where it has panicked that was told.
            let _ = thread.join();
        }
    }

    /// How many transactions were committed since the journal was opened.
    pub fn transactions(&self) -> u64 {
        self.transactions.load(Ordering::Relaxed)
    }

    /// Whether what is submitted can be written.
    pub fn room(&self) -> watch::Receiver<DiskState> {
        self.room.clone()
    }

    /// Hands work to the writer, in this call; the answer comes when it is durable, or as [`Queue`] says.
    fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(Ack<T>) -> Work,
    ) -> Boxed<'static, Result<T, StoreError>> {
        let (ack, answer) = oneshot::channel();
        self.queue.push(work(ack));
        let path = self.path.clone();
        Box::pin(async move {
            answer
                .await
                .unwrap_or_else(|_| Err(error::writer_gone(&path)))
        })
    }
}

impl Journal for SqliteJournal {
    /// With no changes: resolves when everything submitted before is durable.
    fn commit(&self, batch: Batch) -> Commit {
        if batch.fence != Fence::ONLY {
            // The lock of the directory lets one owner write; a fence of another store means nothing here.
            let error = error::fenced(&self.path, batch.fence);
            return Box::pin(std::future::ready(Err(error)));
        }
        self.submit(|ack| Work::Changes(batch.changes, batch.haste, Some(ack)))
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.events.subscribe()
    }
}

impl Drop for SqliteJournal {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests;
