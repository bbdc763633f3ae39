//! Copies an SQLite database that others may have open, by the online backup API (<https://sqlite.org/backup.html>).
//!
//! Invariant: a copy is a state that the database had, the last one of a transaction, and is checked as a whole.
//! Invariant: nothing is written to the database. Who writes to it waits for a step of the copy at most; only where it began
//! anew too often, for all that is left of it.

use super::check_stop;
use crate::port::BackupStoreError;
use rusqlite::{
    Connection, ErrorCode, OpenFlags,
    backup::{Backup, StepResult},
};
use std::{
    fs,
    os::unix::ffi::OsStrExt,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// Pages in one step, a few MiB.
const STEP: i32 = 1_000;
/// Between two steps, for those who write.
const PAUSE: Duration = Duration::from_millis(5);
/// So long a lock is waited for at once.
const WAIT: Duration = Duration::from_millis(500);
/// So long others may keep it locked.
const PATIENCE: Duration = Duration::from_secs(60);
/// So often a copy begins anew because somebody has written.
const RESTARTS: u32 = 3;

/// Copies the database into an empty file. A sentence where what was copied could not be checked.
pub(super) fn copy(
    database: &Path,
    to: &Path,
    stop: &CancellationToken,
) -> Result<Option<String>, BackupStoreError> {
    let failed = |what: String| {
        BackupStoreError::Source(format!(
            "cannot copy the SQLite database {}: {what}",
            database.display()
        ))
    };
    let of_sqlite = |error: rusqlite::Error| failed(error.to_string());
    match fs::metadata(database) {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Err(failed("it is no file".to_owned())),
        Err(error) => return Err(failed(error.to_string())),
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let from = Connection::open_with_flags(database, flags).map_err(of_sqlite)?;
    from.busy_timeout(WAIT).map_err(of_sqlite)?;
    let mut copy = Connection::open(to).map_err(of_sqlite)?;
    // What is half written is thrown away.
    for pragma in ["journal_mode", "synchronous"] {
        copy.pragma_update(None, pragma, "OFF").map_err(of_sqlite)?;
    }
    let mode = patiently(stop, || {
        from.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0))
    })?;
    let mut is_pinned = false;
    if mode.map_err(of_sqlite)? == "wal" {
        // Nobody waits for who reads.
        patiently(stop, || pin(&from))?.map_err(of_sqlite)?;
        is_pinned = true;
    }
    let backup = Backup::new(&from, &mut copy).map_err(of_sqlite)?;
    let (mut moved, mut left, mut restarts) = (Instant::now(), None, 0);
    loop {
        check_stop(stop)?;
        match backup.step(STEP).map_err(of_sqlite)? {
            StepResult::Done => break,
            StepResult::More => {
                let remaining = backup.progress().remaining;
                if left.is_some_and(|left| remaining >= left) {
                    restarts += 1;
                }
                (moved, left) = (Instant::now(), Some(remaining));
                if !is_pinned && restarts > RESTARTS {
                    is_pinned = pin(&from).is_ok();
                }
                if !is_pinned {
                    thread::sleep(PAUSE);
                }
            }
            // It is locked.
            _ if moved.elapsed() < PATIENCE => thread::sleep(PAUSE),
            _ => {
                return Err(failed(format!(
                    "others have kept it locked for {} s; end what writes to it for so long, or back it up at another time",
                    PATIENCE.as_secs()
                )));
            }
        }
    }
    drop(backup);
    copy.close().map_err(|(_, error)| of_sqlite(error))?;
    let found = check(to, stop);
    check_stop(stop)?;
    match found {
        Ok(found) if found == "ok" => Ok(None),
        Ok(fault) => Err(failed(format!("it is damaged: {fault}"))),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Err(of_sqlite(error)),
            // It needs what the program that made it has, as a collation.
            _ => Ok(Some(format!(
                "the copy of the SQLite database {} could not be checked: {error}",
                database.display()
            ))),
        },
    }
}

/// Asks again while others have it locked.
fn patiently<T>(
    stop: &CancellationToken,
    ask: impl Fn() -> rusqlite::Result<T>,
) -> Result<rusqlite::Result<T>, BackupStoreError> {
    let begun = Instant::now();
    loop {
        check_stop(stop)?;
        match ask() {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && begun.elapsed() < PATIENCE => {}
            asked => return Ok(asked),
        }
    }
}

/// Holds the state that the database is in now, as this connection sees it.
fn pin(database: &Connection) -> rusqlite::Result<()> {
    database.execute_batch("BEGIN")?;
    let read = database.query_row("SELECT count(*) FROM sqlite_master", [], |row| {
        row.get::<_, i64>(0)
    });
    if read.is_err() {
        database.execute_batch("ROLLBACK")?;
    }
    read.map(|_| ())
}

/// What the check of a copy says: `ok`, or the first that is wrong. It leaves nothing beside the copy.
fn check(copy: &Path, stop: &CancellationToken) -> rusqlite::Result<String> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let database = Connection::open_with_flags(as_it_is(copy), flags)?;
    let (handle, has_ended) = (database.get_interrupt_handle(), AtomicBool::new(false));
    thread::scope(|scope| {
        let watch = scope.spawn(|| {
            while !has_ended.load(Ordering::Acquire) {
                if stop.is_cancelled() {
                    handle.interrupt();
                }
                thread::park_timeout(WAIT);
            }
        });
        let found = database.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0));
        has_ended.store(true, Ordering::Release);
        watch.thread().unpark();
        found
    })
}

/// The address of a database that nobody changes, so that nothing is made beside it (<https://sqlite.org/uri.html>).
fn as_it_is(path: &Path) -> String {
    let mut address = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                address.push(char::from(*byte));
            }
            byte => address.push_str(&format!("%{byte:02X}")),
        }
    }
    address + "?immutable=1"
}
