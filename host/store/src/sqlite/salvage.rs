//! A new journal of what can still be read of a damaged one.
//!
//! Invariant: nothing is lost by it. The files that were found stay in the state directory, under names that say when
//! they were set aside; rows whose checksum is wrong are in the new journal too, in `set_aside`.
//! Invariant: the new journal is complete and synced before it takes the old one's name, and takes it as a whole; see
//! [`swap`].
//! Invariant: it is only said to be whole where it is known that nothing is missing.

mod old;
mod rows;

use super::{
    FILE_NAME, StateDirectory,
    check::check,
    directory,
    error::{not_salvaged, sentence, unfinished},
    files::{self, beside},
    mark::{self, Head, Marked},
    open::Kin,
    owner::Owner,
    private, schema,
    sums::TABLES,
    swap::{self, NEW, NEW_MARK, Workshop},
};
use crate::port::{StoreError, StoreErrorKind as Kind};
use mainstay_domain::time::Timestamp;
use old::Old;
use rows::{copy_audit, copy_set_aside, copy_table, count_usage, mark_open_calls};
use rusqlite::{Connection, OpenFlags};
use std::{
    fs::File,
    path::{Path, PathBuf},
};

/// What was saved, and what was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salvaged {
    /// The files that were found, under their new names.
    pub kept: Vec<PathBuf>,
    /// Each table, what earlier daemons had set aside as the table `set_aside`, and the audit log as `audit`.
    pub tables: Vec<SalvagedTable>,
    /// The first thing that is wrong with the structure of the file, where anything is: rows may be missing then that
    /// left no trace.
    pub fault: Option<String>,
    /// Transactions that could be read; 0 where their number could not.
    pub commits: u64,
    /// Transactions that were answered as durable, as far as the mark says; none where it says nothing.
    pub acknowledged: Option<u64>,
    /// Why it is not known that nothing is missing, sentences.
    pub doubts: Vec<String>,
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
    /// Whether everything that was acknowledged is there, for certain.
    pub fn is_whole(&self) -> bool {
        let is_whole = |table: &SalvagedTable| table.set_aside == 0 && table.gaps == 0;
        self.fault.is_none() && self.doubts.is_empty() && self.tables.iter().all(is_whole)
    }
}

/// Makes a new journal of what can be read in that of a state directory, which no daemon may be using.
///
/// # Errors
/// There is no journal, it is whole, of a newer version or of another program, a daemon uses it, or the new one cannot
/// be written. The old one is as it was then.
pub fn salvage(state_dir: &Path, now: Timestamp) -> Result<Salvaged, StoreError> {
    let path = state_dir.join(FILE_NAME);
    let lock = state_dir.join(directory::FILE_NAME);
    let was_locked_before = lock.exists();
    let _lock = StateDirectory::take(state_dir)?;
    files::refuse_odd(&path)?;
    let was_cut_off = swap::finish(&path).map_err(|error| unfinished(&path, &error))?;
    let owner = Owner::of(&path).map_err(|error| not_salvaged(&path, state_dir, &error))?;
    if !was_locked_before {
        owner
            .give(&lock)
            .map_err(|error| not_salvaged(&path, &lock, &error))?;
    }
    let of_a_journal = [path.clone(), beside(&path, "-wal"), mark::path(&path)];
    if !of_a_journal.iter().any(|file| file.exists()) {
        return Err(files::none_there(&path));
    }
    if check(state_dir).is_ok_and(|report| report.is_whole()) {
        let what = match was_cut_off {
            true => "is whole: an earlier salvage was cut off, and is finished now",
            false => "is whole: there is nothing to salvage, and nothing was changed",
        };
        return Err(sentence(&path, Kind::Unreadable, what));
    }
    let workshop = Workshop::make(&path, owner)
        .map_err(|error| not_salvaged(&path, &path.with_file_name("journal.salvage"), &error))?;
    let made = make(&path, &workshop).and_then(|mut salvaged| {
        salvaged.kept = workshop
            .declare_ready(now)
            .map_err(|error| not_salvaged(&path, &workshop.file(""), &error))?;
        Ok(salvaged)
    });
    // What is not ready is thrown away.
    let swapped = swap::finish(&path);
    let salvaged = made?;
    swapped.map_err(|error| unfinished(&path, &error))?;
    Ok(salvaged)
}

