//! Reading the journal for those who show it.
//!
//! Invariant: every query is answered from an index that orders as the answer does, so that it reads as many rows as
//! it answers, however long the history is; but for that of the events of some kinds, which is asked once at the start and
//! reads those that a start looks for, for the names of a target, which reads all that were ever given, for the events and
//! the audit log of a target or since a time, which goes through them in their order, for the operations that have not ended
//! and the incidents that are open, which are few and all gone through; and for the numbers of `statistics`. None of them holds
//! more in memory than it answers.
//!
//! Length: every question that the journal answers, in one place.

use super::{
    SqliteJournal, audit,
    columns::{Millis, to_json, word},
    event_filter,
    rows::{all, one, readable, record},
    schema::{ended, unended},
    statistics,
    sums::checked,
};
use crate::port::{
    AuditFilter, Browse, EventFilter, HistoryFilter, IncidentFilter, Reading, StatisticsFilter,
    TargetStatistics,
};
use mainstay_domain::{
    audit::AuditRow,
    call_record::RecordedCall,
    event::{Event, EventKind},
    id::{IncidentId, OperationId},
    incident::Incident,
    name::{FailureType, TargetName},
    operation::{Operation, OperationState},
    record::EffectEntry,
};
use rusqlite::{Connection, OptionalExtension, Params, ToSql, params, types::ValueRef};

impl Browse for SqliteJournal {
    fn history(&self, filter: HistoryFilter) -> Reading<'_, Vec<Operation>> {
        self.browsers
            .read(move |connection| history(connection, &filter))
    }

    fn operation(&self, id: OperationId) -> Reading<'_, Option<(Operation, Vec<EffectEntry>)>> {
        self.browsers.read(move |connection| {
            let operation: Option<Operation> = one(
                connection,
                concat!(
                    "SELECT ",
                    checked!(operations),
                    " FROM operations WHERE id = ?1"
                ),
                params![id.to_string()],
            )?;
            let Some(operation) = operation else {
                return Ok(None);
            };
            let entries = all(
                connection,
                concat!(
                    "SELECT ",
                    checked!(effects),
                    " FROM effects WHERE operation = ?1 ORDER BY seq"
                ),
                params![id.to_string()],
            )?;
            Ok(Some((operation, entries)))
        })
    }

    fn calls(&self, operation: OperationId) -> Reading<'_, Vec<RecordedCall>> {
        self.browsers
            .read(move |connection| calls(connection, &operation))
    }

    fn incidents(&self, filter: IncidentFilter) -> Reading<'_, Vec<Incident>> {
        self.browsers
            .read(move |connection| incidents(connection, &filter))
    }

    fn incident(&self, id: IncidentId) -> Reading<'_, Option<Incident>> {
        self.browsers.read(move |connection| {
            one(
                connection,
                concat!(
                    "SELECT ",
                    checked!(incidents),
                    " FROM incidents WHERE id = ?1"
                ),
                params![id.to_string()],
            )
        })
    }

    fn events(&self, after: u64, limit: u32) -> Reading<'_, Vec<Event>> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        self.browsers.read(move |connection| {
            events(
                connection,
                concat!(
                    "SELECT seq, ",
                    checked!(events),
                    " FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2"
                ),
                params![after, limit],
            )
        })
    }

    fn events_like(&self, filter: EventFilter, after: u64, limit: u32) -> Reading<'_, Vec<Event>> {
        if filter.is_empty() {
            return self.events(after, limit);
        }
        self.browsers
            .read(move |connection| event_filter::events(connection, &filter, after, limit))
    }

    fn events_of(
        &self,
        kinds: &'static [EventKind],
        after: u64,
        limit: u32,
    ) -> Reading<'_, Vec<Event>> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        self.browsers.read(move |connection| {
            events(
                connection,
                concat!(
                    "SELECT seq, ",
                    checked!(events),
                    " FROM events INDEXED BY events_sought
                     WHERE sought IS NOT 0 AND seq > ?1 AND CASE WHEN json_valid(record) THEN
                         json_extract(record, '$.kind') IN (SELECT value FROM json_each(?3))
                         OR json_extract(record, '$.data.resolves') IS NOT NULL
                     END ORDER BY seq LIMIT ?2"
                ),
                params![after, limit, to_json(&kinds)?],
            )
        })
    }

    fn notes(&self, about: String, limit: u32) -> Reading<'_, Vec<Event>> {
        self.browsers
            .read(move |connection| event_filter::notes(connection, &about, limit))
    }

    fn audit(&self, filter: AuditFilter) -> Reading<'_, Vec<AuditRow>> {
        self.browsers
            .read(move |connection| audit::rows(connection, &filter))
    }

    fn statistics(&self, filter: StatisticsFilter) -> Reading<'_, Vec<TargetStatistics>> {
        self.browsers
            .read(move |connection| statistics::statistics(connection, &filter))
    }

    fn renames(&self, target: Option<TargetName>, limit: u32) -> Reading<'_, Vec<Event>> {
        self.readers.read(move |connection| {
            events(
                connection,
                concat!(
                    "SELECT seq, ",
                    checked!(events),
                    " FROM events INDEXED BY events_renamed
                     WHERE instr(record, '\"kind\":\"target.renamed\"') > 0 AND CASE WHEN json_valid(record) THEN
                         ?1 IS NULL OR json_extract(record, '$.target') = ?1
                     END ORDER BY seq DESC LIMIT ?2"
                ),
                params![target.as_ref().map(TargetName::as_str), limit],
            )
        })
    }

    fn last_events(&self, limit: u32) -> Reading<'_, Vec<Event>> {
        self.browsers.read(move |connection| {
            let mut newest = events(
                connection,
                concat!(
                    "SELECT seq, ",
                    checked!(events),
                    " FROM events ORDER BY seq DESC LIMIT ?1"
                ),
                params![limit],
            )?;
            newest.reverse();
            Ok(newest)
        })
    }

    fn seq_before_newest(&self, count: u32) -> Reading<'_, u64> {
        self.browsers.read(move |connection| {
            let sql = "SELECT seq FROM events ORDER BY seq DESC LIMIT 1 OFFSET ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let seq = statement.query_row(params![count], |row| row.get::<_, i64>(0));
            Ok(seq
                .optional()?
                .map_or(0, |seq| u64::try_from(seq).unwrap_or_default()))
        })
    }

    fn seq_before_newest_like(&self, filter: EventFilter, count: u32) -> Reading<'_, u64> {
        if filter.is_empty() {
            return self.seq_before_newest(count);
        }
        self.browsers
            .read(move |connection| event_filter::seq_before_newest(connection, &filter, count))
    }
}

