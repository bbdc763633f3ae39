//! A new journal of what can still be read of a damaged one.
//!
//! Invariant: nothing is lost by it. The files that were found stay in the state directory, under names that say when
//! they were set aside; rows whose checksum is wrong are in the new journal too, in `set_aside`.
//! Invariant: the new journal is complete and synced before it takes the old one's name.

mod rows;

use super::{
    FILE_NAME, StateDirectory,
    check::check,
    error::{explain, sentence},
    mark::{self, Head, Mark, Marked},
    open::{beside, first_damage, open_to_read},
    private,
    schema::{self, WITH_HEAD},
    sums::TABLES,
    wal::{self, PAGE},
};
use crate::port::{StoreError, StoreErrorKind as Kind};
use mainstay_domain::time::Timestamp;
use rows::{copy_table, count_usage};
use rusqlite::{Connection, OpenFlags};
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// Where the new journal is made.
const WORKSHOP: &str = "journal.salvage";

/// What was saved, and what was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salvaged {
    /// The files that were found, under their new names.
    pub kept: Vec<PathBuf>,
    /// Each table.
    pub tables: Vec<SalvagedTable>,
    /// The first thing that is wrong with the structure of the file, where anything is: rows may be missing then that
    /// left no trace.
    pub fault: Option<String>,
    /// Transactions that could be read.
    pub commits: u64,
    /// Transactions that were answered as durable, as far as the mark says; 0 where it says nothing.
    pub acknowledged: u64,
}

/// What was saved of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SalvagedTable {
    /// Its name.
    pub table: &'static str,
    /// Rows in the new journal.
    pub rows: u64,
    /// Rows that are not what was written, and were set aside.
    pub set_aside: u64,
    /// Places where rows could not be read at all; each is one row or many.
    pub gaps: u64,
}

impl Salvaged {
    /// Whether everything that was acknowledged is there.
    pub fn is_whole(&self) -> bool {
        let is_whole = |table: &SalvagedTable| table.set_aside == 0 && table.gaps == 0;
        self.fault.is_none()
            && self.commits >= self.acknowledged
            && self.tables.iter().all(is_whole)
    }
}

/// Makes a new journal of what can be read in that of a state directory, which no daemon may be using.
///
/// # Errors
/// There is no journal, a daemon uses it, or the new one cannot be written. The old one is as it was then.
pub fn salvage(state_dir: &Path, now: Timestamp) -> Result<Salvaged, StoreError> {
    let path = state_dir.join(FILE_NAME);
    let _ours = StateDirectory::take(state_dir)?;
    let failed = |error: io::Error| {
        sentence(
            &path,
            Kind::Unavailable,
            format!("cannot be salvaged: {error}"),
        )
    };
    if check(state_dir).is_ok_and(|report| report.is_whole()) {
        let what = "is whole: there is nothing to salvage, and nothing was changed";
        return Err(sentence(&path, Kind::Unreadable, what));
    }
    let workshop = state_dir.join(WORKSHOP);
    let _ = fs::remove_dir_all(&workshop);
    private::directories().create(&workshop).map_err(failed)?;
    let made = make(&path, &workshop);
    let result = made.and_then(|(mut salvaged, head)| {
        salvaged.kept = put_in_place(&path, &workshop, now).map_err(failed)?;
        Mark::new(mark::path(&path)).set(&head);
        Ok(salvaged)
    });
    let _ = fs::remove_dir_all(&workshop);
    result
}

