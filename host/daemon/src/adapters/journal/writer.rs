//! The one thread that writes: takes everything that waits, writes it in one transaction, then answers.
//!
//! Invariant: nothing is answered with success, and no event is told, before the commit that covers it.
//! Invariant: each submission has a savepoint of its own, so that a refused one leaves its neighbours in place.

use super::{changes, error::explain, values::ValueWrite};
use crate::ports::JournalError;
use mainstay_domain::{effect::EffectError, event::Event, journal::Change};
use rusqlite::Connection;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};
use tokio::sync::{broadcast, oneshot};

/// Submissions of one transaction.
const MAX_BATCH: usize = 1_024;
/// Pages in the write-ahead log from which it is emptied in the next quiet moment.
const CHECKPOINT_PAGES: i64 = 1_000;
/// Pages in the write-ahead log from which it is emptied without waiting for one.
const MAX_WAL_PAGES: i64 = 16_000;
/// A moment without submissions is quiet after this long.
const QUIET: Duration = Duration::from_millis(200);

type Ack<T> = oneshot::Sender<Result<T, JournalError>>;

/// One submission.
#[derive(Debug)]
pub(super) enum Work {
    /// Changes that are written together or not at all.
    Changes(Vec<Change>, Ack<Vec<Arc<Event>>>),
    /// A value of a plugin; answered with whether it was set, or with why the plugin may not.
    Value(ValueWrite, Ack<Result<bool, EffectError>>),
    /// Lets a test change the connection, to make the disk full or a change refused.
    #[cfg(test)]
    Connection(fn(&Connection) -> rusqlite::Result<()>, Ack<()>),
}

/// A submission and what became of it, to be answered once the transaction has ended.
enum Settled {
    Changes(Result<Vec<Arc<Event>>, JournalError>, Ack<Vec<Arc<Event>>>),
    Value(
        Result<Result<bool, EffectError>, JournalError>,
        Ack<Result<bool, EffectError>>,
    ),
    #[cfg(test)]
    Connection(Result<(), JournalError>, Ack<()>),
}

/// What the writer thread owns.
pub(super) struct Writer {
    pub(super) path: PathBuf,
    pub(super) connection: Connection,
    pub(super) work: Receiver<Work>,
    pub(super) events: broadcast::Sender<Arc<Event>>,
    pub(super) transactions: Arc<AtomicU64>,
}

