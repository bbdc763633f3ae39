//! The checksum that each row carries, and the functions of SQL that write and check it.
//!
//! Invariant: a row is written with the sum of its columns, and its record is only read through [`checked!`], so that a
//! row which is not what was written is an error and never a value. Rows of versions before have none, and are taken.

use super::schema::WITH_CALLS;
use rusqlite::{
    Connection, Error, ffi,
    functions::{Context, FunctionFlags},
    types::{Value, ValueRef},
};

/// A table whose rows carry a sum.
#[derive(Debug, Clone, Copy)]
pub(super) struct Summed {
    /// Its name.
    pub(super) table: &'static str,
    /// What the sum is of, in order.
    pub(super) columns: &'static str,
    /// What names a row to people; an expression.
    pub(super) key: &'static str,
    /// The version of the schema that it came with.
    pub(super) since: usize,
}

impl Summed {
    /// Those that a database of this schema version has.
    pub(super) fn of_version(version: usize) -> impl Iterator<Item = Self> {
        TABLES
            .into_iter()
            .filter(move |summed| summed.since <= version)
    }

    /// Whether a row is not what was written; a piece of SQL. Without sums none is known to be.
    pub(super) fn is_wrong(self, has_sums: bool) -> String {
        match has_sums {
            true => format!("coalesce(sum <> row_sum({}), 0)", self.columns),
            false => "0".to_owned(),
        }
    }
}

const fn summed(table: &'static str, columns: &'static str, key: &'static str) -> Summed {
    Summed {
        table,
        columns,
        key,
        since: 1,
    }
}

/// Every table of the journal but `head`, which is one row.
pub(super) const TABLES: [Summed; 13] = [
    summed("events", "seq, record", "seq"),
    summed(
        "incidents",
        "id, target, failure, open, opened_at, record",
        "id",
    ),
    summed(
        "operations",
        "id, target, failure, state, detected_at, record",
        "id",
    ),
    summed(
        "effects",
        "operation, number, kind, record",
        "operation || ' ' || number || ' ' || kind",
    ),
    summed(
        "outbox",
        "alert, alerter, record",
        "alert || ' ' || alerter",
    ),
    summed("backups", "id, record", "id"),
    summed("processes", "target, record", "target"),
    summed("paused", "target", "target"),
    summed(
        "cooldowns",
        "target, failure, until",
        "target || ' ' || failure",
    ),
    summed("slots", "job, backup_type, at", "job || ' ' || backup_type"),
    summed(
        "plugin_values",
        "plugin, key, value",
        "plugin || ' ' || key",
    ),
    summed("plugin_usage", "plugin, keys, bytes", "plugin"),
    Summed {
        since: WITH_CALLS,
        ..summed(
            "calls",
            "operation, call, ended, record",
            "operation || ' ' || call",
        )
    },
];

/// The last column of a row of this table, once its sum is found right; a piece of SQL.
macro_rules! checked {
    (events) => {
        "checked(sum, 'events', seq, record)"
    };
    (incidents) => {
        "checked(sum, 'incidents', id, target, failure, open, opened_at, record)"
    };
    (operations) => {
        "checked(sum, 'operations', id, target, failure, state, detected_at, record)"
    };
    (effects) => {
        "checked(sum, 'effects', operation, number, kind, record)"
    };
    (outbox) => {
        "checked(sum, 'outbox', alert, alerter, record)"
    };
    (backups) => {
        "checked(sum, 'backups', id, record)"
    };
    (processes) => {
        "checked(sum, 'processes', target, record)"
    };
    (paused) => {
        "checked(sum, 'paused', target)"
    };
    (cooldowns) => {
        "checked(sum, 'cooldowns', target, failure, until)"
    };
    (slots) => {
        "checked(sum, 'slots', job, backup_type, at)"
    };
    (plugin_values) => {
        "checked(sum, 'plugin_values', plugin, key, value)"
    };
    (plugin_usage) => {
        "checked(sum, 'plugin_usage', plugin, keys, bytes)"
    };
    (calls) => {
        "checked(sum, 'calls', operation, call, ended, record)"
    };
}
pub(super) use checked;

