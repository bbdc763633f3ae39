//! Composes the state of a chain and its content, link by link, the newest first.
//!
//! Content is handed on as it is read, and held nowhere: what a newer link refers to is put where it is wanted when its
//! own link comes. Where a link refers to what it had before, that is copied from where it was put; where it was put
//! nowhere, the link is read once more.
//!
//! Invariant: a document of parts from several places is read back and has the hash that its line says.

use crate::port::BackupStoreError;
use mainstay_domain::{
    archive::{ArchiveItem, ContentHash, DocumentContent, DocumentKey, DocumentKind, State},
    backup_chain::{ComposeError, Composer, Place, Seen, Wants},
    id::BackupId,
};
use std::{collections::HashSet, mem};

/// Where the content of a composed state goes.
pub(super) trait Sink {
    /// Whether it takes the content of this document.
    fn takes(&self, key: &DocumentKey) -> bool;
    /// The whole content of a document.
    fn document(
        &mut self,
        key: &DocumentKey,
        kind: DocumentKind,
        bytes: &[u8],
    ) -> Result<(), BackupStoreError>;
    /// Begins a file that comes in pieces, perhaps anew: nothing is in it.
    fn begin(&mut self, key: &DocumentKey) -> Result<(), BackupStoreError>;
    /// Some of a file that was begun; pieces come in any order.
    fn piece(&mut self, place: &Place, bytes: &[u8]) -> Result<(), BackupStoreError>;
    /// Puts content of this hash and length to a place, out of what was handed on before: it lies at `from`, or was taken
    /// by nobody. Answers whether that was possible.
    fn copy(
        &mut self,
        from: Option<&Place>,
        to: &Place,
        content: (ContentHash, u64),
    ) -> Result<bool, BackupStoreError>;
    /// Nobody will ask whether a file that was begun is right: all that it consists of is checked where it is read.
    fn needs_no_look(&mut self, _: &DocumentKey) -> Result<(), BackupStoreError> {
        Ok(())
    }
    /// Whether a file has this hash, all its pieces being there.
    fn is_right(&mut self, key: &DocumentKey, hash: ContentHash) -> Result<bool, BackupStoreError>;
}

/// For reading that checks the archives and the state; not documents of parts from several places, as `CheckingSink` does.
pub(super) struct DiscardSink;

impl Sink for DiscardSink {
    fn takes(&self, _: &DocumentKey) -> bool {
        true
    }

    fn document(
        &mut self,
        _: &DocumentKey,
        _: DocumentKind,
        _: &[u8],
    ) -> Result<(), BackupStoreError> {
        Ok(())
    }

    fn begin(&mut self, _: &DocumentKey) -> Result<(), BackupStoreError> {
        Ok(())
    }

    fn piece(&mut self, _: &Place, _: &[u8]) -> Result<(), BackupStoreError> {
        Ok(())
    }

    fn copy(
        &mut self,
        _: Option<&Place>,
        _: &Place,
        _: (ContentHash, u64),
    ) -> Result<bool, BackupStoreError> {
        Ok(true)
    }

    fn is_right(&mut self, _: &DocumentKey, _: ContentHash) -> Result<bool, BackupStoreError> {
        Ok(true)
    }
}

/// A state that is being composed.
pub(super) struct Composing<'a> {
    composer: Composer,
    wants: Wants,
    sink: &'a mut dyn Sink,
    /// The parts by hash of the document whose line is to come: hash, length and place.
    open: Vec<(ContentHash, u64, u64)>,
    /// The documents with parts by hash.
    composed: Vec<(DocumentKey, ContentHash)>,
    held: HashSet<ContentHash>,
}

impl<'a> Composing<'a> {
    /// Before the newest link.
    pub(super) fn new(sink: &'a mut dyn Sink) -> Self {
        Self {
            composer: Composer::new(),
            wants: Wants::new(),
            sink,
            open: Vec::new(),
            composed: Vec::new(),
            held: HashSet::new(),
        }
    }

    /// The next link, older than those before, begins.
    pub(super) fn next_link(&mut self) {
        self.composer.next_link();
        self.wants.next_link();
    }

    /// The next line of the link `id`.
    pub(super) fn item(
        &mut self,
        id: &BackupId,
        item: ArchiveItem,
    ) -> Result<(), BackupStoreError> {
        let corrupted = |error: ComposeError| corrupted(id, error.to_string());
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
                let wanted = belongs.map_err(corrupted)? && self.sink.takes(&key);
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
            ArchiveItem::Tombstone(key) => self.composer.tombstone(&key).map_err(corrupted),
            ArchiveItem::Header(_) | ArchiveItem::End(_) => Ok(()),
        }
    }

    /// Whether the link that was read refers to what was wanted by nobody when it came.
    pub(super) fn is_behind(&self) -> bool {
        self.wants.is_behind()
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

    /// The state, after the oldest link, and all content that a newer link can refer to. `newest` is to blame for what is
    /// not there.
    pub(super) fn finish(
        self,
        newest: &BackupId,
    ) -> Result<(State, HashSet<ContentHash>), BackupStoreError> {
        let Self {
            composer,
            wants,
            sink,
            composed,
            held,
            ..
        } = self;
        let missing = |error: ComposeError| corrupted(newest, error.to_string());
        wants.finish().map_err(missing)?;
        for (key, hash) in &composed {
            if !sink.is_right(key, *hash)? {
                let what = format!(
                    "document `{key}` was stored wrong: the parts that it refers to do not have its hash together"
                );
                return Err(corrupted(newest, what));
            }
        }
        let state = composer.finish().map_err(missing)?;
        Ok((state, held))
    }

    /// Whether the content of a part is taken, whose document begins with the first one.
    fn begun(&mut self, key: &DocumentKey, first: bool) -> Result<bool, BackupStoreError> {
        let wanted = self.composer.wants(key) && self.sink.takes(key);
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
        self.held.insert(hash);
        for place in self.wants.supply(hash, bytes.len() as u64, put) {
            self.sink.piece(&place, bytes)?;
        }
        Ok(())
    }

    fn want(&mut self, hash: ContentHash, size: u64, place: Place) -> Result<(), BackupStoreError> {
        let is_there = match self.wants.seen(hash, size) {
            Seen::Not => false,
            Seen::Passed => self.sink.copy(None, &place, (hash, size))?,
            Seen::At(from) => self.sink.copy(Some(&from), &place, (hash, size))?,
        };
        if !is_there {
            self.wants.want(hash, size, place);
        }
        Ok(())
    }
}

/// Whether a document's own line is where its content is found by its hash.
fn can_be_referred_to(kind: DocumentKind, bytes: &[u8]) -> bool {
    kind == DocumentKind::File && !bytes.is_empty()
}

fn corrupted(id: &BackupId, what: String) -> BackupStoreError {
    let id = id.clone();
    BackupStoreError::Corrupted { id, what }
}
