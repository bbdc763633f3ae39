//! Moves the write-ahead log into the database.

use super::{error::explain, store::Store};
use rusqlite::Connection;

impl Store {
    /// Moves the write-ahead log into the file, as far as readers allow; answers how many of its pages are left.
    /// With `NOOP` it only counts. With `TRUNCATE` the log is empty afterwards, for the end.
    pub(super) fn checkpoint(&self, mode: &str) -> i64 {
        let sql = match mode {
            "NOOP" => "PRAGMA wal_checkpoint(NOOP)",
            "TRUNCATE" => "PRAGMA wal_checkpoint(TRUNCATE)",
            _ => "PRAGMA wal_checkpoint(PASSIVE)",
        };
        let counted = self.connection.prepare_cached(sql).and_then(|mut pragma| {
            pragma.query_row([], |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?))
        });
        counted.unwrap_or_else(|error| {
            // What is in the log is safe there; a disk without space for the file is no reason to stop.
            tracing::debug!(error = %explain(&self.path, &error), "the journal's write-ahead log stays");
            0
        })
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
