//! The key of a document: where it belongs, below the directory that it came from.
//!
//! A key is a relative path with `/` between its names, written in UTF-8. File names are bytes; a byte that is not
//! part of valid UTF-8 is written `%XX` (upper-case hexadecimal), and so is `%` itself (`%25`). Nothing else is
//! escaped, so each path has exactly one key, and the key `.` is the directory itself.
//!
//! Invariant: no name in a key is empty, `.` or `..`, and none holds a NUL; this holds for the bytes that it stands
//! for, so that no escape can hide them.

use crate::text::excerpt;
use serde::{Deserialize, Serialize};

/// The longest name that a file can have, in bytes.
const LONGEST_NAME: usize = 255;

/// Why a text or a path is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` is not a document key: {why}; a key is a relative path such as `etc/motd`, with `%XX` for bytes that are not UTF-8"
)]
pub struct InvalidKey {
    /// What was given, cut to a printable length.
    pub found: String,
    /// Which rule it breaks.
    pub why: &'static str,
}

/// Where a document belongs. Ordered by its bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DocumentKey(String);

impl DocumentKey {
    /// The key of the directory itself.
    pub fn root() -> Self {
        Self(".".to_owned())
    }

    /// The key of a relative path; `.` is the directory itself.
    ///
    /// # Errors
    /// Which rule it breaks: a key is relative, has no empty name, no `.`, no `..` and no NUL in it.
    pub fn from_bytes(path: &[u8]) -> Result<Self, InvalidKey> {
        let key = escape(path);
        match broken_rule(path) {
            None => Ok(Self(key)),
            Some(why) => Err(InvalidKey {
                found: excerpt(&key),
                why,
            }),
        }
    }

    /// Checks a text, in which `%XX` stands for a byte that is not part of UTF-8.
    ///
    /// # Errors
    /// As of [`Self::from_bytes`]; or something is escaped that must not be, or wrongly.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let refused = |why| InvalidKey {
            found: excerpt(text),
            why,
        };
        let bytes = unescape(text)
            .ok_or_else(|| refused("a `%` must be followed by two hexadecimal digits"))?;
        if escape(&bytes) != text {
            return Err(refused("it escapes what must not be escaped"));
        }
        Self::from_bytes(&bytes)
    }

    /// The key, where files can have its names: what people write and plugins give was never the path of one.
    ///
    /// # Errors
    /// One of its names is longer than that of a file can be, so that it could never be put back.
    pub fn restorable(self) -> Result<Self, InvalidKey> {
        let path = self.to_bytes();
        let mut names = path.split(|byte| *byte == b'/');
        if names.any(|name| name.len() > LONGEST_NAME) {
            return Err(InvalidKey {
                found: excerpt(&self.0),
                why: "it has a name of more than 255 bytes, and no file has one",
            });
        }
        Ok(self)
    }

    /// The key as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The relative path that it stands for.
    pub fn to_bytes(&self) -> Vec<u8> {
        unescape(&self.0).unwrap_or_default()
    }

    /// Whether it is the directory itself.
    pub fn is_root(&self) -> bool {
        self.0 == "."
    }

    /// The keys of the directories that it lies in, nearest first, without the root.
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        let mut rest = self.0.as_str();
        std::iter::from_fn(move || {
            rest = rest.rsplit_once('/')?.0;
            Some(rest)
        })
    }
}

impl std::fmt::Display for DocumentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for DocumentKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for DocumentKey {
    type Error = InvalidKey;
    fn try_from(text: String) -> Result<Self, InvalidKey> {
        Self::parse(&text)
    }
}

impl From<DocumentKey> for String {
    fn from(key: DocumentKey) -> String {
        key.0
    }
}

/// What a source puts before its keys: nothing, or a key and a `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPrefix(Option<DocumentKey>);

impl KeyPrefix {
    /// Checks a configured prefix; slashes at its end do not count.
    ///
    /// # Errors
    /// As of [`DocumentKey::parse`].
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let trimmed = text.trim_end_matches('/');
        if trimmed.is_empty() && !text.starts_with('/') {
            return Ok(Self(None));
        }
        DocumentKey::parse(trimmed).map(|key| Self((!key.is_root()).then_some(key)))
    }

    /// The key of what lies at `key` below the source.
    #[must_use]
    pub fn join(&self, key: &DocumentKey) -> DocumentKey {
        match &self.0 {
            None => key.clone(),
            Some(prefix) if key.is_root() => prefix.clone(),
            Some(prefix) => DocumentKey(format!("{prefix}/{key}")),
        }
    }

    /// What `join` was given to make `key`; none where the key is not below this prefix.
    pub fn strip(&self, key: &DocumentKey) -> Option<DocumentKey> {
        let Some(prefix) = &self.0 else {
            return Some(key.clone());
        };
        let rest = key.as_str().strip_prefix(prefix.as_str())?;
        match rest.strip_prefix('/') {
            Some(rest) => Some(DocumentKey(rest.to_owned())),
            None => rest.is_empty().then(DocumentKey::root),
        }
    }

    /// The prefix as it is written; empty for none.
    pub fn as_str(&self) -> &str {
        self.0.as_ref().map_or("", DocumentKey::as_str)
    }
}