/// Reads what can be read into `new.db` of the workshop.
fn make(path: &Path, workshop: &Path) -> Result<(Salvaged, Head), StoreError> {
    let failed = |error: io::Error| {
        sentence(
            path,
            Kind::Unavailable,
            format!("cannot be salvaged: {error}"),
        )
    };
    let explained = |error: rusqlite::Error| explain(path, &error);
    let old = workshop.join("old.db");
    private::make_file(&old).map_err(failed)?;
    match fs::copy(path, &old) {
        // What was written since the last checkpoint may still be in the log.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        copied => drop(copied.map_err(failed)?),
    }
    let file = OpenOptions::new().write(true).open(&old).map_err(failed)?;
    replay(&file, &beside(path, "-wal")).map_err(failed)?;
    mend_header(&file).map_err(failed)?;
    let from = open_to_read(&old).map_err(explained)?;
    let fault = match first_damage(&from, 0) {
        Ok(fault) => fault,
        Err(error) => Some(error.to_string()),
    };

    let new = workshop.join("new.db");
    private::make_file(&new).map_err(failed)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut to = Connection::open_with_flags(&new, flags).map_err(explained)?;
    schema::configure(&to).map_err(explained)?;
    schema::migrate(&mut to, 0).map_err(explained)?;

    let has_sums = schema_has_sums(&from);
    let marked = mark::read(&mark::path(path)).unwrap_or(Marked::Damaged);
    let found = match has_sums {
        true => schema::head(&from).ok(),
        false => None,
    };
    let acknowledged = match &marked {
        Marked::Upto(head) => head.number,
        Marked::Nothing | Marked::Damaged => 0,
    };
    let transaction = to.transaction().map_err(explained)?;
    let mut tables = Vec::new();
    for summed in TABLES {
        if summed.table != "plugin_usage" {
            tables.push(copy_table(&from, &transaction, summed, has_sums).map_err(explained)?);
        }
    }
    if tables.iter().all(|table| table.rows == 0) {
        let what = "cannot be salvaged: nothing of it can be read, and it was left as it is; restore the journal from a \
                    copy, or move journal.* in its directory away to start with an empty history";
        return Err(sentence(path, Kind::Unreadable, what));
    }
    count_usage(&transaction).map_err(explained)?;
    let fresh = schema::head(&transaction).map_err(explained)?;
    let commits = found.as_ref().map_or(acknowledged, |head| head.number);
    let head = Head {
        id: found.map_or(fresh.id, |head| head.id),
        number: commits.max(acknowledged),
    };
    transaction
        .execute(
            "UPDATE head SET id = ?1, number = ?2",
            (&head.id, i64::try_from(head.number).unwrap_or(i64::MAX)),
        )
        .map_err(explained)?;
    transaction.commit().map_err(explained)?;
    to.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .map_err(explained)?;
    to.close().map_err(|(_, error)| explain(path, &error))?;
    File::open(&new)
        .and_then(|file| file.sync_all())
        .map_err(failed)?;
    let salvaged = Salvaged {
        kept: Vec::new(),
        tables,
        fault,
        commits,
        acknowledged,
    };
    Ok((salvaged, head))
}

/// Writes what a write-ahead log holds into a copy of its database.
fn replay(database: &File, log: &Path) -> io::Result<()> {
    let log = match fs::read(log) {
        Ok(log) => log,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let found = wal::pages(&log);
    for (page, content) in &found.pages {
        database.write_all_at(content, u64::from(page - 1) * PAGE as u64)?;
    }
    match found.size {
        0 => Ok(()),
        size => database.set_len(u64::from(size) * PAGE as u64),
    }
}

/// Sets what is the same in the header of every journal, so that a damaged one does not hide the rest. Without a log
/// the copy is read as a plain file. See <https://www.sqlite.org/fileformat2.html#the_database_header>.
fn mend_header(database: &File) -> io::Result<()> {
    let page_size = u16::try_from(PAGE).unwrap_or_default().to_be_bytes();
    database.write_all_at(b"SQLite format 3\0", 0)?;
    database.write_all_at(&page_size, 16)?;
    // Formats 1 (no log), no reserved bytes, and the three fractions, which have one value.
    database.write_all_at(&[1, 1, 0, 64, 32, 32], 18)?;
    // The schema format, and UTF-8.
    database.write_all_at(&4_u32.to_be_bytes(), 44)?;
    database.write_all_at(&1_u32.to_be_bytes(), 56)?;
    // A size in the header that is not that of the file is not believed where these differ.
    let pages = u32::try_from(database.metadata()?.len() / PAGE as u64).unwrap_or(u32::MAX);
    database.write_all_at(&pages.to_be_bytes(), 28)
}

/// Whether rows have sums, and there is a head. The version in the header may be what is damaged.
fn schema_has_sums(connection: &Connection) -> bool {
    connection
        .query_row(
            "SELECT 1 FROM sqlite_schema WHERE name = 'head'",
            [],
            |_| Ok(()),
        )
        .is_ok()
        || connection
            .pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
            .is_ok_and(|version| usize::try_from(version) == Ok(WITH_HEAD))
}

/// Gives the new journal the name, and the old files others; these.
fn put_in_place(path: &Path, workshop: &Path, now: Timestamp) -> io::Result<Vec<PathBuf>> {
    let stamp: String = now
        .to_string()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let mark = mark::path(path);
    let mut kept = Vec::new();
    let log = beside(path, "-wal");
    for file in [&mark, path, &log] {
        let aside = beside(file, &format!(".damaged-{stamp}"));
        if !file.exists() {
            continue;
        }
        // The log of the old must not lie beside the new; the other two are replaced.
        match file == log {
            true => fs::rename(file, &aside)?,
            false => copy_private(file, &aside)?,
        }
        kept.push(aside);
    }
    let _ = fs::remove_file(beside(path, "-shm"));
    fs::rename(workshop.join("new.db"), path)?;
    if let Some(directory) = path.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(kept)
}

fn copy_private(from: &Path, to: &Path) -> io::Result<()> {
    let mut target = private::files().write(true).create_new(true).open(to)?;
    io::copy(&mut File::open(from)?, &mut target)?;
    target.sync_all()
}
