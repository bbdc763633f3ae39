//! Secrets as a guest has them: a handle stands for each, drawn for one call.
//!
//! Only a handle stands for a secret. The text `${secret:NAME}` means something where an operator wrote it, in a config
//! that was read before any foreign text joined it; anywhere else it is text.
//!
//! Invariant: a handle cannot be guessed without the seed of its call, and means nothing in another call.
//! Invariant: a handle is made of `a-z`, `0-9` and `-`, so that neither JSON nor a URL nor a header writes it otherwise.
//! Invariant: one pass; what was put in is not searched itself.

mod masked;

pub use masked::Masked;

use crate::{
    name::SecretName,
    template::{self, placeholder},
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
};

/// What every handle begins with. Its first letter comes nowhere else in a handle.
const PREFIX: &str = "mainstay-secret-";
/// Hexadecimal digits of a handle: 128 bits.
const DIGITS: usize = 32;

/// The handles of one call.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretHandles {
    by_handle: BTreeMap<String, SecretName>,
}

impl SecretHandles {
    /// A handle for each name; the same seed gives the same handles, so that a replayed call has those of the first.
    ///
    /// ```
    /// use mainstay_domain::{name::SecretName, secret::{SecretHandles, Masked}};
    /// let hook = SecretName::parse("hook").unwrap();
    /// let handles = SecretHandles::draw(&[7; 32], &[hook].into());
    /// let settings = handles.put_into(&serde_json::json!({ "token": "Bearer ${secret:hook}" }));
    /// let seen = settings["token"].as_str().unwrap().to_owned();
    /// assert!(!seen.contains("hook"), "{seen}");
    /// assert_eq!(seen.masked(&handles), "Bearer ${secret:hook}");
    /// ```
    pub fn draw(seed: &[u8; 32], names: &BTreeSet<SecretName>) -> Self {
        let draw = |name: &SecretName| {
            // The seed may serve other purposes too.
            let digest = blake3::Hasher::new_keyed(seed)
                .update(b"secret handle ")
                .update(name.as_str().as_bytes())
                .finalize();
            let digits: String = digest.to_hex().chars().take(DIGITS).collect();
            (format!("{PREFIX}{digits}"), name.clone())
        };
        Self {
            by_handle: names.iter().map(draw).collect(),
        }
    }

    /// Whether the call has no secrets.
    pub fn is_empty(&self) -> bool {
        self.by_handle.is_empty()
    }

    /// What an operator wrote as the guest sees it: a handle in place of each placeholder in its texts. The keys of
    /// objects are no texts. The placeholder of a secret that has no handle stays, and is text.
    #[must_use]
    pub fn put_into(&self, written: &Value) -> Value {
        match written {
            Value::String(text) => self.put_into_text(text).into(),
            Value::Array(items) => items.iter().map(|item| self.put_into(item)).collect(),
            Value::Object(fields) => {
                let fields = fields
                    .iter()
                    .map(|(key, field)| (key.clone(), self.put_into(field)));
                Value::Object(fields.collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => written.clone(),
        }
    }

    fn put_into_text(&self, text: &str) -> String {
        let handle = |name: &SecretName| {
            let mut handles = self.by_handle.iter();
            let found = handles.find(|(_, known)| *known == name);
            let put = found.map_or_else(|| placeholder(name), |(handle, _)| handle.clone());
            Ok::<_, template::TemplateError>(put)
        };
        // What is no template is reported when the config is read.
        template::expand(text, handle).unwrap_or_else(|_| text.to_owned())
    }

    /// The secret that this text stands for, where it is a handle of the call and nothing else.
    pub fn named(&self, handle: &str) -> Option<&SecretName> {
        self.by_handle.get(handle)
    }

    /// What a guest wrote with `value` in place of each handle; none where there is no handle.
    ///
    /// # Errors
    /// The first that `value` gives.
    pub fn reveal<E>(
        &self,
        bytes: &[u8],
        mut value: impl FnMut(&SecretName) -> Result<String, E>,
    ) -> Result<Option<Vec<u8>>, E> {
        self.reveal_within(bytes, |name, _| value(name))
    }

    /// As [`Self::reveal`], where the form of a value depends on what it is put into: `value` is also given what the
    /// guest wrote between the handle before, or the beginning, and this one.
    ///
    /// # Errors
    /// The first that `value` gives.
    ///
    /// ```
    /// use mainstay_domain::{name::SecretName, secret::SecretHandles};
    /// let hook = SecretName::parse("hook").unwrap();
    /// let handles = SecretHandles::draw(&[7; 32], &[hook].into());
    /// let seen = handles.put_into(&serde_json::json!("a${secret:hook}b${secret:hook}"));
    /// let mut before = Vec::new();
    /// let revealed = handles.reveal_within(seen.as_str().unwrap().as_bytes(), |_, between| {
    ///     before.push(between.to_vec());
    ///     Ok::<_, String>("1".to_owned())
    /// });
    /// assert_eq!(revealed, Ok(Some(b"a1b1".to_vec())));
    /// assert_eq!(before, [b"a", b"b"]);
    /// ```
    pub fn reveal_within<E>(
        &self,
        bytes: &[u8],
        mut value: impl FnMut(&SecretName, &[u8]) -> Result<String, E>,
    ) -> Result<Option<Vec<u8>>, E> {
        let mut made = Vec::new();
        // What lies before `kept` is in `made` already.
        let (mut kept, mut at) = (0, 0);
        while let Some(found) = self.find(bytes, at) {
            let end = found + PREFIX.len() + DIGITS;
            let handle = bytes.get(found..end).map(std::str::from_utf8);
            let name = match handle {
                Some(Ok(handle)) => self.by_handle.get(handle),
                Some(Err(_)) | None => None,
            };
            let Some(name) = name else {
                at = found + PREFIX.len();
                continue;
            };
            let between = bytes.get(kept..found).unwrap_or_default();
            made.extend_from_slice(between);
            made.extend_from_slice(value(name, between)?.as_bytes());
            (kept, at) = (end, end);
        }
        if kept == 0 {
            return Ok(None);
        }
        made.extend_from_slice(bytes.get(kept..).unwrap_or_default());
        Ok(Some(made))
    }

    /// Where the next thing that begins like a handle begins.
    fn find(&self, bytes: &[u8], from: usize) -> Option<usize> {
        if self.is_empty() {
            return None;
        }
        let first = PREFIX.as_bytes().first()?;
        let mut at = from;
        loop {
            at += bytes.get(at..)?.iter().position(|byte| byte == first)?;
            if bytes.get(at..)?.starts_with(PREFIX.as_bytes()) {
                return Some(at);
            }
            at += 1;
        }
    }

    /// As people see it: a placeholder in place of each handle; none where there is no handle.
    fn mask(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let name = |name: &SecretName| Ok::<_, Infallible>(placeholder(name));
        self.reveal(bytes, name).unwrap_or_default()
    }
}

/// Its names: a handle belongs into no log.
impl std::fmt::Debug for SecretHandles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.by_handle.values()).finish()
    }
}

#[cfg(test)]
mod tests;
