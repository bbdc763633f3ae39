//! Rows of the journal as domain types. What does not read is an error that names its column.

use mainstay_domain::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Params, Row, types::Type};
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
    connection
        .prepare_cached(sql)?
        .query_map(parameters, |row| record(row, 0))?
        .collect()
}

pub(super) fn rows<T>(
    connection: &Connection,
    sql: &str,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare(sql)?.query_map([], read)?.collect()
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

fn unreadable(
    column: usize,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
}
