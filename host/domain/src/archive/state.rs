//! A state: every document of a backup's sources at one time, without the content.
//!
//! Invariant: two states with the same root hash hold the same keys, kinds, permissions and contents. Times and owners
//! are not part of it, so a restore by another user, or by hand, gives the same root hash. Extended attributes, hard links
//! and holes are, where there are any.
//!
//! Length: a document's entry, the state that holds it, and the hash over both are one definition, read in order.

use super::{
    DocumentKey, Extras, Hole, InvalidKey, Xattrs,
    extras::{are_holes_sound, data_bytes},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

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
    /// Bytes of its content, holes included.
    pub size: u64,
    /// Hash of its content, holes left out.
    pub hash: ContentHash,
    /// What few documents have beside that; none where there is nothing of it.
    pub extras: Option<Box<Extras>>,
}

static NO_XATTRS: Xattrs = Xattrs::new();

impl Entry {
    /// Whether the content is the same, whatever the metadata.
    pub fn same_content(&self, other: &Entry) -> bool {
        self.kind == other.kind
            && self.size == other.size
            && self.hash == other.hash
            && self.holes() == other.holes()
    }

    /// Its extended attributes.
    pub fn xattrs(&self) -> &Xattrs {
        let extras = self.extras.as_deref();
        extras.map_or(&NO_XATTRS, |extras| &extras.xattrs)
    }

    /// The document that is the same file, and holds the content of both.
    pub fn link(&self) -> Option<&DocumentKey> {
        self.extras.as_deref()?.link.as_ref()
    }

    /// What of its content reads as zeros and takes no room.
    pub fn holes(&self) -> &[Hole] {
        let extras = self.extras.as_deref();
        let holes = extras.map(|extras| extras.holes.as_slice());
        holes.unwrap_or_default()
    }

    /// Bytes of its content without holes.
    pub fn data_bytes(&self) -> u64 {
        data_bytes(self.holes(), self.size)
    }

    /// Bytes of content that are stored for it: none for a link.
    pub fn stored_bytes(&self) -> u64 {
        match self.link() {
            Some(_) => 0,
            None => self.data_bytes(),
        }
    }

    /// With these extended attributes.
    #[must_use]
    pub fn with_xattrs(self, xattrs: Xattrs) -> Self {
        self.with(|extras| extras.xattrs = xattrs)
    }

    /// With these holes.
    #[must_use]
    pub fn with_holes(self, holes: Vec<Hole>) -> Self {
        self.with(|extras| extras.holes = holes)
    }

    /// As another name of a document.
    #[must_use]
    pub fn linked_to(self, holder: DocumentKey) -> Self {
        self.with(|extras| extras.link = Some(holder))
    }

    /// As a file by itself.
    #[must_use]
    pub fn unlinked(self) -> Self {
        self.with(|extras| extras.link = None)
    }

    fn with(mut self, change: impl FnOnce(&mut Extras)) -> Self {
        let mut extras = self.extras.take().map_or_else(Extras::default, |it| *it);
        change(&mut extras);
        self.extras = extras.boxed();
        self
    }

    /// Whether there may be a document with these holes and this link: only files have any.
    pub fn is_sound(&self) -> bool {
        let is_plain = self.holes().is_empty() && self.link().is_none();
        is_plain || (self.kind == DocumentKind::File && are_holes_sound(self.holes(), self.size))
    }
}

/// A hard link to what is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the archive says that `{key}` is the same file as `{link}`, which is no file with that content in it; it was not written by mainstay"
)]
pub struct LinkError {
    /// The link.
    pub key: DocumentKey,
    /// What it names.
    pub link: DocumentKey,
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
    ///
    /// Of a document with extended attributes, another name before it in this order, or holes, the byte for the kind is
    /// upper case, and there follow: the number of its attributes, and for each the length of its name, the name, the
    /// length of its value and the value; the length of the key of the first document in this order that is the same
    /// file, and that key, or a length of 0 where it is the first itself; the number of its holes, and for each offset and
    /// length. Numbers have 64 bits, little endian. So it does not tell which of its names holds the content of a file.
    pub fn root_hash(&self) -> ContentHash {
        let mut hasher = RootHasher::default();
        let names = self.first_names();
        for (key, entry) in &self.entries {
            hasher.document(key, entry, &names);
        }
        hasher.finish()
    }

