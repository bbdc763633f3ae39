//! The tables of the file, and how they came to be as they are.
//!
//! Invariant: the schema only grows by appending to [`MIGRATIONS`]; an entry that was released is never edited.

use super::{mark::Head, sums};
use rusqlite::Connection;

/// `PRAGMA application_id`: "MNST".
pub(super) const APPLICATION_ID: i64 = 0x4d4e_5354;

/// What takes the file from one version to the next. Records are the JSON of domain types; beside it stand the
/// columns that queries select and order by. Times are milliseconds since 1970.
pub(super) const MIGRATIONS: &[&str] = &["
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
","
    -- The checksum of each row; see `sums`.
    ALTER TABLE events ADD COLUMN sum INTEGER;
    ALTER TABLE incidents ADD COLUMN sum INTEGER;
    ALTER TABLE operations ADD COLUMN sum INTEGER;
    ALTER TABLE effects ADD COLUMN sum INTEGER;
    ALTER TABLE outbox ADD COLUMN sum INTEGER;
    ALTER TABLE backups ADD COLUMN sum INTEGER;
    ALTER TABLE processes ADD COLUMN sum INTEGER;
    ALTER TABLE paused ADD COLUMN sum INTEGER;
    ALTER TABLE cooldowns ADD COLUMN sum INTEGER;
    ALTER TABLE slots ADD COLUMN sum INTEGER;
    ALTER TABLE plugin_values ADD COLUMN sum INTEGER;
    ALTER TABLE plugin_usage ADD COLUMN sum INTEGER;

    -- One row: which database this is, and how many commits it has taken; see `mark`.
    CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL, number INTEGER NOT NULL) STRICT;
    INSERT INTO head (one, id, number) VALUES (1, lower(hex(randomblob(16))), 0);

    -- Rows that cannot be read, as they were found.
    CREATE TABLE set_aside (
        number INTEGER PRIMARY KEY,
        origin TEXT NOT NULL,
        key TEXT NOT NULL,
        record TEXT NOT NULL,
        why TEXT NOT NULL
    ) STRICT;
","
    -- Whether a start looks for it, to know what people were told of; none of events of versions that did not say.
    ALTER TABLE events ADD COLUMN sought INTEGER;
    CREATE INDEX events_sought ON events (seq) WHERE sought IS NOT 0;
    -- The other names of targets. A text in a record has no such quotes.
    CREATE INDEX events_renamed ON events (seq) WHERE instr(record, '\"kind\":\"target.renamed\"') > 0;
","
    -- What was decided and done, each row with the digest of the one before in its own; see `audit`.
    CREATE TABLE audit (number INTEGER PRIMARY KEY, record TEXT NOT NULL, digest TEXT NOT NULL) STRICT;
    -- One row: up to where it is forgotten and with which digest, its last row, the last event before it was kept, and
    -- what holds now.
    CREATE TABLE audit_head (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        forgotten INTEGER NOT NULL,
        anchor TEXT NOT NULL,
        number INTEGER NOT NULL,
        digest TEXT NOT NULL,
        since INTEGER NOT NULL,
        phase TEXT NOT NULL,
        charter TEXT NOT NULL
    ) STRICT;
    INSERT INTO audit_head (one, forgotten, anchor, number, digest, since, phase, charter)
        SELECT 1, 0, id, 0, id, (SELECT coalesce(max(seq), 0) FROM events), '', '' FROM head;
","
    -- What it takes to make a call of a handler again; `ended` is null while it has not ended.
    CREATE TABLE calls (
        operation TEXT NOT NULL,
        call INTEGER NOT NULL,
        ended TEXT,
        record TEXT NOT NULL,
        sum INTEGER,
        PRIMARY KEY (operation, call)
    ) STRICT;
    CREATE INDEX calls_open ON calls (operation) WHERE ended IS NULL;
    CREATE INDEX calls_of_plugin ON calls (json_extract(record, '$.plugin'), operation, call);
    -- Which daemon writes: a result of one before is refused.
    ALTER TABLE head ADD COLUMN fencing INTEGER NOT NULL DEFAULT 0;
