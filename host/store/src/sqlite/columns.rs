//! Domain values as columns.

use mainstay_domain::time::Timestamp;
use rusqlite::{Error, types::ToSqlOutput};
use serde::Serialize;

/// A time as a column.
pub(super) struct Millis(pub(super) Timestamp);

impl rusqlite::ToSql for Millis {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX).into())
    }
}

/// A record.
pub(super) fn to_json<T: Serialize>(record: &T) -> rusqlite::Result<String> {
    serde_json::to_string(record).map_err(|error| Error::ToSqlConversionFailure(error.into()))
}

/// The one word that an enum of words is serialised as.
pub(super) fn word<T: Serialize>(value: &T) -> rusqlite::Result<String> {
    to_json(value).map(|json| json.trim_matches('"').to_owned())
}