    /// For each document with other names the first of them all in the order of the keys.
    pub(super) fn first_names(&self) -> FirstNames {
        let mut names = FirstNames::default();
        for (key, entry) in &self.entries {
            names.note(key, entry);
        }
        names
    }
}

/// Of documents with several names the first one in the order of the keys. Nothing is held of those that hold their content by it,
/// as nearly all do that were found in about this order.
#[derive(Debug, Default)]
pub struct FirstNames {
    /// Where it is another one.
    by_holder: HashMap<DocumentKey, DocumentKey>,
}

impl FirstNames {
    /// Takes up a document of the state.
    pub fn note(&mut self, key: &DocumentKey, entry: &Entry) {
        if let Some(holder) = entry.link().filter(|holder| key < *holder) {
            let name = self.by_holder.entry(holder.clone());
            let name = name.or_insert_with(|| key.clone());
            if key < &*name {
                name.clone_from(key);
            }
        }
    }

    /// The first name of what a document is, once all documents of its state were noted.
    pub fn of<'a>(&'a self, key: &'a DocumentKey, entry: &'a Entry) -> &'a DocumentKey {
        let holder = entry.link().unwrap_or(key);
        self.by_holder.get(holder).unwrap_or(holder)
    }
}

/// Makes the root hash of a state whose documents are told one by one; see [`State::root_hash`].
#[derive(Debug, Default)]
pub struct RootHasher {
    hasher: blake3::Hasher,
}

impl RootHasher {
    /// The next document in the order of the keys' bytes; `names` are those of the whole state.
    pub fn document(&mut self, key: &DocumentKey, entry: &Entry, names: &FirstNames) {
        let hasher = &mut self.hasher;
        let first = Some(names.of(key, entry)).filter(|first| *first != key);
        let has_more = !entry.xattrs().is_empty() || first.is_some() || !entry.holes().is_empty();
        let (kind, mode) = match entry.kind {
            DocumentKind::File => (b'f', entry.mode),
            DocumentKind::Directory => (b'd', entry.mode),
            DocumentKind::Symlink => (b'l', Mode::from_bits(0)),
        };
        hasher.update(&(key.as_str().len() as u64).to_le_bytes());
        hasher.update(key.as_str().as_bytes());
        hasher.update(&[match has_more {
            true => kind.to_ascii_uppercase(),
            false => kind,
        }]);
        hasher.update(&mode.bits().to_le_bytes());
        hasher.update(entry.hash.as_bytes());
        if has_more {
            hash_more(hasher, entry, first);
        }
    }

    /// The root hash, after the last document.
    pub fn finish(&self) -> ContentHash {
        self.hasher.finalize().into()
    }
}

