//! The rows of the audit log: appended by the writer with the events that they are of, read, forgotten, and verified.
//!
//! Invariant: a row is written in the transaction of its event, and costs no fsync and the same work however many there
//! are: the last digest stands in `audit_head`.
//! Invariant: what is wrong with the log keeps no event from being written and no daemon from starting: it is named by who
//! verifies it, and recovery goes on.
//! Invariant: rows go by retention alone, from the beginning on, and what is left begins with the digest of the last one that
//! went.

mod verify;

pub use verify::{AuditReport, verify};

use super::{columns::to_json, rows::readable};
use crate::port::AuditFilter;
use mainstay_domain::{
    audit::{self, AuditContext, AuditHead, AuditRow},
    event::Event,
    time::Timestamp,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// So many of the newest rows stay, whatever a clock says.
const KEPT: u32 = 100;
/// So many of the oldest are looked at, and may go, at a time.
const BATCH: u32 = 20_000;

/// The last row that is too old where all before it are too. One that a clock which was ahead gave its time is in nobody's
/// way. Times of records are written in one length, so they compare as texts do.
const OLD: &str = "
    WITH front AS MATERIALIZED (
        SELECT number, CASE WHEN json_valid(record) THEN json_extract(record, '$.at') END AS at FROM audit
        WHERE number <= (SELECT max(number) FROM audit) - ?2 ORDER BY number LIMIT ?3),
    newest AS MATERIALIZED (
        SELECT CASE WHEN json_valid(record) THEN json_extract(record, '$.at') END AS at
        FROM audit ORDER BY number DESC LIMIT 1)
    SELECT number, digest FROM audit
    WHERE number <= (SELECT coalesce(
        (SELECT min(number) FROM front WHERE NOT (at < ?1 OR at > (SELECT at FROM newest))) - 1,
        max(number)) FROM front)
    ORDER BY number DESC LIMIT 1";

/// Appends the row of an event that was appended just now, where it has one.
pub(super) fn append(connection: &Connection, event: &Event) -> rusqlite::Result<()> {
    if !audit::is_audited(event.kind) {
        return Ok(());
    }
    let (head, context) = head(connection)?.unwrap_or_default();
    let Some(record) = audit::record_of(event, &context) else {
        return Ok(());
    };
    let record = to_json(&record)?;
    let last: Option<i64> = connection
        .prepare_cached("SELECT max(number) FROM audit")?
        .query_row([], |row| row.get(0))?;
    // Somebody may have added rows, or taken some away: neither is in the way of what comes.
    let last = last.map_or(0, |last| u64::try_from(last).unwrap_or_default());
    let number = last.max(head.number).saturating_add(1);
    let digest = audit::digest(&head.digest, number, &record);
    let column = i64::try_from(number).unwrap_or(i64::MAX);
    connection
        .prepare_cached("INSERT INTO audit (number, record, digest) VALUES (?1, ?2, ?3)")?
        .execute(params![column, record, digest])?;
    connection
        .prepare_cached(
            "INSERT INTO audit_head (one, forgotten, anchor, number, digest, since, phase, charter)
                 VALUES (1, 0, '', ?1, ?2, (SELECT coalesce(max(seq), 0) FROM events), '', '')
             ON CONFLICT (one) DO UPDATE SET number = excluded.number, digest = excluded.digest",
        )?
        .execute(params![column, digest])
        .map(drop)
}

/// From here on rows say that this holds.
pub(super) fn set_context(connection: &Connection, context: &AuditContext) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO audit_head (one, forgotten, anchor, number, digest, since, phase, charter)
                 VALUES (1, 0, '', 0, '', (SELECT coalesce(max(seq), 0) FROM events), ?1, ?2)
             ON CONFLICT (one) DO UPDATE SET phase = excluded.phase, charter = excluded.charter",
        )?
        .execute(params![context.phase, context.charter])
        .map(drop)
}

/// Removes the rows from before then that no younger one stands before.
pub(super) fn forget(connection: &Connection, before: Timestamp) -> rusqlite::Result<()> {
    let last = connection
        .prepare_cached(OLD)?
        .query_row(params![before.to_string(), KEPT, BATCH], |row| {
            Ok((row.get::<_, i64>(0)?, text(row, 1)?))
        })
        .optional()?;
    let Some((number, digest)) = last else {
        return Ok(());
    };
    connection
        .prepare_cached("UPDATE audit_head SET forgotten = ?1, anchor = ?2")?
        .execute(params![number, digest])?;
    connection
        .prepare_cached("DELETE FROM audit WHERE number <= ?1")?
        .execute([number])
        .map(drop)
}

/// Where the log begins and ends, and what holds; none where somebody took that away.
fn head(connection: &Connection) -> rusqlite::Result<Option<(AuditHead, AuditContext)>> {
    connection
        .prepare_cached(
            "SELECT forgotten, anchor, number, digest, phase, charter FROM audit_head WHERE one = 1",
        )?
        .query_row([], |row| {
            let head = AuditHead {
                forgotten: count(row, 0)?,
                anchor: text(row, 1)?,
                number: count(row, 2)?,
                digest: text(row, 3)?,
            };
            let context = AuditContext {
                phase: text(row, 4)?,
                charter: text(row, 5)?,
            };
            Ok((head, context))
        })
        .optional()
}

/// Rows that are asked for, newest first.
pub(super) fn rows(
    connection: &Connection,
    filter: &AuditFilter,
) -> rusqlite::Result<Vec<AuditRow>> {
    let before = filter
        .before
        .map(|before| i64::try_from(before).unwrap_or(i64::MAX));
    let target = filter.target.as_ref().map(ToString::to_string);
    let since = filter.since.map(|since| since.to_string());
    let mut statement = connection.prepare_cached(
        "SELECT number, digest, record FROM audit
         WHERE number < coalesce(?1, 9223372036854775807)
             AND (?2 IS NULL AND ?3 IS NULL OR CASE WHEN json_valid(record) THEN
                 (?2 IS NULL OR json_extract(record, '$.target') = ?2)
                 AND (?3 IS NULL OR json_extract(record, '$.at') >= ?3)
             END)
         ORDER BY number DESC LIMIT ?4",
    )?;
    let read = statement.query_map(params![before, target, since, filter.limit], |row| {
        Ok(AuditRow {
            number: count(row, 0)?,
            digest: text(row, 1)?,
            record: super::rows::record(row, 2)?,
        })
    })?;
    readable(read)
}

/// A column that holds a number.
fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or_default())
}

/// A column that holds a text, also where its bytes are none any more: it is another one then.
fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    let bytes = row.get_ref(column)?.as_bytes()?;
    Ok(String::from_utf8_lossy(bytes).into_owned())
}
