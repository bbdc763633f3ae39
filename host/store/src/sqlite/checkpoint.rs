//! Moves the write-ahead log into the database.
//!
//! Invariant: that it cannot be moved is told when that begins, and when it is over, and not at each try.

use super::{error::explain, store::Store};
use rusqlite::Connection;

impl Store {
    /// Moves the write-ahead log into the file, as far as readers allow; answers how many of its pages are left.
    /// With `NOOP` it only counts. With `TRUNCATE` the log is empty afterwards, for the end.
    pub(super) fn checkpoint(&mut self, mode: &str) -> i64 {
        let sql = match mode {
            "NOOP" => "PRAGMA wal_checkpoint(NOOP)",
            "TRUNCATE" => "PRAGMA wal_checkpoint(TRUNCATE)",
            _ => "PRAGMA wal_checkpoint(PASSIVE)",
        };
        let counted = self.connection.prepare_cached(sql).and_then(|mut pragma| {
            pragma.query_row([], |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?))
        });
        match counted {
            Ok(left) => {
                if mode != "NOOP" && std::mem::take(&mut self.keeps_log) {
                    tracing::warn!(path = %self.path.display(), "the journal's write-ahead log is moved into the database again");
                }
                left
            }
            Err(error) => {
                // What is in the log is safe there; a disk without space for the file is no reason to stop.
                if mode != "NOOP" && !std::mem::replace(&mut self.keeps_log, true) {
                    let error = explain(&self.path, &error);
                    tracing::warn!(
                        %error,
                        "the journal's write-ahead log cannot be moved into the database, and grows until it can; nothing \
                         in it is lost"
                    );
                }
                0
            }
        }
    }
}

/// Moves all of the write-ahead log into the database and syncs that, and has the log begin anew; false where somebody who
/// reads is in the way.
pub(super) fn empty_log(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(moves(connection, "PRAGMA wal_checkpoint(PASSIVE)")?
        && moves(connection, "PRAGMA wal_checkpoint(TRUNCATE)")?)
}

/// Whether such a checkpoint moves all of the log, and nobody is in its way.
fn moves(connection: &Connection, checkpoint: &str) -> rusqlite::Result<bool> {
    let mut pragma = connection.prepare_cached(checkpoint)?;
    let left = pragma.query_row([], |row| {
        Ok(row.get::<_, i64>(0)? + row.get::<_, i64>(1)? - row.get::<_, i64>(2)?)
    })?;
    Ok(left == 0)
}

#[cfg(test)]
mod tests {
    use super::super::{FILE_NAME, SqliteJournal, StateDirectory, open};
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_log_that_stays_is_known_until_it_is_moved() {
        let directory = tempfile::tempdir().unwrap();
        drop(SqliteJournal::open(StateDirectory::take(directory.path()).unwrap()).unwrap());
        let path = directory.path().join(FILE_NAME);
        let opened = open::open(&path, u64::MAX).unwrap();
        let mut store = Store {
            path,
            connection: opened.connection,
            head: opened.head,
            transactions: Arc::default(),
            keeps_log: false,
            faults: Arc::default(),
        };
        // SQLite refuses it within a transaction.
        store.connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        store.checkpoint("PASSIVE");
        assert!(store.keeps_log);
        store.connection.execute_batch("COMMIT").unwrap();
        store.checkpoint("NOOP");
        assert!(store.keeps_log, "that was counted only");
        store.checkpoint("PASSIVE");
        assert!(!store.keeps_log);
    }
}
