//! Row by row out of a database that is damaged in places.

use super::super::sums::{Summed, shown};
use super::SalvagedTable;
use rusqlite::{Connection, Row, params_from_iter, types::Value};

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
    } = summed;
    let (sum, is_wrong) = match has_sums {
        true => ("sum", format!("coalesce(sum <> row_sum({columns}), 0)")),
        false => ("NULL", "0".to_owned()),
    };
    let count = columns.split(", ").count();
    let places: Vec<String> = (1..=count + 2).map(|n| format!("?{n}")).collect();
    let insert = format!(
        "INSERT OR REPLACE INTO {table} (rowid, {columns}, sum) VALUES ({})",
        places.join(", ")
    );
    let mut insert = to.prepare(&insert)?;
    let mut aside = to.prepare(
        "INSERT INTO set_aside (origin, key, record, why) VALUES (?1, ?2, ?3, 'its checksum is wrong')",
    )?;
    let select = format!(
        "SELECT rowid, {columns}, {sum}, {is_wrong}, {key} FROM {table}
         WHERE rowid > ?1 ORDER BY rowid LIMIT 1"
    );
    let mut report = SalvagedTable {
        table,
        rows: 0,
        set_aside: 0,
        gaps: 0,
    };
    let mut next = |last: i64| -> rusqlite::Result<Option<Vec<Value>>> {
        let mut statement = from.prepare_cached(&select)?;
        let mut rows = statement.query([last])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        let values = values(row, count + 4)?;
        match values.first() {
            Some(Value::Integer(rowid)) if *rowid > last => Ok(Some(values)),
            _ => Err(rusqlite::Error::InvalidQuery),
        }
    };
    let mut last = 0;
    loop {
        match next(last) {
            Ok(None) => return Ok(report),
            Ok(Some(mut row)) => {
                if let Some(Value::Integer(rowid)) = row.first() {
                    last = *rowid;
                }
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
            }
            Err(_) => {
                report.gaps += 1;
                match after_gap(last, &mut next) {
                    Some(after) => last = after,
                    None => return Ok(report),
                }
            }
        }
    }
}

/// The smallest number above `last` from which rows can be read again.
fn after_gap(
    last: i64,
    next: &mut impl FnMut(i64) -> rusqlite::Result<Option<Vec<Value>>>,
) -> Option<i64> {
    let (mut low, mut step) = (last, 1);
    let mut high = loop {
        let candidate = last.checked_add(step)?;
        if next(candidate).is_ok() {
            break candidate;
        }
        low = candidate;
        step = step.checked_mul(2)?;
    };
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        match next(middle) {
            Ok(_) => high = middle,
            Err(_) => low = middle,
        }
    }
    Some(high)
}

fn values(row: &Row<'_>, count: usize) -> rusqlite::Result<Vec<Value>> {
    (0..count).map(|index| row.get(index)).collect()
}

/// The sums over the values of plugins follow from those that were saved.
pub(super) fn count_usage(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "INSERT INTO plugin_usage (plugin, keys, bytes)
             SELECT plugin, count(*), sum(length(CAST(key AS BLOB)) + length(value)) FROM plugin_values GROUP BY plugin;
         UPDATE plugin_usage SET sum = row_sum(plugin, keys, bytes)",
    )
}
