//! How each change is written.
//!
//! Invariant: writing a change twice leaves what writing it once leaves, but for events, which are appended, and their rows
//! of the audit log.

use super::{
    audit,
    columns::{Millis, to_json, word},
    forget::forget,
};
use mainstay_domain::{
    alert::OpenAlerts,
    event::Event,
    incident::Incident,
    operation::Operation,
    policy::PolicyHistory,
    record::{Change, EffectEntry, EntryKind},
    silence::Silences,
};
use rusqlite::{Connection, params};
use std::sync::Arc;

const PUT_SLOT: &str =
    "INSERT INTO slots (job, backup_type, at, sum) VALUES (?1, ?2, ?3, row_sum(?1, ?2, ?3))
     ON CONFLICT DO UPDATE SET at = excluded.at, sum = excluded.sum";

/// Writes the changes; answers with the events among them, numbered. They stay with who holds them, for they are
/// written again where the transaction fails.
pub(super) fn apply(
    connection: &Connection,
    changes: &[Change],
) -> rusqlite::Result<Vec<Arc<Event>>> {
    let mut events = Vec::new();
    for change in changes {
        let execute = |sql: &str, parameters: &[&dyn rusqlite::ToSql]| {
            connection
                .prepare_cached(sql)?
                .execute(parameters)
                .map(drop)
        };
        match change {
            Change::Event(event) => events.push(Arc::new(append_event(connection, event)?)),
            Change::Incident(incident) => write_incident(connection, incident)?,
            Change::Operation(operation) => write_operation(connection, operation)?,
            Change::Effect(entry) => append_effect(connection, entry)?,
            Change::Call(record) => execute(
                "INSERT INTO calls (operation, call, ended, record, sum)
                 VALUES (?1, ?2, NULL, ?3, row_sum(?1, ?2, NULL, ?3))
                 ON CONFLICT (operation, call) DO UPDATE SET record = excluded.record,
                     sum = row_sum(operation, call, ended, excluded.record)",
                params![record.operation.to_string(), record.call, to_json(record)?],
            )?,
            Change::CallEnded(operation, call, end) => execute(
                "UPDATE calls SET ended = ?3, sum = row_sum(operation, call, ?3, record)
                 WHERE operation = ?1 AND call = ?2",
                params![operation.to_string(), call, to_json(end)?],
            )?,
            Change::Fencing(fencing) => {
                let fencing = i64::try_from(*fencing).unwrap_or(i64::MAX);
                execute("UPDATE head SET fencing = max(fencing, ?1)", params![fencing])?;
            }
            Change::Alert(entry) => execute(
                "INSERT INTO outbox (alert, alerter, record, sum) VALUES (?1, ?2, ?3, row_sum(?1, ?2, ?3))
                 ON CONFLICT DO UPDATE SET record = excluded.record, sum = excluded.sum",
                params![
                    entry.alert.id.to_string(),
                    entry.alerter.as_str(),
                    to_json(entry)?
                ],
            )?,
            Change::AlertDone(alert, alerter) => execute(
                "DELETE FROM outbox WHERE alert = ?1 AND alerter = ?2",
                params![alert.to_string(), alerter.as_str()],
            )?,
            Change::Backup(record) => execute(
                "INSERT INTO backups (id, record, sum) VALUES (?1, ?2, row_sum(?1, ?2))
                 ON CONFLICT DO UPDATE SET record = excluded.record, sum = excluded.sum",
                params![record.id.as_str(), to_json(record)?],
            )?,
            Change::BackupRemoved(id) => {
                execute("DELETE FROM backups WHERE id = ?1", params![id.as_str()])?;
            }
            Change::Process(target, Some(identity)) => execute(
                "INSERT INTO processes (target, record, sum) VALUES (?1, ?2, row_sum(?1, ?2))
                 ON CONFLICT DO UPDATE SET record = excluded.record, sum = excluded.sum",
                params![target.as_str(), to_json(identity)?],
            )?,
            Change::Process(target, None) => execute(
                "DELETE FROM processes WHERE target = ?1",
                params![target.as_str()],
            )?,
            Change::Paused(target, paused) => {
                let sql = if *paused {
                    "INSERT INTO paused (target, sum) VALUES (?1, row_sum(?1)) ON CONFLICT DO NOTHING"
                } else {
                    "DELETE FROM paused WHERE target = ?1"
                };
                let target = target.as_ref().map_or("", |target| target.as_str());
                execute(sql, params![target])?;
            }
            Change::Cooldown(target, failure, until) => execute(
                "INSERT INTO cooldowns (target, failure, until, sum) VALUES (?1, ?2, ?3, row_sum(?1, ?2, ?3))
                 ON CONFLICT DO UPDATE SET until = excluded.until, sum = excluded.sum",
                params![target.as_str(), failure.as_str(), Millis(*until)],
            )?,
            Change::Slot(job, backup_type, at) => execute(
                PUT_SLOT,
                params![job.as_str(), backup_type.as_str(), Millis(*at)],
            )?,
            // No type of backup has this name.
            Change::DrillSlot(job, at) => {
                execute(PUT_SLOT, params![job.as_str(), "drill", Millis(*at)])?;
            }
            Change::Forget(before) => {
                forget(connection, *before)?;
                audit::forget(connection, *before)?;
            }
            Change::AuditedUnder(context) => audit::set_context(connection, context)?,
            Change::NotSought(events) => {
                for seq in events {
                    let seq = i64::try_from(*seq).unwrap_or(i64::MAX);
                    execute("UPDATE events SET sought = 0 WHERE seq = ?1", params![seq])?;
                }
            }
        }
    }
    Ok(events)
}