","
    -- An operation that has not ended is in one index only, and in those for the history once it has: a recovery begins
    -- with one that is written and written again, and waits for that. Queries say which of both they read; see `ended`.
    DROP INDEX IF EXISTS operations_newest;
    DROP INDEX IF EXISTS operations_t;
    DROP INDEX IF EXISTS operations_f;
    DROP INDEX IF EXISTS operations_s;
    DROP INDEX IF EXISTS operations_tf;
    DROP INDEX IF EXISTS operations_ts;
    DROP INDEX IF EXISTS operations_fs;
    DROP INDEX IF EXISTS operations_tfs;
    CREATE INDEX operations_open ON operations (detected_at)
        WHERE (state = 'scheduled' OR state = 'in-progress' OR state = 'validating' OR state = 'awaiting-manual');
    CREATE INDEX operations_newest ON operations (detected_at)
        WHERE state <> 'scheduled' AND state <> 'in-progress' AND state <> 'validating' AND state <> 'awaiting-manual';
    CREATE INDEX operations_t ON operations (target, detected_at)
        WHERE state <> 'scheduled' AND state <> 'in-progress' AND state <> 'validating' AND state <> 'awaiting-manual';
    CREATE INDEX operations_f ON operations (failure, detected_at)
        WHERE state <> 'scheduled' AND state <> 'in-progress' AND state <> 'validating' AND state <> 'awaiting-manual';
    CREATE INDEX operations_s ON operations (state, detected_at)
        WHERE state <> 'scheduled' AND state <> 'in-progress' AND state <> 'validating' AND state <> 'awaiting-manual';
    CREATE INDEX operations_tf ON operations (target, failure, detected_at)
        WHERE state <> 'scheduled' AND state <> 'in-progress' AND state <> 'validating' AND state <> 'awaiting-manual';
    CREATE INDEX operations_ts ON operations (target, state, detected_at)
        WHERE state <> 'scheduled' AND state <> 'in-progress' AND state <> 'validating' AND state <> 'awaiting-manual';
    CREATE INDEX operations_fs ON operations (failure, state, detected_at)
        WHERE state <> 'scheduled' AND state <> 'in-progress' AND state <> 'validating' AND state <> 'awaiting-manual';
    CREATE INDEX operations_tfs ON operations (target, failure, state, detected_at)
        WHERE state <> 'scheduled' AND state <> 'in-progress' AND state <> 'validating' AND state <> 'awaiting-manual';
    -- The same of incidents, and of the calls that a rehearsal takes. What was in `calls_open` is found by its key.
    DROP INDEX IF EXISTS incidents_newest;
    DROP INDEX IF EXISTS incidents_alike;
    DROP INDEX IF EXISTS calls_open;
    DROP INDEX IF EXISTS calls_of_plugin;
    CREATE INDEX incidents_newest ON incidents (opened_at) WHERE NOT open;
    CREATE INDEX incidents_t ON incidents (target, opened_at) WHERE NOT open;
    -- A row that is damaged keeps no journal from being opened.
    CREATE INDEX calls_of_plugin
        ON calls (CASE WHEN json_valid(record) THEN json_extract(record, '$.plugin') END, operation, call)
        WHERE ended IS NOT NULL;
"];

/// That an operation has not ended, as the index of those says it; a piece of SQL. A query is answered from the index
/// only where it says the same. No `IN`, for which SQLite makes a table anew for each index at each write.
macro_rules! unended {
    () => {
        "(state = 'scheduled' OR state = 'in-progress' OR state = 'validating' OR state = 'awaiting-manual')"
    };
}
/// That it has, as the indices of the history say it. Not by what has ended: SQLite would look up each word of that, and put
/// what it finds in order.
macro_rules! ended {
    () => {
        "state <> 'scheduled' AND state <> 'in-progress' AND state <> 'validating' AND state <> 'awaiting-manual'"
    };
}
pub(super) use {ended, unended};

/// The version that [`head`] came with.
pub(super) const WITH_HEAD: usize = 3;

/// The version that the audit log came with.
pub(super) const WITH_AUDIT: usize = 5;

/// The version that calls came with.
pub(super) const WITH_CALLS: usize = 6;

/// How far a database of this schema version is; none in one of a version that did not count.
pub(super) fn head_of(connection: &Connection, version: usize) -> rusqlite::Result<Option<Head>> {
    match version >= WITH_HEAD {
        true => head(connection).map(Some),
        false => Ok(None),
    }
}

/// How far the database is.
pub(super) fn head(connection: &Connection) -> rusqlite::Result<Head> {
    connection.query_row("SELECT id, number FROM head", [], |row| {
        Ok(Head {
            id: row.get(0)?,
            number: u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default(),
        })
    })
}

/// Says in the transaction under way that it is this commit.
pub(super) fn set_number(connection: &Connection, number: u64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE head SET number = ?1")?
        .execute([i64::try_from(number).unwrap_or(i64::MAX)])
        .map(drop)
}

/// What holds for the connection that writes.
pub(super) fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(64);
    sums::register(connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // Each commit is on disk before it is acknowledged; NORMAL would lose the last ones with the power. Only the writer
    // leaves that to `syncer`, once the journal is open.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // The writer empties the write-ahead log when it has nothing better to do.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", 16 << 20)?;
    connection.pragma_update(None, "trusted_schema", false)
}

/// Brings the tables from a version to the newest.
pub(super) fn migrate(connection: &mut Connection, from: usize) -> rusqlite::Result<()> {
    for (version, migration) in (1_i64..).zip(MIGRATIONS).skip(from) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}
