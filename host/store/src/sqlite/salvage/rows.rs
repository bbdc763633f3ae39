//! Row by row out of a database that is damaged in places.
//!
//! Invariant: a row that can be read is not lost beside one that cannot: each row is looked for by its number, and after
//! a gap each number is tried, up to [`PROBED`] of them.

use super::super::sums::{Summed, shown};
use super::SalvagedTable;
use rusqlite::{
    Connection, Row, Statement, params_from_iter,
    types::{Value, ValueRef},
};

/// So many numbers after a row that cannot be read are tried one by one: more than a page of a damaged index holds.
const PROBED: i64 = 4_096;

/// Copies the rows of a table that can be read.
pub(super) fn copy_table(
    from: &Connection,
    to: &Connection,
    summed: Summed,
    has_sums: bool,
) -> rusqlite::Result<SalvagedTable> {
    let Summed {
        table,
        columns,
        key,
        ..
    } = summed;
    let is_wrong = summed.is_wrong(has_sums);
    let sum = match has_sums {
        true => "sum",
        false => "NULL",
    };
    let count = columns.split(", ").count() + 2;
    let select = format!(
        "SELECT rowid, {columns}, {sum}, {is_wrong}, {key} FROM {table}
         WHERE rowid >= ?1 ORDER BY rowid LIMIT 1"
    );
    // Where the number of a row is a column of its own it is there twice.
    let insert = to.prepare(&match columns.starts_with("seq, ") {
        true => format!("INSERT OR REPLACE INTO {table} ({columns}, sum) VALUES (?2, ?3, ?4)"),
        false => format!(
            "INSERT OR REPLACE INTO {table} (rowid, {columns}, sum) VALUES ({})",
            places(count)
        ),
    })?;
    let next = |at| next(from, &select, count + 2, at);
    copy_rows(to, table, insert, next)
}

/// Copies what daemons before have set aside; such rows have no checksum.
pub(super) fn copy_set_aside(
    from: &Connection,
    to: &Connection,
    is_there: bool,
) -> rusqlite::Result<SalvagedTable> {
    let columns = "number, origin, key, record, why";
    let select = format!(
        "SELECT {columns}, 0, key FROM set_aside WHERE number >= ?1 ORDER BY number LIMIT 1"
    );
    let insert = format!("INSERT INTO set_aside ({columns}) VALUES ({})", places(5));
    let next = |at| match is_there {
        true => next(from, &select, 7, at),
        false => Ok(None),
    };
    copy_rows(to, "set_aside", to.prepare(&insert)?, next)
}

/// Copies the audit log as it is, whatever of it is left: what is missing its own chain tells.
pub(super) fn copy_audit(from: &Connection, to: &Connection) -> rusqlite::Result<SalvagedTable> {
    let is_there = |name: &str| {
        let sql = "SELECT 1 FROM sqlite_schema WHERE name = ?1";
        from.query_row(sql, [name], |_| Ok(())).is_ok()
    };
    let select = "SELECT number, record, digest, 0, number FROM audit
         WHERE number >= ?1 ORDER BY number LIMIT 1";
    let insert =
        to.prepare("INSERT OR REPLACE INTO audit (number, record, digest) VALUES (?1, ?2, ?3)")?;
    let has_rows = is_there("audit");
    let copied = copy_rows(to, "audit", insert, |at| match has_rows {
        true => next(from, select, 5, at),
        false => Ok(None),
    })?;
    let columns = "forgotten, anchor, number, digest, since, phase, charter";
    let head = match is_there("audit_head") {
        true => from
            .query_row(
                &format!("SELECT {columns} FROM audit_head WHERE one = 1"),
                [],
                |row| values(row, 7),
            )
            .ok(),
        false => None,
    };
    // Of the events before there was a log none has a row.
    to.execute_batch("UPDATE audit_head SET since = (SELECT coalesce(max(seq), 0) FROM events)")?;
    if let Some(head) = head {
        let sql = format!(
            "INSERT OR REPLACE INTO audit_head (one, {columns}) VALUES (1, {})",
            places(7)
        );
        // One that cannot be what it is begins anew, and the chain tells.
        let _ = to.execute(&sql, params_from_iter(&head));
    }
    Ok(copied)
}

fn places(count: usize) -> String {
    let places: Vec<String> = (1..=count).map(|n| format!("?{n}")).collect();
    places.join(", ")
}

/// The first row from this number on: its number, what is inserted, whether it is not what was written, its name.
fn next(
    from: &Connection,
    select: &str,
    count: usize,
    at: i64,
) -> rusqlite::Result<Option<Vec<Value>>> {
    let mut statement = from.prepare_cached(select)?;
    let mut rows = statement.query([at])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let values = values(row, count)?;
    match values.first() {
        Some(Value::Integer(rowid)) if *rowid >= at => Ok(Some(values)),
        _ => Err(rusqlite::Error::InvalidQuery),
    }
}