/// Makes the new database and the new mark in the workshop, of what can be read.
fn make(path: &Path, workshop: &Workshop) -> Result<Salvaged, StoreError> {
    let mark = mark::path(path);
    let mut doubts = Vec::new();
    let marked = match mark::read(&mark) {
        Ok(Marked::Upto(head)) => Some(head),
        Ok(Marked::Nothing) => {
            doubts.push(format!("{} is not there", mark.display()));
            None
        }
        Ok(Marked::Damaged) => {
            doubts.push(format!("{} is damaged", mark.display()));
            None
        }
        Err(error) => {
            doubts.push(format!("{} cannot be read: {error}", mark.display()));
            None
        }
    };
    let old = Old::read(path, workshop, marked.as_ref())?;
    let new = workshop.file(NEW);
    let failed = |error: rusqlite::Error| not_salvaged(path, &new, &error);
    private::make_file(&new).map_err(|error| not_salvaged(path, &new, &error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut to = Connection::open_with_flags(&new, flags).map_err(failed)?;
    schema::configure(&to).map_err(failed)?;
    schema::migrate(&mut to, 0).map_err(failed)?;
    refuse_others(path, &old, &to)?;

    let transaction = to.transaction().map_err(failed)?;
    let mut tables = Vec::new();
    let aside = copy_set_aside(&old.connection, &transaction, old.has_sums).map_err(failed)?;
    for summed in TABLES {
        // Of what its version did not have nothing is missing.
        let is_new = summed.since > 1 && !old.has_table(summed.table);
        if summed.table != "plugin_usage" && !is_new {
            let copied = copy_table(&old.connection, &transaction, summed, old.has_sums);
            tables.push(copied.map_err(failed)?);
        }
    }
    tables.push(aside);
    tables.push(copy_audit(&old.connection, &transaction).map_err(failed)?);
    if tables.iter().all(|table| table.rows == 0) {
        let what = "cannot be salvaged: nothing of it can be read, and it was left as it is; restore the journal from a \
                    copy, or move journal.* in its directory away to start with an empty history";
        return Err(sentence(path, Kind::Unreadable, what));
    }
    let gaps = |table: &SalvagedTable| matches!(table.table, "effects" | "calls") && table.gaps > 0;
    if tables.iter().any(gaps) {
        mark_open_calls(&transaction).map_err(failed)?;
    }
    count_usage(&transaction).map_err(failed)?;
    let fresh = schema::head(&transaction).map_err(failed)?;
    doubts.extend(doubt(&mark, old.head.as_ref(), marked.as_ref()));
    if old.damaged_pages > 0 {
        doubts.push(format!(
            "{} pages of {} are not what was written, and which pages they were is not certain",
            old.damaged_pages,
            beside(path, "-wal").display()
        ));
    }
    let commits = old.head.as_ref().map_or(0, |head| head.number);
    let head = next_head(fresh, old.head, marked.as_ref());
    transaction
        .execute(
            "UPDATE head SET id = ?1, number = ?2",
            (&head.id, i64::try_from(head.number).unwrap_or(i64::MAX)),
        )
        .map_err(failed)?;
    // No daemon to come has a lower number than what it reads.
    transaction
        .execute_batch(
            "UPDATE head SET fencing = (SELECT coalesce(max(json_extract(record, '$.fencing')), 0) FROM effects
                 WHERE json_valid(record))",
        )
        .map_err(failed)?;
    transaction.commit().map_err(failed)?;
    to.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .map_err(failed)?;
    to.close().map_err(|(_, error)| failed(error))?;
    File::open(&new)
        .and_then(|file| file.sync_all())
        .and_then(|()| mark::make(&workshop.file(NEW_MARK), &head))
        .map_err(|error| not_salvaged(path, &new, &error))?;
    Ok(Salvaged {
        kept: Vec::new(),
        tables,
        fault: old.fault,
        commits,
        acknowledged: marked.map(|head| head.number),
        doubts,
    })
}

/// Refuses what is legible and not a journal that this version knows, with the words of who runs on it. Where only the
/// header says so, and the tables are those that this version makes, the header is what is damaged.
fn refuse_others(path: &Path, old: &Old, new: &Connection) -> Result<(), StoreError> {
    let Some(kin @ (Kin::Foreign | Kin::Newer(_))) = old.kin else {
        return Ok(());
    };
    let is_other = match (Old::schema_of(&old.connection), Old::schema_of(new)) {
        (Ok(found), Ok(own)) => found != own,
        _ => false,
    };
    match is_other {
        true => kin.version(path).map(drop),
        false => Ok(()),
    }
}

/// Which journal the new one is, and how far: not less than was acknowledged, for the next mark goes on from there.
fn next_head(fresh: Head, found: Option<Head>, marked: Option<&Head>) -> Head {
    let mut head = match (found, marked) {
        (Some(found), _) => found,
        (None, Some(marked)) => marked.clone(),
        (None, None) => fresh,
    };
    if let Some(marked) = marked.filter(|marked| marked.id == head.id) {
        head.number = head.number.max(marked.number);
    }
    head
}

/// Why it cannot be said that what was found is all that a legible mark says.
fn doubt(mark: &Path, found: Option<&Head>, marked: Option<&Head>) -> Option<String> {
    match (found, marked) {
        (None, _) => Some("how many transactions it holds cannot be read".to_owned()),
        (Some(found), Some(marked)) if found.id != marked.id => {
            Some(format!("{} is of another journal", mark.display()))
        }
        (Some(found), Some(marked)) if found.number < marked.number => Some(format!(
            "{} transactions were acknowledged, and {} could be read",
            marked.number, found.number
        )),
        (Some(_), _) => None,
    }
}
