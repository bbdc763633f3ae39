//! A state: every document of a backup's sources at one time, without the content.
//!
//! Invariant: two states with the same root hash hold the same keys, kinds, permissions and contents. Times and owners
//! are not part of it, so a restore by another user, or by hand, gives the same root hash.

use super::{DocumentKey, InvalidKey};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// BLAKE3 of content; hexadecimal where it is written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::from(blake3::hash(bytes))
    }

    /// The hash itself.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        blake3::Hash::from_hex(text).ok().map(Self::from)
    }
}

impl From<blake3::Hash> for ContentHash {
    fn from(hash: blake3::Hash) -> Self {
        Self(*hash.as_bytes())
    }
}

impl std::fmt::Display for ContentHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl std::fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for ContentHash {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a BLAKE3 hash is 64 hexadecimal digits")
    }
}

impl From<ContentHash> for String {
    fn from(hash: ContentHash) -> String {
        hash.to_string()
    }
}

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DocumentKind {
    /// A file; its content is its bytes.
    File,
    /// A directory; its content is empty.
    Directory,
    /// A symbolic link; its content is what it points at.
    Symlink,
}

/// Permission bits, set-user-id, set-group-id and sticky included; four octal digits where they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mode(u32);

impl Mode {
    /// The permission bits of a `st_mode`.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits & 0o7777)
    }

    /// The bits.
    pub const fn bits(self) -> u32 {
        self.0
    }
}

impl TryFrom<String> for Mode {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits = text.len() == 4 && text.bytes().all(|b| matches!(b, b'0'..=b'7'));
        let bits = u32::from_str_radix(&text, 8).ok().filter(|_| digits);
        bits.map(Self)
            .ok_or("a mode is four octal digits, e.g. 0644")
    }
}

impl From<Mode> for String {
    fn from(mode: Mode) -> String {
        format!("{:04o}", mode.0)
    }
}

/// What is known of a document beside its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: DocumentKind,
    /// Its permissions.
    pub mode: Mode,
    /// When it was last changed, to the nanosecond.
    pub mtime: jiff::Timestamp,
    /// Its owner's number.
    pub uid: u32,
    /// Its group's number.
    pub gid: u32,
    /// Bytes of its content.
    pub size: u64,
    /// Hash of its content.
    pub hash: ContentHash,
}

impl Entry {
    /// Whether the content is the same, whatever the metadata.
    pub fn same_content(&self, other: &Entry) -> bool {
        self.kind == other.kind && self.size == other.size && self.hash == other.hash
    }
}

/// A state that cannot be a tree of files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the archive holds `{key}`, but `{ancestor}` is not a directory in it; it was not written by mainstay"
)]
pub struct TreeError {
    /// What lies below.
    pub key: DocumentKey,
    /// What it lies below.
    pub ancestor: String,
}

/// Every document at one time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    entries: BTreeMap<DocumentKey, Entry>,
}

impl State {
    /// Adds a document; the error says that there is one with this key already.
    pub fn insert(&mut self, key: DocumentKey, entry: Entry) -> Result<(), InvalidKey> {
        match self.entries.entry(key) {
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(entry);
                Ok(())
            }
            std::collections::btree_map::Entry::Occupied(taken) => Err(InvalidKey {
                found: taken.key().to_string(),
                why: "two documents have it",
            }),
        }
    }

    /// Takes a document out.
    pub fn remove(&mut self, key: &DocumentKey) -> Option<Entry> {
        self.entries.remove(key)
    }

    /// A document.
    pub fn get(&self, key: &DocumentKey) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// Every document, by key.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&DocumentKey, &Entry)> {
        self.entries.iter()
    }

    /// How many documents there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// BLAKE3 over all documents in the order of their keys' bytes, for each: the key's length in bytes (64 bits,
    /// little endian), the key, one byte for the kind (`f`, `d` or `l`), the permission bits (32 bits, little endian)
    /// and the 32 bytes of the content's hash. A symbolic link has no permissions; its bits count as 0.
    pub fn root_hash(&self) -> ContentHash {
        let mut hasher = blake3::Hasher::new();
        for (key, entry) in &self.entries {
            let (kind, mode) = match entry.kind {
                DocumentKind::File => (b'f', entry.mode),
                DocumentKind::Directory => (b'd', entry.mode),
                DocumentKind::Symlink => (b'l', Mode::from_bits(0)),
            };
            hasher.update(&(key.as_str().len() as u64).to_le_bytes());
            hasher.update(key.as_str().as_bytes());
            hasher.update(&[kind]);
            hasher.update(&mode.bits().to_le_bytes());
            hasher.update(entry.hash.as_bytes());
        }
        hasher.finalize().into()
    }

    /// Whether nothing lies below what is not a directory: below a symbolic link, a restore would leave its place.
    pub fn check_tree(&self) -> Result<(), TreeError> {
        for key in self.entries.keys() {
            let blocked = key.ancestors().chain(["."]).find(|ancestor| {
                let above = self.entries.get(*ancestor);
                above.is_some_and(|entry| entry.kind != DocumentKind::Directory)
            });
            if let Some(ancestor) = blocked {
                return Err(TreeError {
                    key: key.clone(),
                    ancestor: ancestor.to_owned(),
                });
            }
        }
        Ok(())
    }
}

impl FromIterator<(DocumentKey, Entry)> for State {
    fn from_iter<I: IntoIterator<Item = (DocumentKey, Entry)>>(entries: I) -> Self {
        Self {
            entries: entries.into_iter().collect(),
        }
    }
}

impl IntoIterator for State {
    type Item = (DocumentKey, Entry);
    type IntoIter = std::collections::btree_map::IntoIter<DocumentKey, Entry>;
    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}
