//! Composes the state of a chain and its content, link by link, the newest first.
//!
//! Content is handed on as it is read, and held nowhere: what a newer link refers to is put where it is wanted when its
//! own link comes. Where a link refers to what it had before, that is copied from where it was put; where it was put
//! nowhere, the link is read once more.
//!
//! Invariant: a document of parts from several places is read back and has the hash that its line says.

use super::{
    composer::{Composer, Failure},
    hashes::Hashes,
    listing::Listing,
    seen::{Seen, SeenInLink},
    sink::Sink,
    table::{Aside, unreadable},
    wants::Wants,
};
use crate::port::BackupStoreError;
use mainstay_domain::{
    archive::{ArchiveItem, ContentHash, DocumentContent, DocumentKey, DocumentKind},
    backup_chain::{ComposeError, Place},
    id::BackupId,
};
use std::mem;

/// A state that is being composed.
pub(super) struct Composing<'a> {
    aside: Aside,
    composer: Composer,
    wants: Wants,
    /// What the link that is read had.
    seen: SeenInLink,
    /// Whether that was something before it was wanted.
    is_behind: bool,
    sink: &'a mut dyn Sink,
    /// The parts by hash of the document whose line is to come: hash, length and place.
    open: Vec<(ContentHash, u64, u64)>,
    /// The documents with parts by hash.
    composed: Vec<(DocumentKey, ContentHash)>,
    held: Hashes,
}

impl<'a> Composing<'a> {
    /// Before the newest link.
    pub(super) fn new(sink: &'a mut dyn Sink, aside: &Aside) -> Self {
        Self {
            aside: aside.clone(),
            composer: Composer::new(aside),
            wants: Wants::new(aside),
            seen: SeenInLink::new(aside),
            is_behind: false,
            sink,
            open: Vec::new(),
            composed: Vec::new(),
            held: Hashes::new(aside),
        }
    }

    /// The link `id` has ended; the next one is older.
    pub(super) fn end_link(&mut self, id: &BackupId) -> Result<(), BackupStoreError> {
        self.seen = SeenInLink::new(&self.aside);
        self.is_behind = false;
        self.composer.end_link().map_err(|error| blame(id, error))
    }

    /// The next line of the link `id`.
    pub(super) fn item(
        &mut self,
        id: &BackupId,
        item: ArchiveItem,
    ) -> Result<(), BackupStoreError> {
        match item {
            ArchiveItem::Part {
                key,
                first,
                at,
                hash,
                bytes,
            } => {
                let wanted = self.begun(&key, first)?;
                let place = Place { key, at };
                if wanted {
                    self.sink.piece(&place, &bytes)?;
                }
                match hash {
                    Some(hash) => self.supply(hash, &bytes, wanted.then_some(place)),
                    None => Ok(()),
                }
            }
            ArchiveItem::Held {
                key,
                first,
                at,
                hash,
                size,
            } => {
                if self.begun(&key, first)? {
                    self.open.push((hash, size, at));
                }
                Ok(())
            }
            ArchiveItem::Document {
                key,
                entry,
                content,
            } => {
                let (kind, hash, size) = (entry.kind, entry.hash, entry.data_bytes());
                let inherited = content == DocumentContent::Inherited;
                let belongs = self.composer.document(&key, entry, inherited);
                let wanted = belongs.map_err(|error| blame(id, error))? && self.sink.takes(&key);
                let parts = mem::take(&mut self.open);
                match content {
                    DocumentContent::Inline(bytes) => {
                        if wanted {
                            self.sink.document(&key, kind, &bytes)?;
                        }
                        match can_be_referred_to(kind, &bytes) {
                            true => {
                                let put = wanted.then_some(Place { key, at: 0 });
                                self.supply(hash, &bytes, put)
                            }
                            false => Ok(()),
                        }
                    }
                    DocumentContent::Parts if wanted && !parts.is_empty() => {
                        self.sink.has_length(&key, size);
                        for (part, size, at) in parts {
                            let key = key.clone();
                            self.want(part, size, Place { key, at })?;
                        }
                        self.composed.push((key, hash));
                        Ok(())
                    }
                    DocumentContent::Parts if wanted => self.sink.needs_no_look(&key),
                    DocumentContent::Same if wanted => {
                        self.sink.begin(&key)?;
                        self.sink.needs_no_look(&key)?;
                        self.want(hash, size, Place { key, at: 0 })
                    }
                    DocumentContent::Parts
                    | DocumentContent::Same
                    | DocumentContent::Inherited
                    | DocumentContent::Linked => Ok(()),
                }
            }
            ArchiveItem::Tombstone(key) => {
                let gone = self.composer.tombstone(&key);
                gone.map_err(|error| blame(id, error))
            }
            ArchiveItem::Header(_) | ArchiveItem::End(_) => Ok(()),
        }
    }

