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
    open: HashMap<DocumentKey, Scattered>,
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
        self.open.insert(key.clone(), Scattered::default());
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

    fn needs_no_look(&mut self, key: &DocumentKey) -> Result<(), BackupStoreError> {
        self.open.remove(key);
        Ok(())
    }

    fn is_right(&mut self, key: &DocumentKey, hash: ContentHash) -> Result<bool, BackupStoreError> {
        let found = self.open.remove(key);
        Ok(found.is_some_and(|found| found.hash() == Some(hash)))
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
