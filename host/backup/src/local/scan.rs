//! A drill: restores into a scratch directory and reads that again from the disk.

use super::{
    documents::entry_of,
    error::unavailable,
    files::Layout,
    hard_links::{HardLinks, Name},
    holes::{FileData, are_zeros},
    metadata::Unset,
    read::check_root,
    reading::Reading,
    scratch::Scratch,
    source::{Found, WalkRules, walk},
    tree::target,
    tree_writer::{Destination, write_tree},
    xattrs::read_xattrs,
};
use crate::port::{BackupStoreError, DrilledTree, OnProgress, RestoredTree};
use mainstay_domain::{
    archive::{
        ContentHash, DocumentKey, DocumentKind, Entry, KeyPrefix, Mode, Selection, State,
        cut_to_data,
    },
    id::BackupId,
    name::JobName,
};
use std::{
    cell::Cell,
    collections::{BTreeSet, HashSet},
    io,
    path::Path,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// What lies in a scratch directory until it is dropped.
#[derive(Debug)]
pub(super) struct DrilledLocally {
    scratch: Scratch,
    restored: RestoredTree,
    took: Duration,
}

impl DrilledTree for DrilledLocally {
    fn path(&self) -> &Path {
        self.scratch.path()
    }

    fn restored(&self) -> &RestoredTree {
        &self.restored
    }

    fn took(&self) -> Duration {
        self.took
    }
}

/// Restores, reads again, compares.
pub(super) fn drill(
    layout: &Layout,
    stop: &CancellationToken,
    job: &JobName,
    chain: &[BackupId],
    scratch: Scratch,
    progress: &OnProgress,
) -> Result<DrilledLocally, BackupStoreError> {
    let (restored, took) = restore_and_compare(layout, stop, job, chain, scratch.path(), progress)?;
    Ok(DrilledLocally {
        scratch,
        restored,
        took,
    })
}

fn restore_and_compare(
    layout: &Layout,
    stop: &CancellationToken,
    job: &JobName,
    chain: &[BackupId],
    scratch: &Path,
    progress: &OnProgress,
) -> Result<(RestoredTree, Duration), BackupStoreError> {
    let begun = Instant::now();
    let everything =
        KeyPrefix::parse("").map_err(|error| BackupStoreError::Unavailable(error.to_string()))?;
    let to = Destination {
        roots: vec![(everything, scratch.to_owned())],
        ignored: HashSet::new(),
        only: Selection::default(),
    };
    let (mut restored, listing) = write_tree(layout, stop, job, chain, to, progress)?;
    let took = begun.elapsed();
    let expected = listing.state()?;
    let found = scan_like(scratch, stop, &expected)?;
    let Some(newest) = chain.last() else {
        return Err(BackupStoreError::Unavailable(
            "there is no backup to drill with".to_owned(),
        ));
    };
    let corrupted = |what: String| BackupStoreError::Corrupted {
        id: newest.clone(),
        what,
    };
    let mut unset = Unset::default();
    for (key, entry) in expected.iter() {
        let Some(found) = found.get(key).filter(|found| found.same_content(entry)) else {
            return Err(corrupted(format!(
                "document `{key}` is not the same after a restore"
            )));
        };
        let is_same = (found.mode, found.mtime) == (entry.mode, entry.mtime)
            && found.xattrs() == entry.xattrs();
        if !is_same {
            unset.add(key, "it is another one after a restore");
        }
    }
    for key in expected.renamed_in(&found) {
        unset.add(key, "it is not the same file as its other names");
    }
    // What could not be set was told of already.
    if restored.notes.is_empty() {
        restored.notes.extend(unset.note());
    }
    // Directories above a prefix are in no backup, and are made by a restore.
    let is_implied = |key: &DocumentKey| {
        key.is_root()
            || expected
                .iter()
                .any(|(below, _)| below.ancestors().any(|above| above == key.as_str()))
    };
    if let Some((extra, _)) = found
        .iter()
        .find(|(key, _)| expected.get(key).is_none() && !is_implied(key))
    {
        return Err(corrupted(format!(
            "a restore makes `{extra}`, which is not in the backup"
        )));
    }
    let restored_state: State = found
        .into_iter()
        .filter_map(|(key, found)| {
            let Entry { mode, extras, .. } = expected.get(&key)?.clone();
            let found = Entry {
                mode,
                extras,
                ..found
            };
            Some((key, found))
        })
        .collect();
    check_root(restored_state.root_hash(), expected.root_hash()).map_err(corrupted)?;
    Ok((restored, took))
}

/// The state of a directory, read from the disk.
#[cfg(test)]
pub(super) fn scan(root: &Path, stop: &CancellationToken) -> Result<State, BackupStoreError> {
    scan_like(root, stop, &State::default())
}

/// The state of a directory, read from the disk. Of a file that a state has, holes are where that has them, if there is
/// nothing but zeros.
fn scan_like(
    root: &Path,
    stop: &CancellationToken,
    like: &State,
) -> Result<State, BackupStoreError> {
    let (mut state, mut links) = (State::default(), HardLinks::default());
    let rules = WalkRules {
        except: &BTreeSet::new(),
        tolerant: false,
        gaps: &Cell::new(false),
        reading: &Reading::default(),
        stop,
    };
    walk(root, &rules, &mut Vec::new(), &mut |found, _| {
        let key = DocumentKey::from_bytes(&found.relative)
            .map_err(|error| BackupStoreError::Source(error.to_string()))?;
        let entry = read_found(&found, &key, &mut links, like.get(&key))
            .map_err(unavailable("cannot read", &found.path))?;
        state
            .insert(key, entry)
            .map_err(|error| BackupStoreError::Source(error.to_string()))
    })?;
    Ok(state)
}

/// What was found as a document with this key, with the hash of what it holds, which is read for it; its holes are where
/// another entry has them, if there is nothing but zeros.
pub(super) fn read_found(
    found: &Found<'_>,
    key: &DocumentKey,
    links: &mut HardLinks,
    like: Option<&Entry>,
) -> io::Result<Entry> {
    if let Name::Another(entry) = links.look(&found.metadata) {
        return Ok(entry);
    }
    let (xattrs, _) = read_xattrs(&found.place)?;
    let entry = read_content(found, like)?.with_xattrs(xattrs);
    links.note(&found.metadata, key, &entry);
    Ok(entry)
}

fn read_content(found: &Found<'_>, like: Option<&Entry>) -> io::Result<Entry> {
    let kind = found.metadata.file_type();
    if kind.is_dir() {
        return Ok(entry_of(DocumentKind::Directory, &found.metadata));
    }
    if kind.is_symlink() {
        let target = target(&found.place)?;
        return Ok(Entry {
            size: target.len() as u64,
            hash: ContentHash::of(&target),
            mode: Mode::from_bits(0o777),
            ..entry_of(DocumentKind::Symlink, &found.metadata)
        });
    }
    let mut hasher = blake3::Hasher::new();
    let file = found.tree.file(&found.relative)?;
    let metadata = file.metadata()?;
    let mut data = match like.filter(|like| like.size == metadata.len()) {
        Some(like) if are_zeros(&file, like.holes())? => {
            FileData::around(file, like.size, like.holes().to_vec())
        }
        _ => FileData::open(file, &metadata)?,
    };
    let count = io::copy(&mut data, &mut hasher)?;
    let (holes, size) = cut_to_data(data.holes(), count);
    let entry = Entry {
        size,
        hash: hasher.finalize().into(),
        ..entry_of(DocumentKind::File, &found.metadata)
    };
    Ok(entry.with_holes(holes))
}
