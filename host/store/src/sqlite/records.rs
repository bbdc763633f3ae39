//! Reading the journal.
//!
//! Invariant: every query is answered from an index that orders as the answer does, so that it reads as many rows as
//! it answers, however long the history is. `recovered` alone reads tables whole: those of what is open or kept.

use super::{
    SqliteJournal,
    changes::{Millis, word},
    rows::{all, one, parsed, record, rows, timestamp},
};
use crate::port::{Browse, HistoryFilter, Reading, Recover, Recovered};
use mainstay_domain::{
    backup::BackupType,
    event::Event,
    id::{IncidentId, OperationId},
    incident::Incident,
    journal::EffectEntry,
    name::{FailureType, JobName, TargetName},
    operation::{Operation, OperationState},
    time::Timestamp,
};
use rusqlite::{Connection, Params, ToSql, params};

impl Recover for SqliteJournal {
    fn recovered(&self, closed_since: Timestamp) -> Reading<'_, Recovered> {
        self.readers
            .read(move |connection| recovered(connection, closed_since))
    }
}

impl Browse for SqliteJournal {
    fn history(&self, filter: HistoryFilter) -> Reading<'_, Vec<Operation>> {
        self.readers
            .read(move |connection| history(connection, &filter))
    }

    fn operation(&self, id: OperationId) -> Reading<'_, Option<(Operation, Vec<EffectEntry>)>> {
        self.readers.read(move |connection| {
            let operation: Option<Operation> = one(
                connection,
                "SELECT record FROM operations WHERE id = ?1",
                params![id.to_string()],
            )?;
            let Some(operation) = operation else {
                return Ok(None);
            };
            let entries = all(
                connection,
                "SELECT record FROM effects WHERE operation = ?1 ORDER BY seq",
                params![id.to_string()],
            )?;
            Ok(Some((operation, entries)))
        })
    }

    fn incidents(&self, open_only: bool, limit: u32) -> Reading<'_, Vec<Incident>> {
        let sql = if open_only {
            "SELECT record FROM incidents WHERE open ORDER BY opened_at DESC, number DESC LIMIT ?1"
        } else {
            "SELECT record FROM incidents ORDER BY opened_at DESC, number DESC LIMIT ?1"
        };
        self.readers
            .read(move |connection| all(connection, sql, params![limit]))
    }

    fn incident(&self, id: IncidentId) -> Reading<'_, Option<Incident>> {
        self.readers.read(move |connection| {
            one(
                connection,
                "SELECT record FROM incidents WHERE id = ?1",
                params![id.to_string()],
            )
        })
    }

    fn events(&self, after: u64, limit: u32) -> Reading<'_, Vec<Event>> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        self.readers.read(move |connection| {
            events(
                connection,
                "SELECT seq, record FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2",
                params![after, limit],
            )
        })
    }

    fn last_events(&self, limit: u32) -> Reading<'_, Vec<Event>> {
        self.readers.read(move |connection| {
            let mut newest = events(
                connection,
                "SELECT seq, record FROM events ORDER BY seq DESC LIMIT ?1",
                params![limit],
            )?;
            newest.reverse();
            Ok(newest)
        })
    }
}

/// The statement names no column that is not filtered by, so that the index of just these filters answers it.
fn history(connection: &Connection, filter: &HistoryFilter) -> rusqlite::Result<Vec<Operation>> {
    let state = filter.state.as_ref().map(word).transpose()?;
    let target = filter.target.as_ref().map(TargetName::as_str);
    let failure = filter.failure.as_ref().map(FailureType::as_str);
    let since = filter.since.map(Millis);
    let mut conditions = Vec::new();
    let mut parameters: Vec<&dyn ToSql> = vec![&filter.limit];
    if let Some(target) = &target {
        parameters.push(target);
        conditions.push(format!("target = ?{}", parameters.len()));
    }
    if let Some(failure) = &failure {
        parameters.push(failure);
        conditions.push(format!("failure = ?{}", parameters.len()));
    }
    if let Some(state) = &state {
        parameters.push(state);
        conditions.push(format!("state = ?{}", parameters.len()));
    }
    if let Some(since) = &since {
        parameters.push(since);
        conditions.push(format!("detected_at >= ?{}", parameters.len()));
    }
    let conditions = if conditions.is_empty() {
        String::new()
    } else {
        format!("WHERE {}", conditions.join(" AND "))
    };
    let sql = format!(
        "SELECT record FROM operations {conditions} ORDER BY detected_at DESC, number DESC LIMIT ?1"
    );
    all(connection, &sql, parameters.as_slice())
}

