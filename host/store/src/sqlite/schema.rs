//! The file itself: whether it is ours, how it is opened, and its tables.
//!
//! Invariant: a file that is refused is left as it was.
//! Invariant: the schema only grows by appending to [`MIGRATIONS`]; an entry that was released is never edited.

use super::{
    error::{damaged, explain, sentence},
    lock::make_private_file,
};
use crate::port::{StoreError, StoreErrorKind as Kind};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// `PRAGMA application_id`: "MNST".
const APPLICATION_ID: i64 = 0x4d4e_5354;

/// Files up to this size are checked as a whole when they are opened, which takes some 20 ms at most; larger ones
/// are checked page by page as they are read.
const CHECKED_BYTES: u64 = 16 << 20;

/// What takes the file from one version to the next. Records are the JSON of domain types; beside it stand the
/// columns that queries select and order by. Times are milliseconds since 1970.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        record TEXT NOT NULL
    ) STRICT;

    CREATE TABLE incidents (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        target TEXT NOT NULL,
        failure TEXT NOT NULL,
        open INTEGER NOT NULL,
        opened_at INTEGER NOT NULL,
        record TEXT NOT NULL
    ) STRICT;
    CREATE INDEX incidents_newest ON incidents (opened_at);
    CREATE INDEX incidents_open ON incidents (opened_at) WHERE open;
    CREATE INDEX incidents_alike ON incidents (target, failure, opened_at);

    CREATE TABLE operations (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        target TEXT NOT NULL,
        failure TEXT NOT NULL,
        state TEXT NOT NULL,
        detected_at INTEGER NOT NULL,
        record TEXT NOT NULL
    ) STRICT;
    -- One index for each set of filters, so that every history query reads as many rows as it answers.
    CREATE INDEX operations_newest ON operations (detected_at);
    CREATE INDEX operations_t ON operations (target, detected_at);
    CREATE INDEX operations_f ON operations (failure, detected_at);
    CREATE INDEX operations_s ON operations (state, detected_at);
    CREATE INDEX operations_tf ON operations (target, failure, detected_at);
    CREATE INDEX operations_ts ON operations (target, state, detected_at);
    CREATE INDEX operations_fs ON operations (failure, state, detected_at);
    CREATE INDEX operations_tfs ON operations (target, failure, state, detected_at);

    CREATE TABLE effects (
        seq INTEGER PRIMARY KEY,
        operation TEXT NOT NULL,
        number INTEGER NOT NULL,
        kind TEXT NOT NULL,
        record TEXT NOT NULL,
        UNIQUE (operation, number, kind)
    ) STRICT;

    CREATE TABLE outbox (
        alert TEXT NOT NULL,
        alerter TEXT NOT NULL,
        record TEXT NOT NULL,
        PRIMARY KEY (alert, alerter)
    ) STRICT;

    CREATE TABLE backups (id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;
    CREATE TABLE processes (target TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;
    -- The empty name, which no target has, is the host.
    CREATE TABLE paused (target TEXT PRIMARY KEY) STRICT;
    CREATE TABLE cooldowns (
        target TEXT NOT NULL,
        failure TEXT NOT NULL,
        until INTEGER NOT NULL,
        PRIMARY KEY (target, failure)
    ) STRICT;
    CREATE TABLE slots (
        job TEXT NOT NULL,
        backup_type TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (job, backup_type)
    ) STRICT;

    CREATE TABLE plugin_values (
        plugin TEXT NOT NULL,
        key TEXT NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (plugin, key)
    ) STRICT;
    -- The sums over plugin_values, so that a cap costs the same for one key as for ten thousand.
    CREATE TABLE plugin_usage (
        plugin TEXT PRIMARY KEY,
        keys INTEGER NOT NULL,
        bytes INTEGER NOT NULL
    ) STRICT;
","
    -- What closed not long ago is the same incident where it comes back.
    CREATE INDEX incidents_closed ON incidents (json_extract(record, '$.closed_at')) WHERE NOT open;
"];

/// Opens the file for writing and brings it to the newest schema.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    make_private_file(path).map_err(|error| {
        let what = format!("cannot be opened for writing: {error}");
        sentence(path, Kind::Unavailable, what)
    })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let explained = |error: rusqlite::Error| explain(path, &error);
    let mut connection = Connection::open_with_flags(path, flags).map_err(explained)?;
    // No temporary files: the disk may be full.
    connection
        .pragma_update(None, "temp_store", "MEMORY")
        .map_err(explained)?;
    let version = recognise(&connection, path)?;
    configure(&connection).map_err(explained)?;
    migrate(&mut connection, version).map_err(explained)?;
    Ok(connection)
}

/// The schema version of a file that is ours; refuses any other.
fn recognise(connection: &Connection, path: &Path) -> Result<usize, StoreError> {
    let pragma = |name: &str| -> Result<i64, StoreError> {
        connection
            .pragma_query_value(None, name, |row| row.get(0))
            .map_err(|error| explain(path, &error))
    };
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let is_empty = pragma("schema_version")? == 0;
    if application != APPLICATION_ID && !(application == 0 && is_empty) {
        return Err(sentence(
            path,
            Kind::Unreadable,
            "is a database of another program; name another `state_dir`",
        ));
    }
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    if version > MIGRATIONS.len() {
        return Err(sentence(
            path,
            Kind::Unreadable,
            format!(
                "was written by a newer Mainstay: its schema is {version}, and this one knows up to {}; run the newer \
                 version, or name another `state_dir`",
                MIGRATIONS.len()
            ),
        ));
    }
    let size = path.metadata().map_or(0, |metadata| metadata.len());
    if size <= CHECKED_BYTES {
        let found: String = connection
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(|error| explain(path, &error))?;
        if found != "ok" {
            return Err(sentence(path, Kind::Unreadable, damaged(&found)));
        }
    }
    Ok(version)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // Each commit is on disk before it is acknowledged; NORMAL would lose the last ones with the power.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // The writer empties the write-ahead log when it has nothing better to do.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", 16 << 20)?;
    connection.pragma_update(None, "trusted_schema", false)
}

fn migrate(connection: &mut Connection, from: usize) -> rusqlite::Result<()> {
    for (version, migration) in (1_i64..).zip(MIGRATIONS).skip(from) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}
