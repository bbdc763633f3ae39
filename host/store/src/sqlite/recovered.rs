//! What a new daemon goes on with: the tables of what is open or kept, read whole.
//!
//! Invariant: one record that this version cannot read keeps no daemon from starting. It is set aside: it leaves its
//! table for `set_aside`, as it was found, and is told.
//! Invariant: a call of which anything was set aside is not handed on as one that can be gone on with.

use super::{
    SqliteJournal,
    aside::Aside,
    columns::word,
    queue::Work,
    rows::{parsed, record, timestamp},
    schema::unended,
    sums::checked,
    unread::Unread,
};
use crate::port::{Reading, Recover, Recovered};
use mainstay_domain::{
    backup::BackupType,
    call_record::CallRecord,
    name::{FailureType, JobName, TargetName},
    operation::{Operation, OperationState},
    record::EffectEntry,
    time::Timestamp,
};
use rusqlite::{Connection, Error, Params, Row, params};
use std::collections::BTreeSet;

impl Recover for SqliteJournal {
    fn recovered(&self, closed_since: Timestamp) -> Reading<'_, Recovered> {
        let read = self
            .readers
            .read(move |connection| recovered(connection, closed_since));
        Box::pin(async move {
            let (mut recovered, unread) = read.await?;
            if !unread.is_empty() {
                recovered.set_aside = self.submit(|ack| Work::SetAside(unread, ack)).await?;
            }
            Ok(recovered)
        })
    }
}

/// Reads tables, and collects what cannot be read.
struct Reader<'a> {
    snapshot: &'a Connection,
    unread: Vec<Unread>,
}

impl Reader<'_> {
    /// The rows of a table that can be read. `columns` are those from 1 on.
    fn rows<T>(
        &mut self,
        table: &'static str,
        columns: &str,
        rest: &str,
        parameters: impl Params,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        let sql = format!("SELECT rowid, {columns} FROM {table} {rest}");
        let mut statement = self.snapshot.prepare_cached(&sql)?;
        let mut rows = statement.query(parameters)?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            match read(row) {
                Ok(value) => all.push(value),
                Err(Error::FromSqlConversionFailure(_, _, why)) => self.unread.push(Unread {
                    table,
                    rowid: row.get(0)?,
                    why: why.to_string(),
                }),
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }
}

