//! Every file of the backups of a chain, read back.
//!
//! Invariant: each document of the state has the hash that its line says, whichever archives its parts are in.
//! Invariant: an index is a cache, so a wrong one makes no backup wrong; but it is told, and made anew.

use super::{
    files::Layout,
    index::Index,
    read::{Composed, opening, read_chain, read_manifests, stored_bytes_match},
    scattered::Scattered,
    sink::{DiscardSink, Sink},
    table::Aside,
};
use crate::port::{BackupStoreError, OnProgress, STORED_ONLY};
use mainstay_domain::{
    archive::{ContentHash, DocumentKey, DocumentKind, Manifest},
    backup_chain::Place,
    id::BackupId,
    name::JobName,
};
use std::{collections::HashMap, fs};
use tokio_util::sync::CancellationToken;

/// Reads a whole chain back, and the indexes that are there. What was wrong with those, for people; anything else that is
/// wrong is the error.
pub(super) fn verify(
    layout: &Layout,
    stop: &CancellationToken,
    job: &JobName,
    chain: &[BackupId],
    progress: &OnProgress,
) -> Result<Vec<String>, BackupStoreError> {
    let manifests = read_manifests(layout, job, chain)?;
    let locked = manifests
        .iter()
        .find_map(|manifest| opening(layout, manifest).err());
    match locked {
        None => {}
        Some(BackupStoreError::Locked(why)) => {
            return verify_stored(layout, stop, &manifests, &why);
        }
        Some(error) => return Err(error),
    }
    let sink = &mut CheckingSink::default();
    let newest = read_chain(layout, stop, job, chain, progress, sink)?;
    let mut newest = Some(newest);
    let mut notes = Vec::new();
    for (links, manifest) in (1..).zip(&manifests) {
        let is_there = fs::symlink_metadata(layout.index(job, &manifest.id)).is_ok();
        if !is_there || Index::load(layout, job, &manifest.id, manifest.root_hash).is_some() {
            continue;
        }
        let composed = match newest.take_if(|_| links == manifests.len()) {
            Some(newest) => newest,
            None => {
                let above: Vec<BackupId> = chain.iter().take(links).cloned().collect();
                read_chain(layout, stop, job, &above, progress, &mut DiscardSink)?
            }
        };
        notes.push(made_anew(layout, job, &manifest.id, composed));
    }
    Ok(notes)
}

/// Hashes the documents whose parts come from several places, and keeps no content: what a link refers to of its own is read
/// once more.
#[derive(Default)]
struct CheckingSink {
    open: HashMap<DocumentKey, Checked>,
}

/// What there is of a document whose parts come from several places.
#[derive(Default)]
struct Checked {
    content: Scattered,
    /// Of all of it, once its line was read.
    length: Option<u64>,
    /// Its hash, once all of it was there; of the content nothing is kept then.
    hash: Option<ContentHash>,
    /// Something came after that.
    is_wrong: bool,
}

impl Checked {
    fn add(&mut self, at: u64, bytes: &[u8]) {
        self.is_wrong |= self.hash.is_some();
        self.content.add(at, bytes);
        self.settle();
    }

    fn settle(&mut self) {
        if self.length.is_some() && self.content.length() == self.length {
            self.hash = self.content.hash();
            self.content = Scattered::default();
        }
    }

    fn is_right(&self, hash: ContentHash) -> bool {
        let found = self.hash.or_else(|| self.content.hash());
        !self.is_wrong && found == Some(hash)
    }
}

impl Sink for CheckingSink {
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

    fn begin(&mut self, key: &DocumentKey) -> Result<(), BackupStoreError> {
        self.open.insert(key.clone(), Checked::default());
        Ok(())
    }

    fn piece(&mut self, place: &Place, bytes: &[u8]) -> Result<(), BackupStoreError> {
        if let Some(open) = self.open.get_mut(&place.key) {
            open.add(place.at, bytes);
        }
        Ok(())
    }

    fn copy(
        &mut self,
        _: Option<&Place>,
        to: &Place,
        _: (ContentHash, u64),
    ) -> Result<bool, BackupStoreError> {
        Ok(!self.open.contains_key(&to.key))
    }

    fn has_length(&mut self, key: &DocumentKey, length: u64) {
        if let Some(open) = self.open.get_mut(key) {
            open.length = Some(length);
            open.settle();
        }
    }

    fn needs_no_look(&mut self, key: &DocumentKey) -> Result<(), BackupStoreError> {
        self.open.remove(key);
        Ok(())
    }

    fn is_right(&mut self, key: &DocumentKey, hash: ContentHash) -> Result<bool, BackupStoreError> {
        let found = self.open.remove(key);
        Ok(found.is_some_and(|found| found.is_right(hash)))
    }
}

/// Compares the stored bytes of a chain that cannot be opened here with what their manifests say.
fn verify_stored(
    layout: &Layout,
    stop: &CancellationToken,
    manifests: &[Manifest],
    why: &str,
) -> Result<Vec<String>, BackupStoreError> {
    for manifest in manifests {
        if !stored_bytes_match(layout, stop, manifest)? {
            return Err(BackupStoreError::Corrupted {
                id: manifest.id.clone(),
                what: "its stored bytes are not those that were written, or are missing".to_owned(),
            });
        }
    }
    Ok(vec![format!(
        "{STORED_ONLY}: the stored bytes are those that were written, and the content was not read. {why}"
    )])
}

/// Makes an index anew from the state that the chain gives; what is said of it. It has no stamps, so that the next
/// backup reads each file once more.
fn made_anew(layout: &Layout, job: &JobName, id: &BackupId, composed: Composed) -> String {
    let index = Index::of(composed, &Aside::new(layout, job, id));
    let wrong = format!(
        "{id}.index.zst, the cache that the next difference is made from, was not what was written"
    );
    match index.store(layout, job, id, None) {
        Ok(()) => format!("{wrong}; it was made anew from the archives, and nothing is lost"),
        Err(error) => format!(
            "{wrong}, and cannot be made anew now ({error}); nothing is lost: the next backup reads the archives instead"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_document_that_is_whole_its_hash_alone_is_kept() {
        let content = [7; 5_000];
        let hash = ContentHash::of(&content);
        let mut checked = Checked::default();
        checked.add(2_000, &content[2_000..]);
        checked.length = Some(5_000);
        checked.settle();
        assert!(checked.hash.is_none() && !checked.is_right(hash));
        checked.add(0, &content[..2_000]);
        assert_eq!(checked.hash, Some(hash));
        assert_eq!(checked.content.length(), None, "it is not kept");
        assert!(checked.is_right(hash) && !checked.is_right(ContentHash::of(b"other")));
        checked.add(0, &content);
        assert!(!checked.is_right(hash), "it came twice");
    }

    #[test]
    fn a_document_that_is_shorter_than_its_line_says_is_wrong_where_its_hash_is() {
        let mut checked = Checked::default();
        checked.add(0, b"some");
        assert!(checked.is_right(ContentHash::of(b"some")));
        checked.length = Some(5);
        checked.settle();
        assert!(checked.hash.is_none());
        assert!(!checked.is_right(ContentHash::of(b"some more")));
    }
}