fn hash_more(hasher: &mut blake3::Hasher, entry: &Entry, first: Option<&DocumentKey>) {
    fn number(hasher: &mut blake3::Hasher, number: u64) {
        hasher.update(&number.to_le_bytes());
    }
    fn bytes(hasher: &mut blake3::Hasher, bytes: &[u8]) {
        number(hasher, bytes.len() as u64);
        hasher.update(bytes);
    }
    number(hasher, entry.xattrs().len() as u64);
    for (name, value) in entry.xattrs() {
        bytes(hasher, name.as_str().as_bytes());
        bytes(hasher, value.as_bytes());
    }
    bytes(hasher, first.map_or("", DocumentKey::as_str).as_bytes());
    number(hasher, entry.holes().len() as u64);
    for hole in entry.holes() {
        number(hasher, hole.offset);
        number(hasher, hole.length);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{XattrName, XattrValue};

    fn key(text: &str) -> DocumentKey {
        DocumentKey::parse(text).unwrap()
    }

    #[test]
    fn of_names_of_one_file_the_first_is_known_and_none_is_held_where_that_holds_the_content() {
        let names_of = |holder: &str, others: &[&str]| {
            let mut names = FirstNames::default();
            names.note(&key(holder), &file());
            for other in others {
                names.note(&key(other), &file().linked_to(key(holder)));
            }
            names
        };
        for (holder, others, first, held) in [
            ("a", ["b", "c"], "a", 0),
            ("b", ["c", "a"], "a", 1),
            ("c", ["b", "a"], "a", 1),
            ("c", ["a", "b"], "a", 1),
        ] {
            let names = names_of(holder, &others);
            assert_eq!(names.by_holder.len(), held, "{holder}");
            assert_eq!(names.of(&key(holder), &file()), &key(first), "{holder}");
            for other in others {
                let entry = file().linked_to(key(holder));
                assert_eq!(names.of(&key(other), &entry), &key(first), "{other}");
            }
        }
        let none = FirstNames::default();
        assert_eq!(none.of(&key("z"), &file()), &key("z"));
    }

    fn file() -> Entry {
        Entry {
            kind: DocumentKind::File,
            mode: Mode::from_bits(0o644),
            mtime: jiff::Timestamp::UNIX_EPOCH,
            uid: 0,
            gid: 0,
            size: 10,
            hash: ContentHash::of(b"content"),
            extras: None,
        }
    }

    fn state(entries: &[(&str, Entry)]) -> State {
        let entries = entries
            .iter()
            .map(|(name, entry)| (key(name), entry.clone()));
        entries.collect()
    }

    /// As the first version made it.
    fn plain_hash(state: &State) -> ContentHash {
        let mut hasher = blake3::Hasher::new();
        for (key, entry) in state.iter() {
            hasher.update(&(key.as_str().len() as u64).to_le_bytes());
            hasher.update(key.as_str().as_bytes());
            hasher.update(b"f");
            hasher.update(&entry.mode.bits().to_le_bytes());
            hasher.update(entry.hash.as_bytes());
        }
        hasher.finalize().into()
    }

    #[test]
    fn the_root_hash_covers_what_is_new_and_is_what_it_was_without() {
        let plain = state(&[("a", file()), ("b", file())]);
        assert_eq!(plain.root_hash(), plain_hash(&plain));
        let xattrs = |name: &[u8], value: &[u8]| {
            let name = XattrName::from_bytes(name).unwrap();
            file().with_xattrs(Xattrs::from([(name, XattrValue::new(value.to_vec()))]))
        };
        let holes = |offset: u64, length: u64| file().with_holes(vec![(offset, length).into()]);
        let mut hashes = vec![plain.root_hash()];
        for other in [
            file().linked_to(key("a")),
            xattrs(b"user.a", b"1"),
            xattrs(b"user.a", b"2"),
            xattrs(b"user.a1", b""),
            holes(0, 3),
            holes(0, 4),
            holes(1, 3),
        ] {
            let other = state(&[("a", file()), ("b", other)]);
            hashes.push(other.root_hash());
        }
        let count = hashes.len();
        hashes.sort_by_key(ContentHash::to_string);
        hashes.dedup();
        assert_eq!(hashes.len(), count, "two of them are equal");
        let nothing = file().with_xattrs(Xattrs::new()).with_holes(Vec::new());
        assert_eq!(nothing, file());
    }

    #[test]
    fn the_root_hash_is_the_same_whichever_name_holds_the_content() {
        let one = [("a", file()), ("b", file().linked_to(key("a")))];
        let other = [("a", file().linked_to(key("b"))), ("b", file())];
        assert_eq!(state(&one).root_hash(), state(&other).root_hash());
    }
}
