//! Whether the file is whole and ours, and how it is opened.
//!
//! Invariant: a file that is refused is left as it was, and so is its write-ahead log: it is looked at through a
//! connection that cannot write before one that can is opened.

use super::{
    checkpoint::empty_log,
    error::{damaged, disk_remedy, explain, may_pass, sentence, what_to_do},
    files::{beside, length, refuse_odd, sync},
    mark::{self, Head, Marked},
    private,
    schema::{self, APPLICATION_ID, MIGRATIONS, WITH_HEAD},
    sums,
};
use crate::port::{StoreError, StoreErrorKind as Kind};
use mainstay_domain::code::ErrorCode;
use rusqlite::{Connection, OpenFlags};
use std::{fs::File, path::Path};

/// Files up to this size are checked as a whole before they are opened, which takes a quarter of a second at most;
/// larger ones while the daemon runs, and each row of them as it is read.
pub(super) const CHECKED_BYTES: u64 = 64 << 20;

/// A journal that is open to be written.
pub(super) struct Opened {
    pub(super) connection: Connection,
    /// Its write-ahead log, of which all is on the disk; none where there is none yet.
    pub(super) log: Option<File>,
    /// How far it is.
    pub(super) head: Head,
    /// Whether all of it was read and found right.
    pub(super) is_checked: bool,
}

/// Opens the file for writing and brings it to the newest schema; up to `checked_bytes` it is checked as a whole.
pub(super) fn open(path: &Path, checked_bytes: u64) -> Result<Opened, StoreError> {
    let explained = |error: rusqlite::Error| explain(path, &error);
    refuse_odd(path)?;
    let marked = mark::read(&mark::path(path)).map_err(|error| {
        let (mark, remedy) = (mark::path(path), disk_remedy(&error));
        let what = format!("cannot be opened: {}: {error}{remedy}", mark.display());
        sentence(path, Kind::Unavailable, what)
    })?;
    if marked == Marked::Damaged {
        return Err(unreadable_mark(path));
    }
    let is_checked = match length(path) {
        0 => refuse_missing(path, &marked).map(|()| true)?,
        _ => examine(path, &marked, checked_bytes)?,
    };
    private::make_file(path).map_err(|error| {
        let what = format!(
            "cannot be opened for writing: {error}{}",
            disk_remedy(&error)
        );
        sentence(path, Kind::Unavailable, what)
    })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(explained)?;
    // No temporary files: the disk may be full.
    connection
        .pragma_update(None, "temp_store", "MEMORY")
        .map_err(explained)?;
    let version = recognise(&connection, path)?;
    schema::configure(&connection).map_err(explained)?;
    schema::migrate(&mut connection, version).map_err(explained)?;
    let head = schema::head(&connection).map_err(explained)?;
    // A daemon that was killed may have left commits in it that were never synced, and the mark will name them. Where a sync
    // of them had failed none says so again, and what is committed next would lie behind them.
    if let Err(error) = empty_log(&connection) {
        let error = explained(error);
        tracing::warn!(%error, "what an earlier daemon left in the journal's write-ahead log stays there for now");
    }
    let log = sync(&beside(path, "-wal")).map_err(|error| {
        let remedy = disk_remedy(&error);
        let what =
            format!("cannot be opened: its write-ahead log cannot be synced: {error}{remedy}");
        sentence(path, Kind::Unavailable, what)
    })?;
    Ok(Opened {
        connection,
        log,
        head,
        is_checked,
    })
}

/// Opens a file that is there to be read, with what the queries of the journal need.
pub(super) fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // What a query sorts needs no disk, which may be full.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    sums::register(&connection)?;
    Ok(connection)
}

/// A mark that says nothing shows all the same that there was a journal, and perhaps one that held more.
fn unreadable_mark(path: &Path) -> StoreError {
    let mark = mark::path(path);
    let what = ErrorCode::JournalDamaged.mark(format!(
        "is not opened: {mark}, which says how much was acknowledged, is damaged; nothing was changed: `mainstay journal \
         check` looks at the rest; to go on with what is there, remove {mark}, or let `mainstay journal salvage` make a \
         new one",
        mark = mark.display()
    ));
    sentence(path, Kind::Unreadable, what)
}

/// A new journal is only made where there was none.
pub(super) fn refuse_missing(path: &Path, marked: &Marked) -> Result<(), StoreError> {
    let wal = beside(path, "-wal");
    let left = match marked {
        Marked::Upto(head) if head.number > 0 => format!(
            "{} says that it took {} commits",
            mark::path(path).display(),
            head.number
        ),
        _ if length(&wal) > 0 => format!("its write-ahead log {} is not", wal.display()),
        _ => return Ok(()),
    };
    let what = ErrorCode::JournalDamaged.mark(format!(
        "is missing or empty, and {left}; nothing was changed: {}",
        what_to_do(path)
    ));
    Err(sentence(path, Kind::Unreadable, what))
}

