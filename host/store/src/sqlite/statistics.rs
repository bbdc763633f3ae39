//! Numbers about the failures of targets.
//!
//! Invariant: no more is in memory than one record, and the numbers of each target: what has to be put in order for a median
//! SQLite puts in order, in a file where it is much.

use super::{
    columns::{Millis, to_json},
    rows::{parsed, record},
    schema::ended,
    sums::checked,
};
use crate::port::{StatisticsFilter, TargetStatistics};
use mainstay_domain::{
    availability::{Availability, KINDS},
    event::Event,
    incident::Incident,
    name::TargetName,
    time::Timestamp,
};
use rusqlite::{Connection, Error, OptionalExtension, Row, params};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// Each target with the numbers of its operations. The median is the time at the place in the middle of all in their order,
/// and so with the other: a time that was measured, by the nearest rank.
const OPERATIONS: &str = concat!(
    "WITH ended AS (
        SELECT target, state, ",
    checked!(operations),
    " AS whole FROM operations
        WHERE ",
    ended!(),
    " AND detected_at >= ?1 AND state IN ('succeeded', 'failed', 'partial') AND (?2 IS NULL OR target = ?2)
    ), acted AS (
        SELECT target, state = 'succeeded' AS good, json_extract(whole, '$.rto_exceeded') AS late,
            CASE WHEN state = 'succeeded' THEN json_extract(whole, '$.recovery_ms') END AS ms
        FROM ended
        WHERE CASE WHEN json_valid(whole) THEN json_extract(whole, '$.dry_run') IS NOT 1 END
    ), placed AS (
        SELECT target, good, late, ms,
            row_number() OVER (PARTITION BY target, ms IS NULL ORDER BY ms) AS place,
            count(*) OVER (PARTITION BY target, ms IS NULL) AS many
        FROM acted
    )
    SELECT target, sum(good), sum(NOT good), count(ms), CAST(avg(ms) AS INTEGER),
        CAST(max(CASE WHEN place = (many * 50 + 99) / 100 THEN ms END) AS INTEGER),
        CAST(max(CASE WHEN place = (many * 95 + 99) / 100 THEN ms END) AS INTEGER),
        count(CASE WHEN late = 1 THEN ms END)
    FROM placed GROUP BY target"
);

/// Incidents that were open at some time since then.
const INCIDENTS: &str = concat!(
    "SELECT target, ",
    checked!(incidents),
    " FROM incidents
    WHERE (?2 IS NULL OR target = ?2) AND (opened_at >= ?1 OR open
        OR CASE WHEN json_valid(record) THEN json_extract(record, '$.closed_at') >= ?3 END)
    ORDER BY target, opened_at"
);

/// The events that say when targets were watched, and failed, in their order.
const EVENTS: &str = concat!(
    "SELECT ",
    checked!(events),
    " FROM events
    WHERE CASE WHEN json_valid(record) THEN
        json_extract(record, '$.kind') IN (SELECT value FROM json_each(?1))
    END ORDER BY seq"
);

/// When the first event was written that is still there.
const BEGIN: &str = "SELECT CASE WHEN json_valid(record) THEN json_extract(record, '$.at') END
    FROM events ORDER BY seq LIMIT 1";

/// What became of the failures of each target.
pub(super) fn statistics(
    connection: &Connection,
    filter: &StatisticsFilter,
) -> rusqlite::Result<Vec<TargetStatistics>> {
    let since = Millis(filter.since);
    let target = filter.target.as_ref().map(TargetName::as_str);
    let mut found = BTreeMap::new();
    let mut statement = connection.prepare_cached(OPERATIONS)?;
    for row in statement.query_map(params![since, target], of_operations)? {
        let numbers = row?;
        found.insert(numbers.target.clone(), numbers);
    }
    for name in &filter.configured {
        if filter.target.as_ref().is_none_or(|asked| asked == name) {
            let none = || TargetStatistics::none(name.clone());
            found.entry(name.clone()).or_insert_with(none);
        }
    }
    let mut availability = Availability::within(filter.since, filter.until);
    let begin = begin(connection)?;
    let mut statement = connection.prepare_cached(INCIDENTS)?;
    let mut rows = statement.query(params![since, target, filter.since.to_string()])?;
    while let Some(row) = rows.next()? {
        let Some(incident) = readable::<Incident>(row, 1)? else {
            continue;
        };
        if incident.state.is_open() && begin.is_some_and(|begin| incident.opened_at < begin) {
            availability.held_before(&incident.target, &incident.failure);
        }
        let name = incident.target;
        let numbers = found
            .entry(name.clone())
            .or_insert_with(|| TargetStatistics::none(name));
        numbers.incidents += u64::from(incident.opened_at >= filter.since);
    }
    let mut statement = connection.prepare_cached(EVENTS)?;
    let mut rows = statement.query(params![to_json(&KINDS)?])?;
    while let Some(row) = rows.next()? {
        if let Some(event) = readable::<Event>(row, 0)? {
            availability.add(&event);
        }
    }
    for numbers in found.values_mut() {
        let watched = availability.of(&numbers.target);
        numbers.known = watched.known;
        numbers.down = watched.down;
        numbers.relapses = watched.relapses;
    }
    Ok(found.into_values().collect())
}

/// As in a list: a record that this version cannot read is left out.
fn readable<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    match record(row, column) {
        Ok(read) => Ok(Some(read)),
        Err(Error::FromSqlConversionFailure(..)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// When the journal begins.
fn begin(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    let at = connection
        .prepare_cached(BEGIN)?
        .query_row([], |row| row.get::<_, Option<String>>(0))
        .optional()?;
    Ok(at.flatten().and_then(|at| Timestamp::parse(&at).ok()))
}

fn of_operations(row: &Row<'_>) -> rusqlite::Result<TargetStatistics> {
    let number = |column: usize| -> rusqlite::Result<Option<u64>> {
        let number: Option<i64> = row.get(column)?;
        Ok(number.map(|number| u64::try_from(number).unwrap_or_default()))
    };
    let count = |column: usize| number(column).map(Option::unwrap_or_default);
    Ok(TargetStatistics {
        recoveries: count(1)?,
        failures: count(2)?,
        timed: count(3)?,
        mean_ms: number(4)?,
        median_ms: number(5)?,
        p95_ms: number(6)?,
        late: count(7)?,
        ..TargetStatistics::none(parsed(row, 0, TargetName::parse)?)
    })
}