fn copy_rows(
    to: &Connection,
    table: &'static str,
    mut insert: Statement<'_>,
    next: impl Fn(i64) -> rusqlite::Result<Option<Vec<Value>>>,
) -> rusqlite::Result<SalvagedTable> {
    let mut aside = to.prepare(
        "INSERT INTO set_aside (origin, key, record, why) VALUES (?1, ?2, ?3, 'its checksum is wrong')",
    )?;
    let mut report = SalvagedTable {
        table,
        rows: 0,
        set_aside: 0,
        gaps: 0,
    };
    let mut at = 1;
    loop {
        match next(at) {
            Ok(None) => return Ok(report),
            Ok(Some(mut row)) => {
                let rowid = match row.first() {
                    Some(Value::Integer(rowid)) => *rowid,
                    _ => at,
                };
                let key = row.pop().unwrap_or(Value::Null);
                let is_wrong = row.pop() == Some(Value::Integer(1));
                // A value of a kind that its column cannot hold is not what was written either.
                let is_saved = !is_wrong && insert.execute(params_from_iter(&row)).is_ok();
                if is_saved {
                    report.rows += 1;
                } else {
                    aside.execute((table, shown(&key), format!("{row:?}")))?;
                    report.set_aside += 1;
                }
                match rowid.checked_add(1) {
                    Some(after) => at = after,
                    None => return Ok(report),
                }
            }
            Err(_) => {
                report.gaps += 1;
                match after_gap(at, |at| next(at).is_ok()) {
                    Some(after) => at = after,
                    None => return Ok(report),
                }
            }
        }
    }
}

/// The smallest number above this one from which rows can be read again; one of the smallest where a gap is very wide.
fn after_gap(at: i64, is_legible: impl Fn(i64) -> bool) -> Option<i64> {
    for step in 1..=PROBED {
        let candidate = at.checked_add(step)?;
        if is_legible(candidate) {
            return Some(candidate);
        }
    }
    let (mut low, mut step) = (at.checked_add(PROBED)?, PROBED);
    let mut high = loop {
        step = step.checked_mul(2)?;
        let candidate = at.checked_add(step)?;
        if is_legible(candidate) {
            break candidate;
        }
        low = candidate;
    };
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        match is_legible(middle) {
            true => high = middle,
            false => low = middle,
        }
    }
    Some(high)
}

/// A text that is none, as a flipped bit makes it, is shown as the bytes that it is.
fn values(row: &Row<'_>, count: usize) -> rusqlite::Result<Vec<Value>> {
    let value = |index| {
        Ok(match row.get_ref(index)? {
            ValueRef::Text(bytes) => match str::from_utf8(bytes) {
                Ok(text) => Value::Text(text.to_owned()),
                Err(_) => Value::Blob(bytes.to_vec()),
            },
            _ => row.get(index)?,
        })
    };
    (0..count).map(value).collect()
}

/// The sums over the values of plugins follow from those that were saved.
pub(super) fn count_usage(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "INSERT INTO plugin_usage (plugin, keys, bytes)
             SELECT plugin, count(*), sum(length(CAST(key AS BLOB)) + length(value)) FROM plugin_values GROUP BY plugin;
         UPDATE plugin_usage SET sum = row_sum(plugin, keys, bytes)",
    )
}

/// Rows of effects or calls could not be read at all, and nobody knows whose they were. They may have been of any call that
/// has not ended, and of any that has effects and is not there: that is kept as what was set aside of them.
pub(super) fn mark_open_calls(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "INSERT INTO set_aside (origin, key, record, why)
             SELECT 'effects', operation || ' ' || max(
                 (SELECT coalesce(max(number), 0) FROM effects WHERE effects.operation = calls.operation),
                 coalesce(CASE WHEN json_valid(record) THEN json_extract(record, '$.first_number') END, 1)
             ) || ' unread', '[]', 'rows beside it could not be read'
             FROM calls WHERE ended IS NULL;
         INSERT INTO set_aside (origin, key, record, why)
             SELECT DISTINCT 'calls', of.operation || ' ' || of.call, '[]', 'its row could not be read'
             FROM (SELECT operation, CASE WHEN json_valid(record) THEN json_extract(record, '$.call') END AS call
                   FROM effects) AS of
             WHERE of.call IS NOT NULL
                 AND NOT EXISTS (SELECT 1 FROM calls WHERE calls.operation = of.operation AND calls.call = of.call)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn after_a_gap_the_next_legible_number_is_found_also_where_damage_is_dense() {
        let check = |legible: &[i64], expected| {
            let legible: BTreeSet<i64> = legible.iter().copied().collect();
            assert_eq!(after_gap(10, |at| legible.contains(&at)), expected);
        };
        check(&[], None);
        check(&[9, 10], None);
        check(&[11], Some(11));
        // Doubling alone would go from 10 over 12, 14, 18 to 26.
        check(&[13, 26], Some(13));
        check(&[10 + PROBED], Some(10 + PROBED));
        for first in [5_000, 20_000, 1 << 40] {
            let found = after_gap(10, |at| at >= first);
            assert_eq!(found, Some(first));
        }
    }

    #[test]
    fn after_a_gap_every_open_call_and_every_one_that_is_not_there_is_marked() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                r#"CREATE TABLE set_aside (origin, key, record, why);
                CREATE TABLE calls (operation, call, ended, record);
                CREATE TABLE effects (operation, number, record);
                INSERT INTO calls VALUES ('op-a', 1, '{}', '{}'), ('op-a', 2, NULL, '{"first_number": 3}'),
                    ('op-b', 1, NULL, '{"first_number": 1}'), ('op-c', 1, '{}', '{}');
                INSERT INTO effects VALUES ('op-a', 1, '{"call": 1}'), ('op-b', 4, '{"call": 1}'),
                    ('op-c', 1, '{"call": 1}'), ('op-c', 2, '{"call": 2}'), ('op-d', 1, '{}'), ('op-d', 2, 'x')"#,
            )
            .unwrap();
        mark_open_calls(&connection).unwrap();
        let marked: String = connection
            .query_row(
                "SELECT group_concat(origin || ' ' || key, '; ' ORDER BY origin DESC, key) FROM set_aside",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(
            marked,
            "effects op-a 3 unread; effects op-b 4 unread; calls op-c 2"
        );
    }
}
