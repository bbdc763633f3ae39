//! The damaged database as well as it can be read: a copy with its write-ahead log in it and a header that is mended.
//!
//! Invariant: the files of the journal are only read.

use super::super::{
    error::not_salvaged,
    files::beside,
    mark::Head,
    open::{Kin, first_damage, kin, open_to_read},
    private, regular,
    schema::{self, MIGRATIONS, WITH_HEAD},
    swap::Workshop,
    wal::{self, PAGE, Pages},
};
use crate::port::StoreError;
use rusqlite::Connection;
use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// What there is of it.
#[derive(Debug)]
pub(super) struct Old {
    pub(super) connection: Connection,
    /// What it says it is, where its header says anything.
    pub(super) kin: Option<Kin>,
    /// How far it is.
    pub(super) head: Option<Head>,
    /// Whether its rows have checksums.
    pub(super) has_sums: bool,
    /// The first thing that is wrong with its structure.
    pub(super) fault: Option<String>,
    /// Pages of its write-ahead log that are not what was written.
    pub(super) damaged_pages: u64,
}

impl Old {
    /// Reads the journal at this path: with its log and without, where that could belong to another database, and takes
    /// what fits the mark, else what has taken more commits.
    pub(super) fn read(
        path: &Path,
        workshop: &Workshop,
        marked: Option<&Head>,
    ) -> Result<Self, StoreError> {
        let log = beside(path, "-wal");
        let found = match regular::read(&log) {
            Ok(log) => wal::pages(&log),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Pages::default(),
            Err(error) => return Err(not_salvaged(path, &log, &error)),
        };
        let without = Self::with(path, workshop, "old.db", None)?;
        if found.commits == 0 {
            return Ok(without);
        }
        let with = Self::with(path, workshop, "old-with-log.db", Some(&found))?;
        Ok(match with.rank(marked) >= without.rank(marked) {
            true => with,
            false => without,
        })
    }

    fn with(
        path: &Path,
        workshop: &Workshop,
        name: &str,
        log: Option<&Pages>,
    ) -> Result<Self, StoreError> {
        let file = workshop.file(name);
        let has_header =
            prepare(path, &file, log).map_err(|error| not_salvaged(path, &file, &error))?;
        let connection = open_to_read(&file).map_err(|error| not_salvaged(path, &file, &error))?;
        let has_sums = has_sums(&connection);
        let head = match has_sums {
            true => schema::head(&connection).ok(),
            false => None,
        };
        Ok(Self {
            kin: has_header.then(|| kin(&connection).ok()).flatten(),
            head,
            has_sums,
            fault: first_damage(&connection, 0).unwrap_or_else(|error| Some(error.to_string())),
            damaged_pages: log.map_or(0, |log| log.damaged),
            connection,
        })
    }

    /// Greater for what is more likely to be all of the journal.
    fn rank(&self, marked: Option<&Head>) -> (bool, bool, u64) {
        let number = self.head.as_ref().map_or(0, |head| head.number);
        let is_same = match (&self.head, marked) {
            (Some(head), Some(marked)) => head.id == marked.id,
            _ => false,
        };
        let has_all = is_same && marked.is_some_and(|marked| number >= marked.number);
        (has_all, is_same, number)
    }

    /// Whether it has this table, as far as that can be read.
    pub(super) fn has_table(&self, table: &str) -> bool {
        let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1";
        let found = self.connection.query_row(sql, [table], |_| Ok(()));
        !matches!(found, Err(rusqlite::Error::QueryReturnedNoRows))
    }

    /// The tables and indices of a database, as they were made.
    pub(super) fn schema_of(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
        let sql = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name";
        let mut statement = connection.prepare(sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    }
}

/// Makes the copy; whether it had the header of a database of SQLite.
fn prepare(path: &Path, copy: &Path, log: Option<&Pages>) -> io::Result<bool> {
    let mut file = private::files()
        .read(true)
        .write(true)
        .create_new(true)
        .open(copy)?;
    match regular::open(path) {
        Ok(mut old) => io::copy(&mut old, &mut file).map(drop)?,
        // What was written since the last checkpoint may still be in the log.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    if let Some(log) = log {
        replay(&file, log)?;
    }
    let mut magic = [0; MAGIC.len()];
    let has_header = file.read_exact_at(&mut magic, 0).is_ok() && magic == *MAGIC;
    mend_header(&file)?;
    Ok(has_header)
}

/// Writes what a write-ahead log holds into a copy of its database.
fn replay(database: &File, found: &Pages) -> io::Result<()> {
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
    database.write_all_at(MAGIC, 0)?;
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
fn has_sums(connection: &Connection) -> bool {
    connection
        .query_row(
            "SELECT 1 FROM sqlite_schema WHERE name = 'head'",
            [],
            |_| Ok(()),
        )
        .is_ok()
        || connection
            .pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
            .is_ok_and(|version| {
                let with_head = WITH_HEAD..=MIGRATIONS.len();
                usize::try_from(version).is_ok_and(|version| with_head.contains(&version))
            })
}
