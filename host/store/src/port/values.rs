//! Durable values of plugins.

use super::Boxed;
use mainstay_domain::{effect::EffectError, name::PluginName, record::EffectEntry};

/// A write of a value that is an effect of an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedWrite {
    /// Whose.
    pub plugin: PluginName,
    /// Its key.
    pub key: String,
    /// What must be there; the outer `None`: whatever is.
    pub expected: Option<Option<Vec<u8>>>,
    /// None: nothing is to be there.
    pub value: Option<Vec<u8>>,
    /// `Limited` where the namespace would grow above this.
    pub max_bytes: u64,
    /// The entry of its result, which has none yet.
    pub entry: EffectEntry,
}

/// Durable values of plugins, each plugin in a namespace of its own. All errors are for the plugin.
pub trait Values: Send + Sync {
    /// A value.
    fn get(
        &self,
        plugin: PluginName,
        key: String,
    ) -> Boxed<'_, Result<Option<Vec<u8>>, EffectError>>;
    /// Sets or, with none, deletes a value; `Limited` where the namespace would grow above `max_bytes`.
    fn set(
        &self,
        plugin: PluginName,
        key: String,
        value: Option<Vec<u8>>,
        max_bytes: u64,
    ) -> Boxed<'_, Result<(), EffectError>>;
    /// Sets a value where the present one is `expected`; whether it was.
    fn compare_and_set(
        &self,
        plugin: PluginName,
        key: String,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
        max_bytes: u64,
    ) -> Boxed<'_, Result<bool, EffectError>>;
    /// The keys with a prefix, sorted.
    fn keys(
        &self,
        plugin: PluginName,
        prefix: String,
    ) -> Boxed<'_, Result<Vec<String>, EffectError>>;
    /// A write that is an effect of an operation: the value and the result are written together, or neither is. Whether it
    /// was set.
    fn write_recorded(&self, write: RecordedWrite) -> Boxed<'_, Result<bool, EffectError>>;
}
