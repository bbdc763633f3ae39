//! The writer's connection: one batch, one transaction, which is put on the disk by `syncer`.
//!
//! The fsync is not done by SQLite, so that who needs only that it outlives the daemon does not wait for it.
//!
//! Invariant: a submission that is refused leaves its neighbours in place; what fails because of the disk fails the whole
//! batch, of which then nothing is written. A savepoint for each submission would cost half as much again as what is written,
//! so a batch has them only when it is written once more because one of it was refused.

use super::{
    changes,
    checkpoint::empty_log,
    error::{explain, may_pass},
    mark::Head,
    queue::Work,
    schema,
};
use crate::port::{SetAside, StoreError};
use mainstay_domain::{effect::EffectError, event::Event};
use rusqlite::Connection;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// What the writer writes to.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) path: PathBuf,
    pub(super) connection: Connection,
    /// Of the last commit.
    pub(super) head: Head,
    pub(super) transactions: Arc<AtomicU64>,
    /// The log could not be moved into the database when that was tried last.
    pub(super) keeps_log: bool,
    #[cfg(test)]
    pub(super) faults: Arc<Faults>,
}

/// What became of one submission of a batch that was written.
#[derive(Debug)]
pub(super) enum Done {
    Changes(Result<Vec<Arc<Event>>, StoreError>),
    Value(Result<Result<bool, EffectError>, StoreError>),
    SetAside(Result<Vec<SetAside>, StoreError>),
    #[cfg(test)]
    Connection(Result<(), StoreError>),
}

/// What a submission that is refused takes back.
#[derive(Debug, Clone, Copy)]
enum TakesBack {
    /// The whole batch.
    All,
    /// What it has written itself.
    Itself,
}

impl Store {
    /// From now on nothing that is committed is on the disk before the log is synced, or [`Store::save`].
    ///
    /// # Errors
    /// Each commit is on the disk before it returns, as before.
    pub(super) fn sync_apart(&self) -> rusqlite::Result<()> {
        // SQLite still syncs the log before the file, and the file before the log begins anew.
        self.connection.pragma_update(None, "synchronous", "NORMAL")
    }

    /// Writes a batch in one transaction, which is not yet on the disk; what became of each, in order.
    ///
    /// # Errors
    /// Nothing of it is written.
    pub(super) fn write<'a>(
        &mut self,
        batch: impl Iterator<Item = &'a Work> + Clone,
    ) -> rusqlite::Result<Vec<Done>> {
        let number = self.head.number + u64::from(!batch.clone().all(Work::is_empty));
        #[cfg(test)]
        self.faults.strike(&self.connection)?;
        let done = match self.transact(batch.clone(), number, TakesBack::All) {
            // One of them may be what is refused.
            Err(error) if !may_pass(&error) => self.transact(batch, number, TakesBack::Itself),
            done => done,
        }?;
        self.head.number = number;
        self.transactions.fetch_add(1, Ordering::Relaxed);
        Ok(done)
    }

    /// After a sync that failed, writes what is committed into the database itself, and syncs that: a system may give up
    /// what it could not write, and say that the next sync of the same file is well. The log begins anew then, for a later
    /// commit is worth nothing behind one that is not on the disk. Whether that worked.
    ///
    /// Sound only where nobody commits meanwhile: the database is synced when the log holds nothing else.
    pub(super) fn save(&self) -> rusqlite::Result<bool> {
        empty_log(&self.connection)
    }

    /// One try of a batch as this commit.
    fn transact<'a>(
        &self,
        batch: impl Iterator<Item = &'a Work>,
        number: u64,
        takes_back: TakesBack,
    ) -> rusqlite::Result<Vec<Done>> {
        self.execute("BEGIN IMMEDIATE")?;
        let done: rusqlite::Result<Vec<Done>> =
            batch.map(|work| self.apply(work, takes_back)).collect();
        let committed = done.and_then(|done| {
            if number > self.head.number {
                schema::set_number(&self.connection, number)?;
            }
            self.execute("COMMIT").map(|()| done)
        });
        if committed.is_err() && !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        committed
    }

    /// Runs a statement that is often run and answers nothing.
    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    fn apply(&self, work: &Work, takes_back: TakesBack) -> rusqlite::Result<Done> {
        match work {
            Work::Changes(list, ..) => self
                .submission(takes_back, |connection| changes::apply(connection, list))
                .map(Done::Changes),
            Work::Value(write, _) => self
                .submission(takes_back, |connection| write.apply(connection))
                .map(Done::Value),
            Work::SetAside(unread, _) => self
                .submission(takes_back, |connection| {
                    let each = unread.iter().map(|unread| unread.set_aside(connection));
                    each.collect()
                })
                .map(Done::SetAside),
            #[cfg(test)]
            Work::Connection(change, _) => {
                self.submission(takes_back, *change).map(Done::Connection)
            }
        }
    }

    /// Runs one submission. The inner error is its own; the outer one is the whole batch's.
    fn submission<T>(
        &self,
        takes_back: TakesBack,
        apply: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Result<T, StoreError>> {
        match takes_back {
            TakesBack::All => apply(&self.connection).map(Ok),
            TakesBack::Itself => self.in_savepoint(apply),
        }
    }

    /// Runs one submission between savepoints. The inner error is its own; the outer one is the whole batch's.
    fn in_savepoint<T>(
        &self,
        apply: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Result<T, StoreError>> {
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
            Ok(done) => Ok(Ok(done)),
            // On some errors SQLite ends the whole transaction. What followed would be written outside of it.
            Err(error) if may_pass(&error) || connection.is_autocommit() => Err(error),
            Err(error) => {
                connection.execute_batch("ROLLBACK TO submission; RELEASE submission")?;
                Ok(Err(explain(&self.path, &error)))
            }
        }
    }
}