fn recovered(
    connection: &Connection,
    closed_since: Timestamp,
) -> rusqlite::Result<(Recovered, Vec<Unread>)> {
    // One snapshot for all of it.
    let snapshot = connection.unchecked_transaction()?;
    let mut reader = Reader {
        snapshot: &snapshot,
        unread: Vec::new(),
    };
    let mut operations: Vec<Operation> = Vec::new();
    for state in [
        OperationState::Scheduled,
        OperationState::InProgress,
        OperationState::Validating,
        OperationState::AwaitingManual,
    ] {
        operations.extend(reader.rows(
            "operations",
            checked!(operations),
            concat!(
                "WHERE ",
                unended!(),
                " AND state = ?1 ORDER BY detected_at, number"
            ),
            params![word(&state)?],
            |row| record(row, 1),
        )?);
    }
    operations.sort_by(|a, b| a.id.cmp(&b.id));
    // The empty name, which no target has, is the host.
    let paused = reader.rows(
        "paused",
        checked!(paused),
        "ORDER BY target",
        [],
        |row| match row.get_ref(1)?.as_str()? {
            "" => Ok(None),
            _ => parsed(row, 1, TargetName::parse).map(Some),
        },
    )?;
    let aside = Aside::read(&snapshot)?;
    let (mut effects, mut calls) = (Vec::new(), Vec::new());
    for operation in &operations {
        let last: Option<u32> = snapshot
            .prepare_cached("SELECT max(number) FROM effects WHERE operation = ?1")?
            .query_row(params![operation.id.to_string()], |row| row.get(0))?;
        // No number, and so no key, is given twice.
        let last = last.max(aside.last_effect(&operation.id));
        effects.extend(last.map(|last| (operation.id.clone(), last)));
        let last: Option<u32> = snapshot
            .prepare_cached("SELECT max(call) FROM calls WHERE operation = ?1")?
            .query_row(params![operation.id.to_string()], |row| row.get(0))?;
        calls.extend(last.map(|last| (operation.id.clone(), last)));
    }
    let mut open_calls: Vec<CallRecord> = Vec::new();
    let mut lost = BTreeSet::new();
    for (operation, call) in &calls {
        let unread_before = reader.unread.len();
        let found: Vec<CallRecord> = reader.rows(
            "calls",
            checked!(calls),
            "WHERE operation = ?1 AND call = ?2 AND ended IS NULL",
            params![operation.to_string(), call],
            |row| record(row, 1),
        )?;
        for open in &found {
            reader.rows(
                "effects",
                checked!(effects),
                "WHERE operation = ?1 AND number >= ?2",
                params![operation.to_string(), open.first_number],
                |row| record::<EffectEntry>(row, 1).map(drop),
            )?;
        }
        if reader.unread.len() > unread_before {
            lost.insert(operation.clone());
        }
        open_calls.extend(found);
    }
    lost.extend(aside.lost(&operations, &calls, &open_calls));
    let fencing: i64 = snapshot.query_row("SELECT fencing FROM head", [], |row| row.get(0))?;
    let recovered = Recovered {
        operations,
        effects,
        calls,
        open_calls,
        lost,
        fencing: u64::try_from(fencing).unwrap_or_default(),
        // The text of a time sorts as the time does. Numbers are in the order of what was lived; the
        // sign keeps SQLite to the index of the first condition.
        closed: reader.rows(
            "incidents",
            checked!(incidents),
            "WHERE NOT open AND json_extract(record, '$.closed_at') >= ?1 ORDER BY +number",
            params![closed_since.to_string()],
            |row| record(row, 1),
        )?,
        incidents: reader.rows(
            "incidents",
            checked!(incidents),
            "WHERE open ORDER BY opened_at, number",
            [],
            |row| record(row, 1),
        )?,
        outbox: reader.rows("outbox", checked!(outbox), "ORDER BY rowid", [], |row| {
            record(row, 1)
        })?,
        processes: reader.rows(
            "processes",
            concat!("target, ", checked!(processes)),
            "ORDER BY target",
            [],
            |row| Ok((parsed(row, 1, TargetName::parse)?, record(row, 2)?)),
        )?,
        paused_host: paused.iter().any(Option::is_none),
        paused_targets: paused.into_iter().flatten().collect(),
        cooldowns: reader.rows(
            "cooldowns",
            concat!("target, failure, ", checked!(cooldowns)),
            "ORDER BY target, failure",
            [],
            |row| {
                Ok((
                    parsed(row, 1, TargetName::parse)?,
                    parsed(row, 2, FailureType::parse)?,
                    timestamp(row, 3)?,
                ))
            },
        )?,
        slots: reader.rows(
            "slots",
            concat!("job, backup_type, ", checked!(slots)),
            "WHERE backup_type <> 'drill' ORDER BY job, backup_type",
            [],
            |row| {
                Ok((
                    parsed(row, 1, JobName::parse)?,
                    parsed(row, 2, backup_type)?,
                    timestamp(row, 3)?,
                ))
            },
        )?,
        drill_slots: reader.rows(
            "slots",
            concat!("job, ", checked!(slots)),
            "WHERE backup_type = 'drill' ORDER BY job",
            [],
            |row| Ok((parsed(row, 1, JobName::parse)?, timestamp(row, 2)?)),
        )?,
        backups: reader.rows("backups", checked!(backups), "ORDER BY rowid", [], |row| {
            record(row, 1)
        })?,
        set_aside: Vec::new(),
    };
    let unread = reader.unread;
    snapshot.finish()?;
    Ok((recovered, unread))
}

fn backup_type(text: &str) -> Result<BackupType, String> {
    BackupType::ALL
        .into_iter()
        .find(|known| known.as_str() == text)
        .ok_or_else(|| format!("`{text}` is not a type of backup"))
}