fn append_event(connection: &Connection, event: &Event) -> rusqlite::Result<Event> {
    let is_sought = OpenAlerts::are_changed_by(event)
        || Silences::are_changed_by(event)
        || PolicyHistory::is_changed_by(event);
    connection
        .prepare_cached(
            "INSERT INTO events (seq, record, sum, sought)
             SELECT seq, ?1, row_sum(seq, ?1), ?2 FROM (
                 SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0),
                            coalesce((SELECT max(seq) FROM events), 0)) + 1 AS seq)",
        )?
        .execute(params![to_json(event)?, is_sought])?;
    let mut event = event.clone();
    event.seq = u64::try_from(connection.last_insert_rowid()).unwrap_or_default();
    audit::append(connection, &event)?;
    Ok(event)
}

/// As of an operation, most writes of an incident change nothing that its indices hold.
fn write_incident(connection: &Connection, incident: &Incident) -> rusqlite::Result<()> {
    let record = to_json(incident)?;
    let columns = params![
        incident.id.to_string(),
        incident.target.as_str(),
        incident.failure.as_str(),
        incident.state.is_open(),
        Millis(incident.opened_at),
        record,
    ];
    let updated = connection
        .prepare_cached(
            "UPDATE incidents SET record = ?6, sum = row_sum(?1, ?2, ?3, ?4, ?5, ?6)
             WHERE id = ?1 AND target = ?2 AND failure = ?3 AND open = ?4 AND opened_at = ?5",
        )?
        .execute(columns)?;
    if updated > 0 {
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT INTO incidents (id, target, failure, open, opened_at, record, sum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, row_sum(?1, ?2, ?3, ?4, ?5, ?6))
             ON CONFLICT (id) DO UPDATE SET target = excluded.target, failure = excluded.failure, open = excluded.open,
                 opened_at = excluded.opened_at, record = excluded.record, sum = excluded.sum",
        )?
        .execute(columns)
        .map(drop)
}

/// An operation is written at each of its steps, but what its indices hold changes with its state only: the first
/// statement leaves the indices alone.
fn write_operation(connection: &Connection, operation: &Operation) -> rusqlite::Result<()> {
    let (state, record) = (word(&operation.state)?, to_json(operation)?);
    let columns = params![
        operation.id.to_string(),
        operation.target.as_str(),
        operation.failure.as_str(),
        state,
        Millis(operation.detected_at),
        record,
    ];
    let updated = connection
        .prepare_cached(
            "UPDATE operations SET record = ?6, sum = row_sum(?1, ?2, ?3, ?4, ?5, ?6)
             WHERE id = ?1 AND target = ?2 AND failure = ?3 AND state = ?4 AND detected_at = ?5",
        )?
        .execute(columns)?;
    if updated > 0 {
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT INTO operations (id, target, failure, state, detected_at, record, sum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, row_sum(?1, ?2, ?3, ?4, ?5, ?6))
             ON CONFLICT (id) DO UPDATE SET target = excluded.target, failure = excluded.failure, state = excluded.state,
                 detected_at = excluded.detected_at, record = excluded.record, sum = excluded.sum",
        )?
        .execute(columns)
        .map(drop)
}

pub(super) fn append_effect(connection: &Connection, entry: &EffectEntry) -> rusqlite::Result<()> {
    if entry.kind == EntryKind::Result && entry.fencing > 0 {
        let newest: i64 = connection
            .prepare_cached("SELECT fencing FROM head")?
            .query_row([], |row| row.get(0))?;
        let newest = u64::try_from(newest).unwrap_or_default();
        if entry.fencing < newest {
            return Err(outlived(entry, newest));
        }
    }
    connection
        .prepare_cached(
            "INSERT INTO effects (operation, number, kind, record, sum) VALUES (?1, ?2, ?3, ?4, row_sum(?1, ?2, ?3, ?4))
             ON CONFLICT (operation, number, kind) DO UPDATE SET record = excluded.record, sum = excluded.sum",
        )?
        .execute(params![
            entry.operation.to_string(),
            entry.number,
            word(&entry.kind)?,
            to_json(entry)?,
        ])
        .map(drop)
}

/// A result of a daemon that has a successor: what it did is for that one to find out.
fn outlived(entry: &EffectEntry, newest: u64) -> rusqlite::Error {
    let what = format!(
        "the result of effect {} of {} is of the daemon with the fencing number {}, and the newest has {newest}",
        entry.number, entry.operation, entry.fencing
    );
    rusqlite::Error::ToSqlConversionFailure(what.into())
}
