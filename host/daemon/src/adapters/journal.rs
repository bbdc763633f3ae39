//! The journal: what must survive a crash, in one SQLite file of the state directory.
//!
//! Invariant: a change is acknowledged, and its events are told, only after an fsync that covers it.
//! Invariant: one thread writes, in the order of the calls of [`Journal::commit`]; whatever waits when it is ready
//! shares one transaction and one fsync, and a submission that is refused fails alone.
//! Invariant: readers have connections of their own and never hold up the writer.
//! Invariant: the queue to the writer is bounded. When it is full a commit is refused at once, with an error and
//! without waiting, for its callers run on threads that everybody shares; what was accepted before is still written.
//!
//! A full or failing disk gives errors, not a panic: nothing that was acknowledged is lost, and commits work again
//! once the disk does.

mod changes;
mod error;
mod forget;
mod lock;
mod readers;
mod records;
mod rows;
mod schema;
mod values;
mod writer;

use crate::ports::{Boxed, Journal, JournalError};
use lock::StateLock;
use mainstay_domain::{event::Event, journal::Change};
use readers::Readers;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
};
use tokio::sync::{SetOnce, broadcast, oneshot};
use writer::{Work, Writer};

/// The file's name in the state directory.
pub const FILE_NAME: &str = "journal.db";

/// Submissions that may wait for the writer.
const QUEUE_LENGTH: usize = 16_384;

/// Events that a subscriber may be behind before it is told that it lags.
const SUBSCRIBER_LAG: usize = 4_096;

/// The journal in SQLite. Dropping it waits until everything submitted is written.
#[derive(Debug)]
pub struct SqliteJournal {
    path: PathBuf,
    queue: Option<SyncSender<Work>>,
    events: broadcast::Sender<Arc<Event>>,
    readers: Arc<Readers>,
    transactions: Arc<AtomicU64>,
    /// The last submission found the queue full.
    is_full: AtomicBool,
    writer: Option<JoinHandle<()>>,
    /// Set where the writer has panicked.
    broken: Arc<SetOnce<String>>,
    _lock: StateLock,
}

impl SqliteJournal {
    /// Opens the journal of a state directory, which is created (mode 0700) where it is not there, and locks it
    /// against other daemons.
    ///
    /// Refused, with nothing changed: a directory that others may write to, one that another daemon uses, a file that
    /// is damaged, is not a journal, or is from a newer version.
    pub fn open(state_dir: &Path) -> Result<Self, JournalError> {
        let path = state_dir.join(FILE_NAME);
        let lock = StateLock::take(state_dir, &path)?;
        let connection = schema::open(&path)?;
        let readers = Arc::new(Readers::new(path.clone()));
        let (queue, work) = sync_channel(QUEUE_LENGTH);
        let (events, _) = broadcast::channel(SUBSCRIBER_LAG);
        let transactions = Arc::new(AtomicU64::new(0));
        let writer = Writer {
            path: path.clone(),
            connection,
            work,
            events: events.clone(),
            transactions: Arc::clone(&transactions),
        };
        let broken = Arc::new(SetOnce::new());
        let (told, at) = (Arc::clone(&broken), path.clone());
        let writer = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                let ended = catch_unwind(AssertUnwindSafe(move || writer.run()));
                if let Err(panic) = ended {
                    let _ = told.set(error::writer_panicked(&at, &*panic));
                }
            })
            .map_err(|error| {
                error::sentence(&path, format!("cannot be written to: no thread ({error})"))
            })?;
        Ok(Self {
            path,
            queue: Some(queue),
            events,
            readers,
            transactions,
            is_full: AtomicBool::new(false),
            writer: Some(writer),
            broken,
            _lock: lock,
        })
    }

    /// Resolves with what happened where the writer breaks off. From then on nothing is written any more, so whoever
    /// opened the journal has to end and to open it anew.
    pub fn broken(&self) -> impl Future<Output = String> + Send + use<> {
        let broken = Arc::clone(&self.broken);
        async move { broken.wait().await.clone() }
    }

    /// How many transactions, and so fsyncs, were committed since the journal was opened.
    pub fn transactions(&self) -> u64 {
        self.transactions.load(Ordering::Relaxed)
    }

    /// Hands work to the writer, in this call; the answer comes when it is durable.
    fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(oneshot::Sender<Result<T, JournalError>>) -> Work,
    ) -> Boxed<'static, Result<T, JournalError>> {
        let (ack, answer) = oneshot::channel();
        let sent = match &self.queue {
            Some(queue) => queue.try_send(work(ack)),
            None => Err(TrySendError::Disconnected(work(ack))),
        };
        self.note_fullness(matches!(sent, Err(TrySendError::Full(_))));
        let path = self.path.clone();
        Box::pin(async move {
            match sent {
                Ok(()) => answer
                    .await
                    .unwrap_or_else(|_| Err(error::writer_gone(&path))),
                Err(TrySendError::Full(_)) => Err(error::sentence(
                    &path,
                    format!(
                        "takes no more for now: {QUEUE_LENGTH} submissions wait for the disk; this one was not \
                         written, try it again later"
                    ),
                )),
                Err(TrySendError::Disconnected(_)) => Err(error::writer_gone(&path)),
            }
        })
    }
}

impl SqliteJournal {
    /// Not every submission is awaited, so that some are refused is logged; once, until some are taken again.
    fn note_fullness(&self, is_full: bool) {
        let was_full = self.is_full.swap(is_full, Ordering::Relaxed);
        let path = self.path.display();
        if is_full && !was_full {
            tracing::error!(
                "the journal in {path} takes no more for now: {QUEUE_LENGTH} submissions wait for the disk, and those \
                 after them are lost; is the disk full, or slow?"
            );
        } else if was_full && !is_full {
            tracing::warn!(
                "the journal in {path} takes submissions again; those in between were not written"
            );
        }
    }
}

impl Journal for SqliteJournal {
    /// With no changes: resolves when everything submitted before is durable.
    fn commit(
        &self,
        changes: Vec<Change>,
    ) -> Boxed<'static, Result<Vec<Arc<Event>>, JournalError>> {
        self.submit(|ack| Work::Changes(changes, ack))
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.events.subscribe()
    }
}

impl Drop for SqliteJournal {
    fn drop(&mut self) {
        // Readers first: the connection that closes last empties the write-ahead log, and they cannot.
        self.readers.close();
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // Where it has panicked that was told.
            let _ = writer.join();
        }
    }
}

#[cfg(test)]
mod tests;
