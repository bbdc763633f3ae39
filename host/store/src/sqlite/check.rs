//! Looks through a journal, also one that a daemon is writing: its structure, each row's checksum, each record.
//!
//! Invariant: nothing is changed.

use super::{
    FILE_NAME,
    error::{explain, sentence},
    files::{none_there, refuse_odd},
    mark::{self, Marked},
    open::{recognise, refuse_missing, structure_fault, unlike},
    schema::{self, WITH_HEAD},
    source::Source,
    sums::{Summed, shown},
    swap,
};
use crate::port::{StoreError, StoreErrorKind as Kind};
use mainstay_domain::{
    alert::OutboxEntry,
    backup::BackupRecord,
    call_record::CallRecord,
    event::Event,
    incident::Incident,
    operation::Operation,
    record::{EffectEntry, ProcessIdentity},
};
use rusqlite::{Connection, types::Value};
use serde::de::{DeserializeOwned, IgnoredAny};
use std::{
    io,
    path::{Path, PathBuf},
};

/// So many damaged or unreadable rows of a table are named.
const NAMED: usize = 20;
/// So many faults of the structure are named.
const FAULTS: u32 = 100;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalReport {
    /// The file.
    pub path: PathBuf,
    /// Its size, without its write-ahead log.
    pub bytes: u64,
    /// Transactions that it holds since it was made; none in one of a version before they were counted.
    pub commits: Option<u64>,
    /// Transactions that were answered as durable, as far as the mark beside it says.
    pub acknowledged: Option<u64>,
    /// Each table.
    pub tables: Vec<TableReport>,
    /// What is wrong with the file as a whole, sentences.
    pub faults: Vec<String>,
}

/// What was found in one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableReport {
    /// Its name.
    pub table: &'static str,
    /// Its rows.
    pub rows: u64,
    /// How many of them are not what was written.
    pub damaged: u64,
    /// How many of them are whole, and hold a record that this version cannot read.
    pub unreadable: u64,
    /// The first of these, each with why.
    pub named: Vec<String>,
}

impl JournalReport {
    /// Whether nothing is damaged or missing. A record that this version cannot read is what was written.
    pub fn is_whole(&self) -> bool {
        self.faults.is_empty() && self.tables.iter().all(|table| table.damaged == 0)
    }

    /// How many records this version cannot read.
    pub fn unreadable(&self) -> u64 {
        self.tables.iter().map(|table| table.unreadable).sum()
    }
}

/// Looks through the journal of a state directory.
///
/// # Errors
/// There is none, a file of it is no regular file, or it cannot be opened for a reason that is not its content.
pub fn check(state_dir: &Path) -> Result<JournalReport, StoreError> {
    let path = state_dir.join(FILE_NAME);
    refuse_odd(&path)?;
    let mark = mark::path(&path);
    // Before the database, which may go on meanwhile.
    let (marked, unread) = match mark::read(&mark) {
        Ok(Marked::Damaged) => (Marked::Damaged, Some("is damaged".to_owned())),
        Ok(marked) => (marked, None),
        Err(error) => (Marked::Damaged, Some(format!("cannot be read: {error}"))),
    };
    let bytes = match path.metadata() {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => {
            let what = format!("cannot be looked at: {error}");
            return Err(sentence(&path, Kind::Unavailable, what));
        }
    };
    let mut report = JournalReport {
        path: path.clone(),
        bytes,
        commits: None,
        acknowledged: match &marked {
            Marked::Upto(head) => Some(head.number),
            Marked::Nothing | Marked::Damaged => None,
        },
        tables: Vec::new(),
        faults: Vec::new(),
    };
    if let Some(how) = unread {
        let what = "so how much was acknowledged is not known";
        report
            .faults
            .push(format!("{} {how}, {what}", mark.display()));
    }
    if swap::is_ready(&path) {
        let fault = "a salvage of it was cut off; the next start finishes it";
        report.faults.push(fault.to_owned());
    }
    if bytes == 0 {
        if let Err(missing) = refuse_missing(&path, &marked) {
            report.faults.push(missing.to_string());
        }
        return match report.faults.is_empty() {
            true => Err(none_there(&path)),
            false => Ok(report),
        };
    }
    let looked =
        Source::open(&path).and_then(|source| look(&source.connection, &marked, &mut report));
    if let Err(error) = looked {
        match error.is_retryable() {
            true => return Err(error),
            false => report.faults.push(error.to_string()),
        }
    }
    Ok(report)
}