fn recovered(connection: &Connection, closed_since: Timestamp) -> rusqlite::Result<Recovered> {
    // One snapshot for all of it.
    let snapshot = connection.unchecked_transaction()?;
    let mut operations = Vec::new();
    for state in [
        OperationState::Scheduled,
        OperationState::InProgress,
        OperationState::Validating,
        OperationState::AwaitingManual,
    ] {
        operations.extend(all::<Operation>(
            &snapshot,
            "SELECT record FROM operations WHERE state = ?1 ORDER BY detected_at, number",
            params![word(&state)?],
        )?);
    }
    operations.sort_by(|a, b| a.id.cmp(&b.id));
    let paused = rows(
        &snapshot,
        "SELECT target FROM paused ORDER BY target",
        |row| row.get::<_, String>(0),
    )?;
    let mut effects = Vec::new();
    for operation in &operations {
        let last: Option<u32> = snapshot
            .prepare_cached("SELECT max(number) FROM effects WHERE operation = ?1")?
            .query_row(params![operation.id.to_string()], |row| row.get(0))?;
        effects.extend(last.map(|last| (operation.id.clone(), last)));
    }
    let recovered = Recovered {
        operations,
        effects,
        // The text of a time sorts as the time does.
        closed: all(
            &snapshot,
            "SELECT record FROM incidents WHERE NOT open AND json_extract(record, '$.closed_at') >= ?1
             ORDER BY json_extract(record, '$.closed_at')",
            params![closed_since.to_string()],
        )?,
        incidents: all(
            &snapshot,
            "SELECT record FROM incidents WHERE open ORDER BY opened_at, number",
            [],
        )?,
        outbox: all(&snapshot, "SELECT record FROM outbox ORDER BY rowid", [])?,
        processes: rows(
            &snapshot,
            "SELECT target, record FROM processes ORDER BY target",
            |row| Ok((parsed(row, 0, TargetName::parse)?, record(row, 1)?)),
        )?,
        paused_host: paused.iter().any(String::is_empty),
        paused_targets: paused
            .iter()
            .filter_map(|name| TargetName::parse(name).ok())
            .collect(),
        cooldowns: rows(
            &snapshot,
            "SELECT target, failure, until FROM cooldowns ORDER BY target, failure",
            |row| {
                Ok((
                    parsed(row, 0, TargetName::parse)?,
                    parsed(row, 1, FailureType::parse)?,
                    timestamp(row, 2)?,
                ))
            },
        )?,
        slots: rows(
            &snapshot,
            "SELECT job, backup_type, at FROM slots ORDER BY job, backup_type",
            |row| {
                Ok((
                    parsed(row, 0, JobName::parse)?,
                    parsed(row, 1, backup_type)?,
                    timestamp(row, 2)?,
                ))
            },
        )?,
        backups: all(&snapshot, "SELECT record FROM backups ORDER BY rowid", [])?,
    };
    snapshot.finish()?;
    Ok(recovered)
}

fn backup_type(text: &str) -> Result<BackupType, String> {
    BackupType::ALL
        .into_iter()
        .find(|known| known.as_str() == text)
        .ok_or_else(|| format!("`{text}` is not a type of backup"))
}

fn events(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
) -> rusqlite::Result<Vec<Event>> {
    connection
        .prepare_cached(sql)?
        .query_map(parameters, |row| {
            let mut event: Event = record(row, 1)?;
            event.seq = u64::try_from(row.get::<_, i64>(0)?).unwrap_or_default();
            Ok(event)
        })?
        .collect()
}
