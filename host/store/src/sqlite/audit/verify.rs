//! Goes through the audit log of a journal, also of one that a daemon is writing, and names what is not as it was written.
//!
//! Invariant: nothing is changed.

use super::super::{
    FILE_NAME,
    error::{explain, sentence},
    files::{self, length},
    open::recognise,
    schema::WITH_AUDIT,
    source::Source,
};
use super::{count, head, text};
use crate::port::{StoreError, StoreErrorKind as Kind};
use mainstay_domain::{
    audit::{AuditFault, AuditRecord, Chain, is_audited},
    event::EventKind,
};
use rusqlite::{Connection, OptionalExtension};
use std::path::{Path, PathBuf};

/// So many faults are named.
const NAMED: usize = 20;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditReport {
    /// The file.
    pub path: PathBuf,
    /// Rows that are there.
    pub rows: u64,
    /// The last row that is forgotten, with all before it, for it was older than what is kept; 0 where none is.
    pub forgotten: u64,
    /// The last row that was written.
    pub last: u64,
    /// Its digest: whoever keeps it somewhere else can tell later that nothing up to that row is another one.
    pub digest: String,
    /// How much is wrong.
    pub faults: u64,
    /// The first of it, sentences.
    pub named: Vec<String>,
}

impl AuditReport {
    /// Whether every row is as it was written, and none is missing.
    pub fn is_whole(&self) -> bool {
        self.faults == 0
    }

    fn add(&mut self, fault: Option<AuditFault>, record: &str) {
        let Some(fault) = fault else {
            return;
        };
        self.faults += 1;
        if self.named.len() < NAMED {
            let is_there = matches!(fault, AuditFault::Altered(_) | AuditFault::Added(_));
            let says = serde_json::from_str::<AuditRecord>(record).ok();
            self.named.push(match says.filter(|_| is_there) {
                Some(says) => format!("{fault}; it says: {} {}", says.kind, says.at),
                None => fault.to_string(),
            });
        }
    }
}

/// Verifies the audit log in the journal of a state directory.
///
/// # Errors
/// There is no journal, it is of a version that kept no audit log, or it cannot be read.
pub fn verify(state_dir: &Path) -> Result<AuditReport, StoreError> {
    let path = state_dir.join(FILE_NAME);
    files::refuse_odd(&path)?;
    if length(&path) == 0 {
        return Err(files::none_there(&path));
    }
    let source = Source::open(&path)?;
    let explained = |error: rusqlite::Error| explain(&path, &error);
    // One moment of the database.
    let snapshot = source
        .connection
        .unchecked_transaction()
        .map_err(explained)?;
    if recognise(&snapshot, &path)? < WITH_AUDIT {
        let what =
            "is of a version that kept no audit log; the next start of this version begins one";
        return Err(sentence(&path, Kind::Unreadable, what));
    }
    look(&snapshot, &path).map_err(explained)
}

fn look(connection: &Connection, path: &Path) -> rusqlite::Result<AuditReport> {
    let found = head(connection)?;
    let (head, _) = found.clone().unwrap_or_default();
    let mut report = AuditReport {
        path: path.to_owned(),
        rows: 0,
        forgotten: head.forgotten,
        last: head.number,
        digest: head.digest.clone(),
        faults: 0,
        named: Vec::new(),
    };
    if found.is_none() {
        report.faults += 1;
        let what = "where the log begins and ends is not written any more";
        report.named.push(what.to_owned());
    }
    let mut chain = Chain::before(&head);
    let mut told = since(connection)?;
    let mut statement =
        connection.prepare("SELECT number, digest, record FROM audit ORDER BY number")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (digest, record) = (text(row, 1)?, text(row, 2)?);
        report.rows += 1;
        let fault = chain.pass(count(row, 0)?, &record, &digest);
        report.add(fault, &record);
        if let Ok(record) = serde_json::from_str::<AuditRecord>(&record) {
            told = told.max(record.seq);
        }
    }
    report.add(chain.end(&head), "");
    let unrecorded = first_unrecorded(connection, told)?;
    report.add(unrecorded.map(|event| AuditFault::Unrecorded { event }), "");
    Ok(report)
}

/// The last event before there was a log.
fn since(connection: &Connection) -> rusqlite::Result<u64> {
    let since = connection
        .prepare("SELECT since FROM audit_head WHERE one = 1")?
        .query_row([], |row| count(row, 0));
    Ok(since.optional()?.unwrap_or_default())
}

/// The first event after this one that should have a row. Events and rows are two tables: who cuts off the end of one has to
/// know of the other.
fn first_unrecorded(connection: &Connection, after: u64) -> rusqlite::Result<Option<u64>> {
    let mut statement = connection.prepare(
        "SELECT seq, CASE WHEN json_valid(record) THEN json_extract(record, '$.kind') END
         FROM events WHERE seq > ?1 ORDER BY seq",
    )?;
    let mut rows = statement.query([i64::try_from(after).unwrap_or(i64::MAX)])?;
    while let Some(row) = rows.next()? {
        let Some(kind) = row.get_ref(1)?.as_str_or_null().ok().flatten() else {
            continue;
        };
        let mut known = EventKind::ALL.iter();
        let is_audited = known.any(|known| known.as_str() == kind && is_audited(*known));
        if is_audited {
            return count(row, 0).map(Some);
        }
    }
    Ok(None)
}
