//! A journal that is only looked at, also where nothing may be written beside it.
//!
//! SQLite reads a database with a write-ahead log only where it can make or open the log's index beside it. On a
//! read-only mount, and in a directory of somebody else, it cannot; then a private copy is looked at.
//!
//! Invariant: the journal is not changed, and a copy is removed with its [`Source`].

use super::{
    error::{explain, sentence},
    files::beside,
    open::open_to_read,
    private, regular,
};
use crate::port::{StoreError, StoreErrorKind as Kind};
use rusqlite::{Connection, ErrorCode};
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// A copy of files that are being written may hold parts of two moments; it is made so often.
const TRIES: u32 = 5;

/// A connection that cannot write, and what it needs.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) connection: Connection,
    /// Removed after the connection is closed.
    _copy: Option<PrivateDirectory>,
}

impl Source {
    /// Opens the journal at this path, in place where that can be.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        match in_place(path) {
            Ok(connection) => Ok(Self {
                connection,
                _copy: None,
            }),
            Err(error) if is_about_the_place(&error) => Self::of_copy(path),
            Err(error) => Err(explain(path, &error)),
        }
    }

    /// Opens a private copy of it.
    pub(super) fn of_copy(path: &Path) -> Result<Self, StoreError> {
        let (directory, copy) = copied(path).map_err(|error| {
            let what = format!(
                "cannot be opened where it is, nor copied to {} to be looked at there: {error}",
                std::env::temp_dir().display()
            );
            sentence(path, Kind::Unavailable, what)
        })?;
        Ok(Self {
            connection: open_to_read(&copy).map_err(|error| explain(path, &error))?,
            _copy: Some(directory),
        })
    }
}

/// What is wrong inside of the file is found by who reads on.
fn in_place(path: &Path) -> rusqlite::Result<Connection> {
    let connection = open_to_read(path)?;
    let looked = connection.pragma_query_value(None, "schema_version", |row| row.get::<_, i64>(0));
    match looked {
        Err(error) if is_about_the_place(&error) => Err(error),
        _ => Ok(connection),
    }
}

fn is_about_the_place(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied)
    )
}

fn copied(path: &Path) -> io::Result<(PrivateDirectory, PathBuf)> {
    let directory = PrivateDirectory::make()?;
    let copy = directory.0.join("journal.db");
    let log = beside(path, "-wal");
    let mut tries = 0;
    loop {
        tries += 1;
        let before = (moment(path), moment(&log));
        copy_private(path, &copy)?;
        if log.exists() {
            copy_private(&log, &beside(&copy, "-wal"))?;
        }
        if before == (moment(path), moment(&log)) {
            return Ok((directory, copy));
        }
        if tries == TRIES {
            return Err(io::Error::other("it is written again and again meanwhile"));
        }
        let _ = fs::remove_file(beside(&copy, "-wal"));
    }
}

/// Differs where a file was written in between.
fn moment(path: &Path) -> Option<(u64, SystemTime)> {
    let found = path.metadata().ok()?;
    Some((found.len(), found.modified().ok()?))
}

fn copy_private(from: &Path, to: &Path) -> io::Result<()> {
    let mut from = regular::open(from)?;
    let mut to = private::files()
        .write(true)
        .create(true)
        .truncate(true)
        .open(to)?;
    io::copy(&mut from, &mut to).map(drop)
}

/// A directory of this process alone, removed when it is dropped.
#[derive(Debug)]
struct PrivateDirectory(PathBuf);

impl PrivateDirectory {
    fn make() -> io::Result<Self> {
        let mut number = 0_u32;
        loop {
            let name = format!("mainstay-journal-{}-{number}", std::process::id());
            let directory = std::env::temp_dir().join(name);
            match private::directories().create(&directory) {
                Ok(()) => return Ok(Self(directory)),
                // Of another check in this process, or of one before that was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for PrivateDirectory {
    fn drop(&mut self) {
        // A temporary directory is emptied by others too.
        let _ = fs::remove_dir_all(&self.0);
    }
}
