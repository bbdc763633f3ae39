//! Rows of the journal as domain types. What does not read is an error that names its column; in a list it is left out,
//! for one record that this version does not know must not hide all others.

use mainstay_domain::time::Timestamp;
use rusqlite::{Connection, Error, OptionalExtension, Params, Row, types::Type};
use serde::de::DeserializeOwned;

pub(super) fn one<T: DeserializeOwned>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
) -> rusqlite::Result<Option<T>> {
    connection
        .prepare_cached(sql)?
        .query_row(parameters, |row| record(row, 0))
        .optional()
}

pub(super) fn all<T: DeserializeOwned>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    readable(statement.query_map(parameters, |row| record(row, 0))?)
}

/// What of these can be read. A row that is not what was written is an error all the same.
pub(super) fn readable<T>(
    rows: impl Iterator<Item = rusqlite::Result<T>>,
) -> rusqlite::Result<Vec<T>> {
    let read = rows.filter_map(|row| match row {
        Err(Error::FromSqlConversionFailure(_, _, why)) => {
            tracing::warn!(%why, "a record of the journal cannot be read by this version, and is left out");
            None
        }
        row => Some(row),
    });
    read.collect()
}

/// A column that holds the JSON of a domain type.
pub(super) fn record<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let json = row.get_ref(column)?.as_bytes()?;
    serde_json::from_slice(json).map_err(|error| unreadable(column, error))
}

/// A column that holds a name.
pub(super) fn parsed<T, E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    row: &Row<'_>,
    column: usize,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> rusqlite::Result<T> {
    parse(row.get_ref(column)?.as_str()?).map_err(|error| unreadable(column, error))
}

pub(super) fn timestamp(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let millis: i64 = row.get(column)?;
    Ok(Timestamp::from_millis(
        u64::try_from(millis).unwrap_or_default(),
    ))
}

fn unreadable(column: usize, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::FromSqlConversionFailure(column, Type::Text, error.into())
}
