//! Durable values of plugins.
//!
//! Invariant: all writes go through the writer thread, so that a compare-and-set sees no other write between its
//! halves, and the caps hold whatever is asked at the same time.
//! Invariant: a namespace holds at most [`MAX_KEYS`](super::value_write::MAX_KEYS) keys of at most [`MAX_KEY_BYTES`] bytes, and keys and values
//! together at most what the operator granted; a write that makes it smaller is allowed even above that.

use super::{
    SqliteJournal,
    queue::Work,
    sums::checked,
    value_write::{MAX_KEY_BYTES, ValueWrite},
};
use crate::port::{Boxed, RecordedWrite, StoreError, Values};
use mainstay_domain::{effect::EffectError, name::PluginName};
use rusqlite::{OptionalExtension, params};

impl SqliteJournal {
    fn write_value(&self, write: ValueWrite) -> Boxed<'_, Result<bool, EffectError>> {
        // A longer one that a version before has taken can still be deleted.
        let is_too_long = write.key.len() > MAX_KEY_BYTES && write.value.is_some();
        if write.key.is_empty() || is_too_long {
            let found = write.key.len();
            return Box::pin(std::future::ready(Err(EffectError::Failed(format!(
                "kv: a key of {found} bytes; a key has 1 to {MAX_KEY_BYTES} bytes"
            )))));
        }
        let answer = self.submit(|ack| Work::Value(write, ack));
        Box::pin(async move { answer.await.map_err(unavailable)? })
    }
}

fn unavailable(error: StoreError) -> EffectError {
    EffectError::Unavailable(format!("kv: {error}"))
}

impl Values for SqliteJournal {
    fn get(
        &self,
        plugin: PluginName,
        key: String,
    ) -> Boxed<'_, Result<Option<Vec<u8>>, EffectError>> {
        let reading = self.readers.read(move |connection| {
            connection
                .prepare_cached(concat!(
                    "SELECT ",
                    checked!(plugin_values),
                    " FROM plugin_values WHERE plugin = ?1 AND key = ?2"
                ))?
                .query_row(params![plugin.as_str(), key], |row| row.get(0))
                .optional()
        });
        Box::pin(async move { reading.await.map_err(unavailable) })
    }

    fn set(
        &self,
        plugin: PluginName,
        key: String,
        value: Option<Vec<u8>>,
        max_bytes: u64,
    ) -> Boxed<'_, Result<(), EffectError>> {
        let written = self.write_value(ValueWrite {
            plugin,
            key,
            expected: None,
            value,
            max_bytes,
            entry: None,
        });
        Box::pin(async move { written.await.map(drop) })
    }

    fn compare_and_set(
        &self,
        plugin: PluginName,
        key: String,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
        max_bytes: u64,
    ) -> Boxed<'_, Result<bool, EffectError>> {
        self.write_value(ValueWrite {
            plugin,
            key,
            expected: Some(expected),
            value: Some(value),
            max_bytes,
            entry: None,
        })
    }

    fn write_recorded(&self, write: RecordedWrite) -> Boxed<'_, Result<bool, EffectError>> {
        let RecordedWrite {
            plugin,
            key,
            expected,
            value,
            max_bytes,
            entry,
        } = write;
        self.write_value(ValueWrite {
            plugin,
            key,
            expected,
            value,
            max_bytes,
            entry: Some(Box::new(entry)),
        })
    }

    fn keys(
        &self,
        plugin: PluginName,
        prefix: String,
    ) -> Boxed<'_, Result<Vec<String>, EffectError>> {
        let reading = self.readers.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT key FROM plugin_values WHERE plugin = ?1 AND key >= ?2 ORDER BY key",
            )?;
            let mut rows = statement.query(params![plugin.as_str(), prefix])?;
            let mut keys = Vec::new();
            while let Some(row) = rows.next()? {
                let key: String = row.get(0)?;
                if !key.starts_with(&prefix) {
                    break;
                }
                keys.push(key);
            }
            Ok(keys)
        });
        Box::pin(async move { reading.await.map_err(unavailable) })
    }
}