/// Refuses a file that is not whole, not ours, or not the one that the mark is of. False where it is too large to have
/// been read as a whole.
fn examine(path: &Path, marked: &Marked, checked_bytes: u64) -> Result<bool, StoreError> {
    let rollback = beside(path, "-journal");
    if rollback.exists() {
        if *marked == Marked::Nothing {
            // It was made a moment before the end of the daemon that made it; SQLite brings it in order.
            return Ok(false);
        }
        let what = format!(
            "is not opened: {} is not a file of Mainstay, and SQLite would write what it holds over the journal; \
             move it away",
            rollback.display()
        );
        return Err(sentence(path, Kind::Unreadable, what));
    }
    let spoilt = |error: rusqlite::Error| not_legible(path, &error);
    let connection = open_to_read(path).map_err(spoilt)?;
    let version = recognise(&connection, path)?;
    let head = schema::head_of(&connection, version).map_err(spoilt)?;
    if let Some(found) = unlike(path, head.as_ref(), marked) {
        return Err(sentence(path, Kind::Unreadable, damaged(path, &found)));
    }
    if length(path) + length(&beside(path, "-wal")) > checked_bytes {
        return Ok(false);
    }
    if let Some(found) = first_damage(&connection, version).map_err(spoilt)? {
        return Err(sentence(path, Kind::Unreadable, damaged(path, &found)));
    }
    Ok(true)
}

/// What is damaged makes the look at it fail in many ways.
fn not_legible(path: &Path, error: &rusqlite::Error) -> StoreError {
    match may_pass(error) {
        true => explain(path, error),
        false => sentence(path, Kind::Unreadable, damaged(path, &error.to_string())),
    }
}

/// What is wrong with how far the database is; nothing where it holds all that is marked.
pub(super) fn unlike(path: &Path, head: Option<&Head>, marked: &Marked) -> Option<String> {
    let Marked::Upto(marked) = marked else {
        return None;
    };
    let mark = mark::path(path);
    let mark = mark.display();
    match head {
        _ if marked.number == 0 => None,
        None => Some(format!(
            "{} commits were acknowledged, and it holds none of them; the file, or its write-ahead log {}, was removed or \
             changed",
            marked.number,
            beside(path, "-wal").display()
        )),
        Some(head) if head.id != marked.id => Some(format!("{mark} is of another journal")),
        Some(head) if head.number < marked.number => Some(format!(
            "{} commits were acknowledged, and it holds {}; the file, or its write-ahead log {}, was cut or changed",
            marked.number,
            head.number,
            beside(path, "-wal").display()
        )),
        Some(_) => None,
    }
}

/// The first thing that is wrong inside of the file, where anything is. Reads all of it.
pub(super) fn first_damage(
    connection: &Connection,
    version: usize,
) -> rusqlite::Result<Option<String>> {
    first_damage_while(connection, version, &|| true)
}

/// The same; between two tables it ends where it need not go on, as if nothing was found.
pub(super) fn first_damage_while(
    connection: &Connection,
    version: usize,
    goes_on: &dyn Fn() -> bool,
) -> rusqlite::Result<Option<String>> {
    let found: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Ok(Some(structure_fault(&found)));
    }
    match version >= WITH_HEAD {
        true => sums::first_wrong(connection, version, goes_on)
            .map(|wrong| wrong.map(|row| format!("the checksum of {row} is wrong"))),
        false => Ok(None),
    }
}

/// A fault of the structure as SQLite tells it, which is over several lines, and begins with the database's name for it.
pub(super) fn structure_fault(fault: &str) -> String {
    let lines = fault.lines().filter(|line| !line.starts_with("***"));
    lines.collect::<Vec<_>>().join("; ")
}

/// What a database says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kin {
    /// A journal with this schema version; 0 is an empty database.
    Ours(usize),
    /// A journal of a newer version, with this schema version.
    Newer(usize),
    /// Of another program.
    Foreign,
}

/// What this database says it is.
pub(super) fn kin(connection: &Connection) -> rusqlite::Result<Kin> {
    let pragma = |name: &str| -> rusqlite::Result<i64> {
        connection.pragma_query_value(None, name, |row| row.get(0))
    };
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let is_empty = pragma("schema_version")? == 0;
    if application != APPLICATION_ID && !(application == 0 && is_empty) {
        return Ok(Kin::Foreign);
    }
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    Ok(match version > MIGRATIONS.len() {
        true => Kin::Newer(version),
        false => Kin::Ours(version),
    })
}

impl Kin {
    /// The schema version of a journal that this version knows; refuses any other database.
    pub(super) fn version(self, path: &Path) -> Result<usize, StoreError> {
        let what = match self {
            Self::Ours(version) => return Ok(version),
            Self::Foreign => {
                "is a database of another program; name another `state_dir`".to_owned()
            }
            Self::Newer(version) => ErrorCode::JournalNewer.mark(format!(
                "was written by a newer Mainstay: its schema is {version}, and this one knows up to {}; run the newer \
                 version, or name another `state_dir`",
                MIGRATIONS.len()
            )),
        };
        Err(sentence(path, Kind::Unreadable, what))
    }
}

/// The schema version of a file that is ours; refuses any other.
pub(super) fn recognise(connection: &Connection, path: &Path) -> Result<usize, StoreError> {
    kin(connection)
        .map_err(|error| not_legible(path, &error))?
        .version(path)
}
