//! Numbers about the failures of targets.
//!
//! Invariant: no more is in memory than one record, and the numbers of each target: what has to be put in order for a median
//! SQLite puts in order, in a file where it is much.

use super::{
    columns::Millis,
    rows::{parsed, record},
    sums::checked,
};
use crate::port::{StatisticsFilter, TargetStatistics};
use mainstay_domain::{downtime::Downtime, incident::Incident, name::TargetName};
use rusqlite::{Connection, Error, Row, params};
use std::collections::BTreeMap;

/// Each target with the numbers of its operations. The median is the time at the place in the middle of all in their order,
/// and so with the other: a time that was measured, by the nearest rank.
const OPERATIONS: &str = concat!(
    "WITH ended AS (
        SELECT target, state, ",
    checked!(operations),
    " AS whole FROM operations
        WHERE detected_at >= ?1 AND state IN ('succeeded', 'failed', 'partial') AND (?2 IS NULL OR target = ?2)
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
    let mut down: BTreeMap<TargetName, Downtime> = BTreeMap::new();
    let mut statement = connection.prepare_cached(INCIDENTS)?;
    let mut rows = statement.query(params![since, target, filter.since.to_string()])?;
    while let Some(row) = rows.next()? {
        let incident: Incident = match record(row, 1) {
            Ok(incident) => incident,
            // As in a list: one that this version cannot read is left out.
            Err(Error::FromSqlConversionFailure(..)) => continue,
            Err(error) => return Err(error),
        };
        let closed = match incident.state.is_open() {
            true => None,
            false => Some(incident.closed_at.unwrap_or(incident.opened_at)),
        };
        let name = incident.target;
        down.entry(name.clone())
            .or_insert_with(|| Downtime::within(filter.since, filter.until))
            .add(incident.opened_at, closed);
        let numbers = found
            .entry(name.clone())
            .or_insert_with(|| TargetStatistics::none(name));
        numbers.incidents += u64::from(incident.opened_at >= filter.since);
    }
    for (name, down) in down {
        if let Some(numbers) = found.get_mut(&name) {
            numbers.down = down.total();
        }
    }
    Ok(found.into_values().collect())
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
