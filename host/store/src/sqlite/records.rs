//! Reading the journal for those who show it.
//!
//! Invariant: every query is answered from an index that orders as the answer does, so that it reads as many rows as
//! it answers, however long the history is; but for that of the events of some kinds, which is asked once at the start and
//! reads those that a start looks for, for the names of a target, which reads all that were ever given, for the events and
//! the audit log of a target or since a time, and for alerts that were sent, which goes through them in their order, for the
//! operations that have not ended and the incidents that are open, which are few and all gone through; and for the numbers of
//! `statistics`. None of them holds more in memory than it answers.
//!
//! Length: every question that the journal answers, in one place.

use super::{
    SqliteJournal, audit,
    columns::to_json,
    event_filter,
    newest::{history, incidents},
    rows::{all, one, readable, record},
    statistics,
    sums::checked,
};
use crate::port::{
    AlertFilter, AuditFilter, Browse, EventFilter, HistoryFilter, IncidentFilter, Reading,
    StatisticsFilter, TargetStatistics,
};
use mainstay_domain::{
    audit::AuditRow,
    call_record::RecordedCall,
    event::{Event, EventKind},
    id::{IncidentId, OperationId},
    incident::Incident,
    name::TargetName,
    operation::Operation,
    record::EffectEntry,
};
use rusqlite::{Connection, OptionalExtension, Params, params, types::ValueRef};

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

    fn alerts(&self, filter: AlertFilter) -> Reading<'_, Vec<Event>> {
        self.browsers
            .read(move |connection| event_filter::alerts(connection, &filter))
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
