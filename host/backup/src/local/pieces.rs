//! Writes into an archive what its chain does not hold.
//!
//! Invariant: content is in the archives of a chain once, whatever document it belongs to; what is referred to is stored.

use super::{
    hashes::Hashes,
    table::{Aside, Sorter, Table, unreadable},
    write::ArchiveWriter,
};
use crate::port::BackupStoreError;
use mainstay_domain::archive::{ContentHash, DocumentKey, DocumentKind, Entry};
use std::{collections::HashSet, mem};

/// What is shorter takes no more room than a reference to it.
const REFERENCE_BYTES: usize = 64;

/// How a document in parts lies in the archive.
pub(super) enum Parts {
    /// It was empty.
    None,
    /// So many parts are in the archive already, with so many bytes.
    Written { parts: u32, bytes: u64 },
    /// The chain holds all of these parts, and nothing is in the archive.
    Held(Vec<(ContentHash, u64)>),
}

/// Writes documents with what is missing of their content.
pub(super) struct PieceWriter {
    archive: ArchiveWriter,
    /// What the chain holds and what this archive does.
    held: Hashes,
    /// The latter, where it is asked for.
    added: Option<Sorter>,
    open: OpenParts,
}

/// The parts of the document that is read.
#[derive(Default)]
struct OpenParts {
    /// Those that the chain holds, as long as there was no other.
    waiting: Vec<(ContentHash, u64)>,
    parts: u32,
    bytes: u64,
    /// What is new among them. It can be referred to from elsewhere once the document is written: it may be begun anew.
    new: HashSet<ContentHash>,
}

impl PieceWriter {
    /// For a chain that holds this content.
    pub(super) fn new(archive: ArchiveWriter, held: Hashes) -> Self {
        Self {
            archive,
            held,
            added: None,
            open: OpenParts::default(),
        }
    }

    /// It tells in the end what is new.
    pub(super) fn telling_added(self, aside: &Aside) -> Self {
        let added = Some(Sorter::new(aside));
        Self { added, ..self }
    }

    /// A document in parts begins, perhaps anew.
    pub(super) fn begin(&mut self) {
        self.open = OpenParts::default();
    }

    /// Whether anything of it is in the archive.
    pub(super) fn has_begun(&self) -> bool {
        self.open.parts > 0
    }

    /// The next part of it.
    pub(super) fn part(&mut self, key: &DocumentKey, bytes: &[u8]) -> Result<(), BackupStoreError> {
        let (hash, size) = (ContentHash::of(bytes), bytes.len() as u64);
        let is_held = self.open.new.contains(&hash) || self.is_held(&hash)?;
        if is_held && self.open.parts == 0 {
            self.open.waiting.push((hash, size));
            return Ok(());
        }
        for (hash, size) in mem::take(&mut self.open.waiting) {
            self.archive.held_part(key, self.open.parts, hash, size)?;
            self.open.parts += 1;
        }
        if is_held {
            self.archive.held_part(key, self.open.parts, hash, size)?;
        } else {
            self.archive.part(key, self.open.parts, hash, bytes)?;
            self.open.bytes += size;
            self.open.new.insert(hash);
        }
        self.open.parts += 1;
        Ok(())
    }

    /// The parts so far are all of it.
    pub(super) fn end(&mut self) -> Parts {
        let waiting = mem::take(&mut self.open.waiting);
        match (self.open.parts, waiting.is_empty()) {
            (0, true) => Parts::None,
            (0, false) => Parts::Held(waiting),
            (parts, _) => Parts::Written {
                parts,
                bytes: self.open.bytes,
            },
        }
    }

    /// A document whose parts were written last.
    pub(super) fn document_in_parts(
        &mut self,
        key: &DocumentKey,
        entry: &Entry,
        (parts, bytes): (u32, u64),
    ) -> Result<(), BackupStoreError> {
        for hash in mem::take(&mut self.open.new) {
            self.add(hash)?;
        }
        self.archive.document_in_parts(key, entry, parts, bytes)
    }

    /// A document whose parts the chain holds.
    pub(super) fn document_held(
        &mut self,
        key: &DocumentKey,
        entry: &Entry,
        held: Vec<(ContentHash, u64)>,
    ) -> Result<(), BackupStoreError> {
        let mut parts = 0;
        for (hash, size) in held {
            self.archive.held_part(key, parts, hash, size)?;
            parts += 1;
        }
        self.archive.document_in_parts(key, entry, parts, 0)
    }

    /// A document with its content, or by its hash where that is held.
    pub(super) fn document(
        &mut self,
        key: &DocumentKey,
        entry: &Entry,
        bytes: &[u8],
    ) -> Result<(), BackupStoreError> {
        let is_file = entry.kind == DocumentKind::File;
        if is_file && bytes.len() > REFERENCE_BYTES && self.is_held(&entry.hash)? {
            return self.archive.same(key, entry);
        }
        if is_file && !bytes.is_empty() {
            self.add(entry.hash)?;
        }
        self.archive.document(key, entry, bytes)
    }

    /// A document whose content the chain holds; false where it is not found there by its hash, and then nothing is written.
    pub(super) fn document_of_chain(
        &mut self,
        key: &DocumentKey,
        entry: &Entry,
    ) -> Result<bool, BackupStoreError> {
        if entry.data_bytes() == 0 {
            self.archive.document(key, entry, b"")?;
            return Ok(true);
        }
        let is_held = self.is_held(&entry.hash)?;
        if is_held {
            self.archive.same(key, entry)?;
        }
        Ok(is_held)
    }

    /// A document whose content is the parent's.
    pub(super) fn inherited(
        &mut self,
        key: &DocumentKey,
        entry: &Entry,
    ) -> Result<(), BackupStoreError> {
        self.archive.inherited(key, entry)
    }

    /// A document that is another name of one that holds its content.
    pub(super) fn linked(
        &mut self,
        key: &DocumentKey,
        entry: &Entry,
    ) -> Result<(), BackupStoreError> {
        self.archive.linked(key, entry)
    }

    /// The archive; what the chain holds with it, and what of that is new, where that was asked for.
    pub(super) fn finish(self) -> (ArchiveWriter, Hashes, Table) {
        let added = self.added.map(Sorter::finish);
        (self.archive, self.held, added.unwrap_or_default())
    }

    fn is_held(&self, hash: &ContentHash) -> Result<bool, BackupStoreError> {
        self.held.contains(hash).map_err(unreadable)
    }

    fn add(&mut self, hash: ContentHash) -> Result<(), BackupStoreError> {
        let is_new = self.held.insert(hash).map_err(unreadable)?;
        if let Some(added) = self.added.as_mut().filter(|_| is_new) {
            added.push(hash.as_bytes(), b"");
        }
        Ok(())
    }
}