impl Writer {
    /// Writes until the last sender is gone and everything sent is written.
    pub(super) fn run(self) {
        let mut backlog = 0;
        loop {
            let first = if backlog >= CHECKPOINT_PAGES {
                self.work.recv_timeout(QUIET)
            } else {
                self.work.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match first {
                Ok(first) => {
                    let mut batch = vec![first];
                    batch.extend(self.work.try_iter().take(MAX_BATCH - 1));
                    for settled in self.write(batch) {
                        settled.answer(&self.events);
                    }
                    backlog = self.checkpoint("NOOP");
                    if backlog >= MAX_WAL_PAGES {
                        backlog = self.checkpoint("PASSIVE");
                    }
                }
                Err(RecvTimeoutError::Timeout) => backlog = self.checkpoint("PASSIVE"),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Writes a batch in one transaction.
    fn write(&self, batch: Vec<Work>) -> Vec<Settled> {
        let mut settled = Vec::with_capacity(batch.len());
        let mut failure = self.connection.execute_batch("BEGIN IMMEDIATE").err();
        for work in batch {
            match &failure {
                Some(error) => settled.push(work.refuse(explain(&self.path, error))),
                None => {
                    let (done, error) = work.apply(self);
                    settled.push(done);
                    // On some errors, of the disk above all, SQLite ends the whole transaction. What followed would
                    // be written outside of it.
                    if self.connection.is_autocommit() {
                        failure = error;
                    }
                }
            }
        }
        if failure.is_none() {
            failure = self.connection.execute_batch("COMMIT").err();
        }
        match failure {
            None => {
                self.transactions.fetch_add(1, Ordering::Relaxed);
                settled
            }
            Some(error) => {
                if !self.connection.is_autocommit() {
                    let _ = self.connection.execute_batch("ROLLBACK");
                }
                let why = explain(&self.path, &error);
                tracing::error!(error = %why, submissions = settled.len(), "nothing of a batch was written");
                settled.into_iter().map(|done| done.undone(&why)).collect()
            }
        }
    }

    /// Moves the write-ahead log into the file, as far as readers allow; answers how many of its pages are left.
    /// With `NOOP` it only counts.
    fn checkpoint(&self, mode: &str) -> i64 {
        let sql = match mode {
            "NOOP" => "PRAGMA wal_checkpoint(NOOP)",
            _ => "PRAGMA wal_checkpoint(PASSIVE)",
        };
        let counted = self.connection.prepare_cached(sql).and_then(|mut pragma| {
            pragma.query_row([], |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?))
        });
        counted.unwrap_or_else(|error| {
            // What is in the log is safe there; a disk without space for the file is no reason to stop.
            tracing::warn!(error = %explain(&self.path, &error), "the journal's write-ahead log stays");
            0
        })
    }

    /// Runs one submission between savepoints. The second answer is the error as SQLite gave it.
    fn in_savepoint<T>(
        &self,
        apply: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> (Result<T, JournalError>, Option<rusqlite::Error>) {
        let connection = &self.connection;
        let result = connection
            .execute_batch("SAVEPOINT submission")
            .and_then(|()| apply(connection))
            .and_then(|done| {
                connection
                    .execute_batch("RELEASE submission")
                    .map(|()| done)
            });
        match result {
            Ok(done) => (Ok(done), None),
            Err(error) => {
                if !connection.is_autocommit() {
                    let _ = connection.execute_batch("ROLLBACK TO submission; RELEASE submission");
                }
                (Err(explain(&self.path, &error)), Some(error))
            }
        }
    }
}

impl Work {
    fn apply(self, writer: &Writer) -> (Settled, Option<rusqlite::Error>) {
        match self {
            Work::Changes(list, ack) => {
                let (result, error) =
                    writer.in_savepoint(|connection| changes::apply(connection, list));
                (Settled::Changes(result, ack), error)
            }
            Work::Value(write, ack) => {
                let (result, error) = writer.in_savepoint(|connection| write.apply(connection));
                (Settled::Value(result, ack), error)
            }
            #[cfg(test)]
            Work::Connection(change, ack) => {
                let (result, error) = writer.in_savepoint(change);
                (Settled::Connection(result, ack), error)
            }
        }
    }

    fn refuse(self, why: JournalError) -> Settled {
        match self {
            Work::Changes(_, ack) => Settled::Changes(Err(why), ack),
            Work::Value(_, ack) => Settled::Value(Err(why), ack),
            #[cfg(test)]
            Work::Connection(_, ack) => Settled::Connection(Err(why), ack),
        }
    }
}

impl Settled {
    /// The transaction failed: what was done is not.
    fn undone(self, why: &JournalError) -> Self {
        match self {
            Settled::Changes(result, ack) => {
                Settled::Changes(result.and_then(|_| Err(why.clone())), ack)
            }
            Settled::Value(result, ack) => {
                Settled::Value(result.and_then(|_| Err(why.clone())), ack)
            }
            #[cfg(test)]
            Settled::Connection(result, ack) => {
                Settled::Connection(result.and(Err(why.clone())), ack)
            }
        }
    }

    /// Tells the events, then the submitter. Who submitted may have gone; who subscribed too.
    fn answer(self, events: &broadcast::Sender<Arc<Event>>) {
        match self {
            Settled::Changes(result, ack) => {
                for event in result.iter().flatten() {
                    let _ = events.send(Arc::clone(event));
                }
                if let Err(Err(error)) = ack.send(result) {
                    tracing::error!(%error, "a change was not written, and nobody waited to hear it");
                }
            }
            Settled::Value(result, ack) => drop(ack.send(result)),
            #[cfg(test)]
            Settled::Connection(result, ack) => drop(ack.send(result)),
        }
    }
}