/// Makes `row_sum(columns…)` and `checked(sum, table, columns…)` known to a connection.
pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("row_sum", -1, flags, |context| Ok(sum_from(context, 0)))?;
    connection.create_scalar_function("checked", -1, flags, |context| {
        let right = match context.get_raw(0) {
            ValueRef::Null => true,
            ValueRef::Integer(sum) => sum == sum_from(context, 2),
            _ => false,
        };
        if !right {
            let table = context.get_raw(1).as_str().unwrap_or_default();
            return Err(corrupt(format!("{WRONG_SUM}{table} is wrong")));
        }
        let last = context.get_raw(context.len().saturating_sub(1));
        Value::try_from(last).map_err(|error| corrupt(format!("{NO_VALUE}{error}")))
    })
}

/// How the error of a row begins that is not what was written, and of one that holds no value.
const WRONG_SUM: &str = "the checksum of a row of ";
const NO_VALUE: &str = "a column of a row holds what cannot be: ";

/// Whether this is an error of `checked`. SQLite gives an error of a function that has a text of its own the code of
/// any error, so it is known by its text.
pub(super) fn is_of_a_row(error: &Error) -> bool {
    match error {
        Error::SqliteFailure(_, Some(what)) => {
            what.starts_with(WRONG_SUM) || what.starts_with(NO_VALUE)
        }
        _ => false,
    }
}

fn corrupt(what: String) -> Error {
    Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), Some(what))
}

/// Over the kinds, the lengths and the bytes of the values from this one on.
fn sum_from(context: &Context<'_>, first: usize) -> i64 {
    let mut hasher = blake3::Hasher::new();
    let mut add = |kind: u8, bytes: &[u8]| {
        hasher.update(&[kind]);
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    for index in first..context.len() {
        match context.get_raw(index) {
            ValueRef::Null => add(0, &[]),
            ValueRef::Integer(number) => add(1, &number.to_le_bytes()),
            ValueRef::Real(number) => add(2, &number.to_le_bytes()),
            ValueRef::Text(text) => add(3, text),
            ValueRef::Blob(bytes) => add(4, bytes),
        }
    }
    let mut sum = [0; 8];
    hasher.finalize_xof().fill(&mut sum);
    i64::from_le_bytes(sum)
}

/// The first row whose sum is wrong, in a database of this schema version: its table and its name. Between two tables it ends where it need not go on.
pub(super) fn first_wrong(
    connection: &Connection,
    version: usize,
    goes_on: &dyn Fn() -> bool,
) -> rusqlite::Result<Option<String>> {
    for Summed {
        table,
        columns,
        key,
        ..
    } in Summed::of_version(version)
    {
        if !goes_on() {
            return Ok(None);
        }
        let sql = format!("SELECT {key} FROM {table} WHERE sum <> row_sum({columns}) LIMIT 1");
        let mut statement = connection.prepare(&sql)?;
        let mut wrong = statement.query([])?;
        if let Some(row) = wrong.next()? {
            let name: Value = row.get(0)?;
            return Ok(Some(format!("the row {} of {table}", shown(&name))));
        }
    }
    Ok(None)
}

/// A value as people read it.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "without a name".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Blob(bytes) => format!("of {} bytes", bytes.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_that_are_summed_are_those_that_are_checked() {
        let pieces = [
            checked!(events),
            checked!(incidents),
            checked!(operations),
            checked!(effects),
            checked!(outbox),
            checked!(backups),
            checked!(processes),
            checked!(paused),
            checked!(cooldowns),
            checked!(slots),
            checked!(plugin_values),
            checked!(plugin_usage),
            checked!(calls),
        ];
        for (summed, piece) in TABLES.iter().zip(pieces) {
            let expected = format!("checked(sum, '{}', {})", summed.table, summed.columns);
            assert_eq!(piece, expected);
        }
    }

    #[test]
    fn another_kind_another_length_or_another_byte_is_another_sum() {
        let connection = Connection::open_in_memory().unwrap();
        register(&connection).unwrap();
        let sum = |columns: &str| -> i64 {
            let sql = format!("SELECT row_sum({columns})");
            connection.query_row(&sql, [], |row| row.get(0)).unwrap()
        };
        let all = [
            "'a', 'bc'",
            "'ab', 'c'",
            "'abc'",
            "x'616263'",
            "1",
            "'1'",
            "NULL",
            "''",
        ];
        for (n, columns) in all.iter().enumerate() {
            assert_eq!(sum(columns), sum(columns));
            for others in &all[n + 1..] {
                assert_ne!(sum(columns), sum(others), "{columns} and {others}");
            }
        }
    }
}