fn look(
    connection: &Connection,
    marked: &Marked,
    report: &mut JournalReport,
) -> Result<(), StoreError> {
    let path = report.path.clone();
    let explained = |error: rusqlite::Error| explain(&path, &error);
    // One moment of the database.
    let snapshot = connection.unchecked_transaction().map_err(explained)?;
    let version = recognise(&snapshot, &path)?;
    let has_sums = version >= WITH_HEAD;
    let head = schema::head_of(&snapshot, version).map_err(explained)?;
    report.faults.extend(unlike(&path, head.as_ref(), marked));
    report.commits = head.map(|head| head.number);
    let structure = snapshot
        .prepare(&format!("PRAGMA integrity_check({FAULTS})"))
        .and_then(|mut statement| {
            let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
            lines.collect::<rusqlite::Result<Vec<String>>>()
        });
    match structure {
        Ok(lines) => report.faults.extend(
            lines
                .iter()
                .filter(|line| *line != "ok")
                .map(|line| structure_fault(line)),
        ),
        Err(error) => report.faults.push(error.to_string()),
    }
    // A database without tables has none that could be read.
    for summed in Summed::of_version(version) {
        match table(&snapshot, summed, has_sums) {
            Ok(found) => report.tables.push(found),
            Err(error) => report
                .faults
                .push(format!("{} cannot be read whole: {error}", summed.table)),
        }
    }
    Ok(())
}

fn table(connection: &Connection, summed: Summed, has_sums: bool) -> rusqlite::Result<TableReport> {
    let Summed {
        table,
        columns,
        key,
        ..
    } = summed;
    let is_damaged = summed.is_wrong(has_sums);
    let last = columns.rsplit(", ").next().unwrap_or(columns);
    let mut report = TableReport {
        table,
        rows: 0,
        damaged: 0,
        unreadable: 0,
        named: Vec::new(),
    };
    let mut statement =
        connection.prepare(&format!("SELECT {is_damaged}, {key}, {last} FROM {table}"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        report.rows += 1;
        let is_damaged: bool = row.get(0)?;
        let why = if is_damaged {
            report.damaged += 1;
            "its checksum is wrong".to_owned()
        } else {
            let record = row.get_ref(2)?;
            match last {
                "record" => match parse(table, record.as_bytes().unwrap_or_default()) {
                    Ok(()) => continue,
                    Err(error) => {
                        report.unreadable += 1;
                        error.to_string()
                    }
                },
                _ => continue,
            }
        };
        if report.named.len() < NAMED {
            let name: Value = row.get(1)?;
            report.named.push(format!("{}: {why}", shown(&name)));
        }
    }
    Ok(report)
}

/// Whether this version can read a record.
fn parse(table: &str, record: &[u8]) -> serde_json::Result<()> {
    fn read<T: DeserializeOwned>(record: &[u8]) -> serde_json::Result<()> {
        serde_json::from_slice::<T>(record).map(drop)
    }
    match table {
        "events" => read::<Event>(record),
        "incidents" => read::<Incident>(record),
        "operations" => read::<Operation>(record),
        "effects" => read::<EffectEntry>(record),
        "calls" => read::<CallRecord>(record),
        "outbox" => read::<OutboxEntry>(record),
        "backups" => read::<BackupRecord>(record),
        "processes" => read::<ProcessIdentity>(record),
        _ => read::<IgnoredAny>(record),
    }
}
