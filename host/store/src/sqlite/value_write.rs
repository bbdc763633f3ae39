//! A write to one key of a plugin, with its caps.

use super::{changes::append_effect, sums::checked};
use mainstay_domain::{
    effect::{Answer, EffectError},
    name::PluginName,
    record::EffectEntry,
};
use rusqlite::{Connection, OptionalExtension, params};

/// Keys of one plugin.
pub(super) const MAX_KEYS: i64 = 10_000;
/// Bytes of one key.
pub(super) const MAX_KEY_BYTES: usize = 256;

/// A write to one key.
#[derive(Debug)]
pub(super) struct ValueWrite {
    pub(super) plugin: PluginName,
    pub(super) key: String,
    /// What must be there; the outer `None`: whatever is.
    pub(super) expected: Option<Option<Vec<u8>>>,
    /// None: nothing is to be there.
    pub(super) value: Option<Vec<u8>>,
    pub(super) max_bytes: u64,
    /// The entry of its result, where it is an effect of an operation.
    pub(super) entry: Option<Box<EffectEntry>>,
}

/// What a namespace holds.
#[derive(Clone, Copy, Default)]
struct Usage {
    keys: i64,
    bytes: i64,
}

impl ValueWrite {
    /// Whether the value was set; the inner error is for the plugin, and no value was written then. What it came to is
    /// written with it, where it is to be.
    pub(super) fn apply(
        &self,
        connection: &Connection,
    ) -> rusqlite::Result<Result<bool, EffectError>> {
        let done = self.write(connection)?;
        if let Some(entry) = &self.entry {
            let answer = |set: bool| match self.expected {
                Some(_) => Answer::Swapped(set),
                None => Answer::Done,
            };
            let entry = EffectEntry {
                result: Some(done.clone().map(answer)),
                ..EffectEntry::clone(entry)
            };
            append_effect(connection, &entry)?;
        }
        Ok(done)
    }

    fn write(&self, connection: &Connection) -> rusqlite::Result<Result<bool, EffectError>> {
        let (plugin, key) = (self.plugin.as_str(), self.key.as_str());
        let present: Option<Vec<u8>> = connection
            .prepare_cached(concat!(
                "SELECT ",
                checked!(plugin_values),
                " FROM plugin_values WHERE plugin = ?1 AND key = ?2"
            ))?
            .query_row(params![plugin, key], |row| row.get(0))
            .optional()?;
        if self
            .expected
            .as_ref()
            .is_some_and(|expected| *expected != present)
        {
            return Ok(Ok(false));
        }
        let before = connection
            .prepare_cached(concat!(
                "SELECT keys, ",
                checked!(plugin_usage),
                " FROM plugin_usage WHERE plugin = ?1"
            ))?
            .query_row(params![plugin], |row| {
                Ok(Usage {
                    keys: row.get(0)?,
                    bytes: row.get(1)?,
                })
            })
            .optional()?
            .unwrap_or_default();
        let (old, new) = (
            self.weight(present.as_deref()),
            self.weight(self.value.as_deref()),
        );
        let after = Usage {
            keys: before.keys - old.keys + new.keys,
            bytes: before.bytes - old.bytes + new.bytes,
        };
        if let Err(limited) = self.check(before, after) {
            return Ok(Err(limited));
        }
        match &self.value {
            Some(value) => connection
                .prepare_cached(
                    "INSERT INTO plugin_values (plugin, key, value, sum) VALUES (?1, ?2, ?3, row_sum(?1, ?2, ?3))
                     ON CONFLICT DO UPDATE SET value = excluded.value, sum = excluded.sum",
                )?
                .execute(params![plugin, key, value])?,
            None => connection
                .prepare_cached("DELETE FROM plugin_values WHERE plugin = ?1 AND key = ?2")?
                .execute(params![plugin, key])?,
        };
        connection
            .prepare_cached(
                "INSERT INTO plugin_usage (plugin, keys, bytes, sum) VALUES (?1, ?2, ?3, row_sum(?1, ?2, ?3))
                 ON CONFLICT DO UPDATE SET keys = excluded.keys, bytes = excluded.bytes, sum = excluded.sum",
            )?
            .execute(params![plugin, after.keys, after.bytes])?;
        Ok(Ok(true))
    }

    /// What it takes while it waits.
    pub(super) fn bytes(&self) -> usize {
        let expected = self.expected.iter().flatten();
        let values = expected.chain(&self.value).map(Vec::len);
        let entry = self.entry.as_ref().map_or(0, |entry| entry.bytes());
        let entry = usize::try_from(entry).unwrap_or(usize::MAX);
        size_of::<Self>()
            .saturating_add(self.key.len() + values.sum::<usize>())
            .saturating_add(entry)
    }

    fn weight(&self, value: Option<&[u8]>) -> Usage {
        value.map_or(Usage::default(), |value| Usage {
            keys: 1,
            bytes: i64::try_from(self.key.len() + value.len()).unwrap_or(i64::MAX),
        })
    }

    fn check(&self, before: Usage, after: Usage) -> Result<(), EffectError> {
        let max_bytes = i64::try_from(self.max_bytes).unwrap_or(i64::MAX);
        if after.bytes > before.bytes && after.bytes > max_bytes {
            return Err(EffectError::Limited(format!(
                "kv: with `{}` the namespace would hold {} bytes, and its grant is {max_bytes}; delete something, or \
                 ask the operator for a larger `kv` grant",
                self.key, after.bytes
            )));
        }
        if after.keys > before.keys && after.keys > MAX_KEYS {
            return Err(EffectError::Limited(format!(
                "kv: with `{}` the namespace would hold more than {MAX_KEYS} keys; delete some",
                self.key
            )));
        }
        Ok(())
    }
}
