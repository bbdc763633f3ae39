//! A drill: restores into a scratch directory and reads that again from the disk.

use super::{
    documents::entry_of,
    error::unavailable,
    files::Layout,
    metadata::Unset,
    read::check_root,
    reading::Reading,
    scratch::Scratch,
    source::{Found, WalkRules, walk},
    tree::target,
    tree_writer::{Destination, write_tree},
};
use crate::port::{BackupStoreError, DrilledTree, OnProgress, RestoredTree};
use mainstay_domain::{
    archive::{ContentHash, DocumentKey, DocumentKind, Entry, KeyPrefix, Mode, Selection, State},
    id::BackupId,
    name::JobName,
};
use std::{
    cell::Cell,
    collections::HashSet,
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
    let (mut restored, expected) = write_tree(layout, stop, job, chain, to, progress)?;
    let took = begun.elapsed();
    let found = scan(scratch, stop)?;
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
        if (found.mode, found.mtime) != (entry.mode, entry.mtime) {
            unset.add(key, "it is another one after a restore");
        }
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
            let mode = expected.get(&key)?.mode;
            Some((key, Entry { mode, ..found }))
        })
        .collect();
    check_root(&restored_state, expected.root_hash()).map_err(corrupted)?;
    Ok((restored, took))
}

/// The state of a directory, read from the disk.
pub(super) fn scan(root: &Path, stop: &CancellationToken) -> Result<State, BackupStoreError> {
    let mut state = State::default();
    let rules = WalkRules {
        except: Path::new(""),
        tolerant: false,
        gaps: &Cell::new(false),
        reading: &Reading::default(),
        stop,
    };
    walk(root, &rules, &mut Vec::new(), &mut |found, _| {
        let key = DocumentKey::from_bytes(&found.relative)
            .map_err(|error| BackupStoreError::Source(error.to_string()))?;
        let entry = read_found(&found).map_err(unavailable("cannot read", &found.path))?;
        state
            .insert(key, entry)
            .map_err(|error| BackupStoreError::Source(error.to_string()))
    })?;
    Ok(state)
}

/// What was found as a document, with the hash of what it holds, which is read for it.
pub(super) fn read_found(found: &Found<'_>) -> io::Result<Entry> {
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
    let mut file = found.tree.file(&found.relative)?;
    let size = io::copy(&mut file, &mut hasher)?;
    Ok(Entry {
        size,
        hash: hasher.finalize().into(),
        ..entry_of(DocumentKind::File, &found.metadata)
    })
}