/// A disk that fails as a test wants.
#[cfg(test)]
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// So many of the next writes find the disk full.
    pub(super) failures: std::sync::atomic::AtomicU32,
    /// So many of the next syncs fail.
    pub(super) syncs: std::sync::atomic::AtomicU32,
    /// So many of the next writes, after these, find that the disk fails.
    pub(super) breaks: std::sync::atomic::AtomicU32,
    /// Syncs that have begun.
    pub(super) begun: std::sync::atomic::AtomicU32,
    /// What each sync has to pass.
    pub(super) gate: Gate,
    /// The next sync panics.
    pub(super) panics: std::sync::atomic::AtomicBool,
    /// Pages that the file may have from the next write on; 0: as it is.
    pub(super) max_pages: std::sync::atomic::AtomicU32,
}

/// A disk that hangs for as long as a test wants.
#[cfg(test)]
#[derive(Debug, Default)]
pub(super) struct Gate {
    is_shut: parking_lot::Mutex<bool>,
    changed: parking_lot::Condvar,
}

#[cfg(test)]
impl Gate {
    pub(super) fn set_shut(&self, is_shut: bool) {
        *self.is_shut.lock() = is_shut;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let mut is_shut = self.is_shut.lock();
        self.changed.wait_while(&mut is_shut, |is_shut| *is_shut);
    }
}

#[cfg(test)]
impl Faults {
    pub(super) fn strike_sync(&self) -> std::io::Result<()> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.gate.pass();
        assert!(!self.panics.load(Ordering::SeqCst), "the sync is torn");
        let one_less = |left: u32| left.checked_sub(1);
        match self
            .syncs
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
        {
            Ok(_) => Err(std::io::Error::from_raw_os_error(5)),
            Err(_) => Ok(()),
        }
    }

    fn strike(&self, connection: &Connection) -> rusqlite::Result<()> {
        let max_pages = self.max_pages.swap(0, Ordering::SeqCst);
        if max_pages > 0 {
            let sql = format!("PRAGMA max_page_count = {max_pages}");
            connection.query_row(&sql, [], |_| Ok(()))?;
        }
        let one_less = |left: u32| left.checked_sub(1);
        for (left, code) in [
            (&self.failures, rusqlite::ffi::SQLITE_FULL),
            (&self.breaks, rusqlite::ffi::SQLITE_IOERR),
        ] {
            if left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
                .is_ok()
            {
                let error = rusqlite::ffi::Error::new(code);
                return Err(rusqlite::Error::SqliteFailure(error, None));
            }
        }
        Ok(())
    }
}