    /// Whether the link that was read refers to what was wanted by nobody when it came.
    pub(super) fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// A line of the same link once more, for its content alone.
    pub(super) fn once_more(&mut self, item: ArchiveItem) -> Result<(), BackupStoreError> {
        match item {
            ArchiveItem::Part {
                hash: Some(hash),
                bytes,
                ..
            } => self.supply(hash, &bytes, None),
            ArchiveItem::Document {
                entry,
                content: DocumentContent::Inline(bytes),
                ..
            } if can_be_referred_to(entry.kind, &bytes) => self.supply(entry.hash, &bytes, None),
            _ => Ok(()),
        }
    }

    /// The documents of the state, after the oldest link has ended, and all content that a newer link can refer to. `newest` is
    /// to blame for what is not there.
    pub(super) fn finish(self, newest: &BackupId) -> Result<(Listing, Hashes), BackupStoreError> {
        let Self {
            composer,
            wants,
            sink,
            composed,
            held,
            ..
        } = self;
        if let Some(key) = wants.missed().map_err(unreadable)? {
            return Err(corrupted(newest, ComposeError::NoContent(key).to_string()));
        }
        for (key, hash) in &composed {
            if !sink.is_right(key, *hash)? {
                let what = format!(
                    "document `{key}` was stored wrong: the parts that it refers to do not have its hash together"
                );
                return Err(corrupted(newest, what));
            }
        }
        let listing = composer.finish().map_err(|error| blame(newest, error))?;
        Ok((listing, held))
    }

    /// Whether the content of a part is taken, whose document begins with the first one.
    fn begun(&mut self, key: &DocumentKey, first: bool) -> Result<bool, BackupStoreError> {
        let wanted = self.composer.wants(key).map_err(unreadable)? && self.sink.takes(key);
        if first {
            self.open.clear();
        }
        if first && wanted {
            self.sink.begin(key)?;
        }
        Ok(wanted)
    }

    /// Here is content: it goes to whoever wants it.
    fn supply(
        &mut self,
        hash: ContentHash,
        bytes: &[u8],
        put: Option<Place>,
    ) -> Result<(), BackupStoreError> {
        let size = bytes.len() as u64;
        self.held.insert(hash).map_err(unreadable)?;
        let (mut put, sink) = (put, &mut *self.sink);
        self.wants.supply(hash, size, &mut |place| {
            put.get_or_insert_with(|| place.clone());
            sink.piece(place, bytes)
        })?;
        self.seen.note(hash, size, put.as_ref())
    }

    fn want(&mut self, hash: ContentHash, size: u64, place: Place) -> Result<(), BackupStoreError> {
        let is_there = match self.seen.look(&hash, size)? {
            Seen::Not => false,
            Seen::Passed => self.sink.copy(None, &place, (hash, size))?,
            Seen::At(from) => self.sink.copy(Some(&from), &place, (hash, size))?,
        };
        if !is_there {
            self.is_behind |= self.seen.has(&hash)?;
            self.wants.want(hash, size, &place)?;
        }
        Ok(())
    }
}

/// Whether a document's own line is where its content is found by its hash.
fn can_be_referred_to(kind: DocumentKind, bytes: &[u8]) -> bool {
    kind == DocumentKind::File && !bytes.is_empty()
}

/// The error of a link that makes no sense, or of what was set aside.
fn blame(id: &BackupId, failure: Failure) -> BackupStoreError {
    match failure {
        Failure::Chain(error) => corrupted(id, error.to_string()),
        Failure::Host(error) => error,
    }
}

fn corrupted(id: &BackupId, what: String) -> BackupStoreError {
    let id = id.clone();
    BackupStoreError::Corrupted { id, what }
}