fn broken_rule(path: &[u8]) -> Option<&'static str> {
    if path == b"." {
        return None;
    }
    if path.is_empty() {
        return Some("it is empty");
    }
    if path.contains(&0) {
        return Some("it holds a NUL");
    }
    path.split(|byte| *byte == b'/')
        .find_map(|name| match name {
            b"" => Some("it has an empty name, or begins or ends with `/`"),
            b"." | b".." => Some("it has a name `.` or `..`"),
            _ => None,
        })
}

pub(super) fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for (at, piece) in chunk.valid().split('%').enumerate() {
            if at > 0 {
                text.push_str("%25");
            }
            text.push_str(piece);
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

pub(super) fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_hostile_key_is_refused_in_every_disguise() {
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../x",
            "a/../b",
            "a/..",
            "a//b",
            "a/",
            "./a",
            "a/.",
            "a\0b",
            "%2E%2E/x",
            "%2e%2e",
            "%2Fetc",
            "a%2F..%2Fb",
            "%00",
            "%",
            "%4",
            "%zz",
            "%41",
            "%+1",
            "%ff",
        ] {
            assert!(
                DocumentKey::parse(bad).is_err(),
                "{bad:?} should be refused"
            );
        }
        for good in [
            "a", ".", "a/b", "...", "a b/ö", ".hidden", "100%25", "caf%E9",
        ] {
            assert!(DocumentKey::parse(good).is_ok(), "{good:?} should be a key");
        }
    }

    #[test]
    fn a_name_that_no_file_can_have_is_not_restorable() {
        let longest = "a".repeat(255);
        for (text, is_restorable) in [
            (".".to_owned(), true),
            (longest.clone(), true),
            (format!("{longest}/{longest}"), true),
            (format!("{longest}a"), false),
            (format!("x/{longest}a/y"), false),
            // Bytes count, and neither letters nor how a key writes them.
            ("ö".repeat(128), false),
            ("%25".repeat(255), true),
        ] {
            let key = DocumentKey::parse(&text).unwrap();
            assert_eq!(key.restorable().is_ok(), is_restorable, "{text}");
        }
    }

    #[test]
    fn a_prefix_is_taken_off_as_it_was_put_before() {
        for (prefix, key, joined) in [
            ("", "a/b", "a/b"),
            ("etc", "a/b", "etc/a/b"),
            ("etc/", ".", "etc"),
            ("x/y", "z", "x/y/z"),
            ("", ".", "."),
        ] {
            let prefix = KeyPrefix::parse(prefix).unwrap();
            let key = DocumentKey::parse(key).unwrap();
            assert_eq!(prefix.join(&key).as_str(), joined);
            assert_eq!(prefix.strip(&prefix.join(&key)), Some(key));
        }
        let etc = KeyPrefix::parse("etc").unwrap();
        assert_eq!(etc.strip(&DocumentKey::parse("etcetera").unwrap()), None);
        assert!(KeyPrefix::parse("/etc").is_err() && KeyPrefix::parse("/").is_err());
    }

    proptest! {
        #[test]
        fn every_path_has_one_key_and_every_key_one_path(path in prop::collection::vec(any::<u8>(), 0..24)) {
            if let Ok(key) = DocumentKey::from_bytes(&path) {
                prop_assert_eq!(key.to_bytes(), path);
                prop_assert_eq!(DocumentKey::parse(key.as_str()), Ok(key));
            }
        }

        #[test]
        fn a_text_that_is_a_key_stands_for_a_safe_path(text in "[a.%/25EFf]{0,12}") {
            if let Ok(key) = DocumentKey::parse(&text) {
                let path = key.to_bytes();
                prop_assert!(key.is_root() || path.split(|b| *b == b'/').all(|name| !matches!(name, b"" | b"." | b"..")));
            }
        }
    }
}
