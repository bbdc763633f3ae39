//! What cannot be read stays as the chain has it: it is not gone.
//!
//! Invariant: what is kept can be restored: another name of a file is kept as one only where the file is kept or found with the same
//! content; else it is a file by itself, and where the chain does not give that it is told as missing.
//! Invariant: all names of a file have the same metadata: what was found of one counts.
//! Invariant: nothing is kept that the job leaves out by now, or that belongs to another source.

use super::{Content, SourceReader, check_stop};
use crate::{
    local::{
        reading::Reading,
        rows,
        table::{Sorter, Table, unreadable},
        unread::{NOT_FOUND, Unseen},
    },
    port::BackupStoreError,
};
use mainstay_domain::{
    archive::{DocumentKey, DocumentKind, Entry, KeyPrefix},
    spec::BackupSource,
};

/// What of a source was not seen.
struct Hidden<'a> {
    prefix: &'a KeyPrefix,
    reading: &'a Reading,
    /// Other sources have what is at and below these keys.
    others: Vec<DocumentKey>,
    /// By its key below the source, whether it was found itself.
    unseen: Table,
}

impl Hidden<'_> {
    /// Whether a document may be there still.
    fn has(&self, key: &DocumentKey) -> Result<bool, BackupStoreError> {
        let Some(relative) = self.prefix.strip(key) else {
            return Ok(false);
        };
        let is_others = |other: &DocumentKey| {
            key == other || key.ancestors().any(|above| above == other.as_str())
        };
        Ok(self.is_unseen(&relative)?
            && !self.others.iter().any(is_others)
            && !self.reading.leaves_out(&relative.to_bytes()))
    }

    /// Whether it was not seen, or lies in a directory that was not.
    fn is_unseen(&self, relative: &DocumentKey) -> Result<bool, BackupStoreError> {
        let look = |key: &str| self.unseen.get(key.as_bytes()).map_err(unreadable);
        if look(relative.as_str())?.as_deref() == Some(NOT_FOUND) {
            return Ok(true);
        }
        for above in relative.ancestors() {
            if look(above)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl SourceReader<'_> {
    /// A file or a symbolic link that is there and cannot be read, for a reason that is a sentence for people.
    pub(super) fn keep_unread(
        &mut self,
        key: &DocumentKey,
        kind: DocumentKind,
        what: &str,
    ) -> Result<(), BackupStoreError> {
        let old = self.baseline.get(key)?.map(|known| known.entry);
        let is_kept = match old.filter(|old| old.kind == kind) {
            Some(old) => self.keep(key, old, false)?,
            None => false,
        };
        self.incomplete = true;
        self.unread.add(what, is_kept);
        Ok(())
    }

    /// What could not be looked at, or listed, with all that is below it.
    pub(super) fn keep_unseen(
        &mut self,
        prefix: &KeyPrefix,
        reading: &Reading,
        unseen: Unseen,
    ) -> Result<(), BackupStoreError> {
        let Unseen {
            named,
            others,
            paths,
        } = unseen;
        if named.is_empty() {
            return Ok(());
        }
        for (relative, what) in named {
            let relative = key_of(&relative)?;
            let is_known = self.baseline.get(&prefix.join(&relative))?.is_some();
            self.unread.add(&what, is_known);
        }
        self.unread.add_unnamed(others);
        let mut keys = Sorter::new(&self.aside());
        let paths = paths.map(Sorter::finish).unwrap_or_default();
        for record in paths.iter() {
            let (relative, found) = record.map_err(unreadable)?;
            keys.push(key_of(&relative)?.as_str().as_bytes(), &found);
        }
        let hidden = Hidden {
            prefix,
            reading,
            others: self.other_keys(prefix),
            unseen: keys.finish(),
        };
        let baseline = self.baseline;
        let files = self.hard_links.files(&self.aside()).map_err(unreadable)?;
        for document in baseline.listing.iter() {
            check_stop(self.stop)?;
            let (key, entry) = document?;
            if !hidden.has(&key)? {
                continue;
            }
            if let Some(entry) = name_of_found(&files, &entry)? {
                // A restore sets metadata by each name, and the last one counts.
                self.record(key, entry, Content::Linked, None)?;
                continue;
            }
            let stays_link = match entry.link() {
                Some(file) => hidden.has(file)?,
                None => false,
            };
            if !self.keep(&key, entry, stays_link)? {
                let what = format!("cannot read `{key}`, another name of a file that changed");
                self.unread.add(&what, false);
            }
        }
        Ok(())
    }

    /// Keeps a document as it was; false where that cannot be.
    fn keep(
        &mut self,
        key: &DocumentKey,
        old: Entry,
        stays_link: bool,
    ) -> Result<bool, BackupStoreError> {
        let is_apart = old.link().is_some() && !stays_link;
        let entry = match is_apart {
            true => old.unlinked(),
            false => old,
        };
        if is_apart && !self.writer.document_of_chain(key, &entry)? {
            return Ok(false);
        }
        self.done.documents += 1;
        (self.progress)(self.done);
        // Without a stamp: it is read again as soon as it can be.
        self.found.add(key, &entry, None)?;
        self.last = Some(entry);
        Ok(true)
    }

    /// The keys below a prefix at and below which is what other sources have.
    fn other_keys(&self, prefix: &KeyPrefix) -> Vec<DocumentKey> {
        let keys = self.request.sources.iter().filter_map(|source| {
            let key = match source {
                BackupSource::Directory { prefix, .. } => prefix.trim_end_matches('/'),
                other => other.document()?,
            };
            DocumentKey::parse(key).ok()
        });
        let is_below = |key: &DocumentKey| prefix.strip(key).is_some_and(|key| !key.is_root());
        keys.filter(is_below).collect()
    }
}

/// As what another name of a file is kept that was found by its first one with the same content; none where it was not.
fn name_of_found(files: &Table, name: &Entry) -> Result<Option<Entry>, BackupStoreError> {
    let Some(file) = name.link() else {
        return Ok(None);
    };
    let row = files.get(file.as_str().as_bytes()).map_err(unreadable)?;
    let found = row.map_or(Ok(None), |row| rows::row_of(&row));
    let found = found.map_err(unreadable)?.map(|known| known.entry);
    let found = found.filter(|found| found.same_content(name));
    Ok(found.map(|found| found.linked_to(file.clone())))
}

/// The key below its source of what has this path there.
fn key_of(relative: &[u8]) -> Result<DocumentKey, BackupStoreError> {
    DocumentKey::from_bytes(relative).map_err(|error| BackupStoreError::Source(error.to_string()))
}
