//! Durable values in the plugin's own namespace.

use super::EffectError;

/// Durable values in the plugin's own namespace, which all its versions share: `kv = "1MiB"`.
///
/// Keys are 1 to 256 bytes of text. Every function fails with `Denied` where the capability is not granted, a write
/// above the granted size with `Limited`, and one under anything that is no key with `Failed`.
pub trait Kv {
    /// The plugin's values.
    fn kv(&mut self) -> KvStore<'_, Self>
    where
        Self: Sized,
    {
        KvStore { host: self }
    }

    /// See [`KvStore::get`].
    #[doc(hidden)]
    fn kv_get(&mut self, key: &str) -> Result<Option<Vec<u8>>, EffectError>;

    /// See [`KvStore::set`].
    #[doc(hidden)]
    fn kv_set(&mut self, key: &str, value: &[u8]) -> Result<(), EffectError>;

    /// See [`KvStore::delete`].
    #[doc(hidden)]
    fn kv_delete(&mut self, key: &str) -> Result<(), EffectError>;

    /// See [`KvStore::compare_and_set`].
    #[doc(hidden)]
    fn kv_compare_and_set(
        &mut self,
        key: &str,
        expected: Option<&[u8]>,
        value: &[u8],
    ) -> Result<bool, EffectError>;

    /// See [`KvStore::keys`].
    #[doc(hidden)]
    fn kv_keys(&mut self, prefix: &str) -> Result<Vec<String>, EffectError>;
}

/// The plugin's values, as [`Kv::kv`] gives them.
pub struct KvStore<'host, H> {
    host: &'host mut H,
}

impl<H: Kv> KvStore<'_, H> {
    /// The value; `None` where the key is not there.
    ///
    /// # Errors
    /// As for every function of [`Kv`].
    pub fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, EffectError> {
        self.host.kv_get(key)
    }

    /// Sets the value, durably when it returns.
    ///
    /// # Errors
    /// As for every function of [`Kv`].
    pub fn set(&mut self, key: &str, value: impl AsRef<[u8]>) -> Result<(), EffectError> {
        self.host.kv_set(key, value.as_ref())
    }

    /// Deletes the key; does nothing where it is not there.
    ///
    /// # Errors
    /// As for every function of [`Kv`].
    pub fn delete(&mut self, key: &str) -> Result<(), EffectError> {
        self.host.kv_delete(key)
    }

    /// Sets the value only where the present one is `expected`, `None` meaning "no such key"; false where it is not.
    ///
    /// # Errors
    /// As for every function of [`Kv`].
    pub fn compare_and_set(
        &mut self,
        key: &str,
        expected: Option<&[u8]>,
        value: impl AsRef<[u8]>,
    ) -> Result<bool, EffectError> {
        self.host.kv_compare_and_set(key, expected, value.as_ref())
    }

    /// The keys that start with `prefix`, sorted; all for the empty prefix.
    ///
    /// # Errors
    /// As for every function of [`Kv`].
    pub fn keys(&mut self, prefix: &str) -> Result<Vec<String>, EffectError> {
        self.host.kv_keys(prefix)
    }
}