fn calls(connection: &Connection, operation: &OperationId) -> rusqlite::Result<Vec<RecordedCall>> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        checked!(calls),
        ", ended FROM calls WHERE operation = ?1 ORDER BY call"
    ))?;
    let read = statement.query_map(params![operation.to_string()], |row| {
        let end = match row.get_ref(1)? {
            ValueRef::Null => None,
            _ => Some(record(row, 1)?),
        };
        Ok(RecordedCall {
            record: record(row, 0)?,
            end,
        })
    })?;
    readable(read)
}

/// As [`history`], the statement names no column that is not filtered by, and merges what is open and what is not.
fn incidents(connection: &Connection, filter: &IncidentFilter) -> rusqlite::Result<Vec<Incident>> {
    let target = filter.target.as_ref().map(TargetName::as_str);
    let since = filter.since.map(Millis);
    let before = filter.before.as_ref().map(ToString::to_string);
    let mut conditions = Vec::new();
    let mut parameters: Vec<&dyn ToSql> = vec![&filter.limit];
    if let Some(target) = &target {
        parameters.push(target);
        conditions.push(format!("target = ?{}", parameters.len()));
    }
    if let Some(since) = &since {
        parameters.push(since);
        conditions.push(format!("opened_at >= ?{}", parameters.len()));
    }
    if let Some(before) = &before {
        parameters.push(before);
        conditions.push(format!(
            "(opened_at, number) < (SELECT opened_at, number FROM incidents WHERE id = ?{})",
            parameters.len()
        ));
    }
    let sql = incidents_sql(filter.open_only, &conditions);
    all(connection, &sql, parameters.as_slice())
}

/// The newest incidents, or those that are open, that these conditions hold of; as many as the first parameter says.
pub(super) fn incidents_sql(open_only: bool, conditions: &[String]) -> String {
    let halves: &[&str] = match open_only {
        true => &["open"],
        false => &["open", "NOT open"],
    };
    let rows = concat!(
        "SELECT ",
        checked!(incidents),
        ", opened_at, number FROM incidents"
    );
    newest_of(rows, halves, conditions)
}

/// The statement names no column that is not filtered by, so that the index of just these filters answers it. What has not
/// ended is in an index of its own, and there is little of it: the two are merged as they are read.
fn history(connection: &Connection, filter: &HistoryFilter) -> rusqlite::Result<Vec<Operation>> {
    let state = filter.state.as_ref().map(word).transpose()?;
    let target = filter.target.as_ref().map(TargetName::as_str);
    let failure = filter.failure.as_ref().map(FailureType::as_str);
    let since = filter.since.map(Millis);
    let before = filter.before.as_ref().map(ToString::to_string);
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
    if let Some(before) = &before {
        parameters.push(before);
        conditions.push(format!(
            "(detected_at, number) < (SELECT detected_at, number FROM operations WHERE id = ?{})",
            parameters.len()
        ));
    }
    let sql = history_sql(filter.state, &conditions);
    all(connection, &sql, parameters.as_slice())
}

/// The newest operations of this state, or of any, that these conditions hold of; as many as the first parameter says.
pub(super) fn history_sql(state: Option<OperationState>, conditions: &[String]) -> String {
    let halves: &[&str] = match state {
        Some(state) if state.is_final() => &[ended!()],
        Some(_) => &[unended!()],
        None => &[unended!(), ended!()],
    };
    let rows = concat!(
        "SELECT ",
        checked!(operations),
        ", detected_at, number FROM operations"
    );
    newest_of(rows, halves, conditions)
}

/// The newest by their second column of the rows of these halves of a table, each of which has indices of its own.
fn newest_of(rows: &str, halves: &[&str], conditions: &[String]) -> String {
    let half = |half: &&str| {
        let conditions = std::iter::once(*half).chain(conditions.iter().map(String::as_str));
        let conditions: Vec<&str> = conditions.collect();
        format!("{rows} WHERE {}", conditions.join(" AND "))
    };
    let halves: Vec<String> = halves.iter().map(half).collect();
    format!(
        "{} ORDER BY 2 DESC, 3 DESC LIMIT ?1",
        halves.join(" UNION ALL ")
    )
}

pub(super) fn events(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
) -> rusqlite::Result<Vec<Event>> {
    let mut statement = connection.prepare_cached(sql)?;
    let read = statement.query_map(parameters, |row| {
        let mut event: Event = record(row, 1)?;
        event.seq = u64::try_from(row.get::<_, i64>(0)?).unwrap_or_default();
        Ok(event)
    })?;
    readable(read)
}
