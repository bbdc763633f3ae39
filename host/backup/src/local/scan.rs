//! A drill: restores into a scratch directory and reads that again from the disk.

use super::{
    documents::entry_of,
    error::unavailable,
    files::{Layout, create_private_dir},
    metadata::Unset,
    read::check_root,
    reading::Reading,
    removal::remove_tree,
    source::{Found, WalkRules, walk},
    tree::target,
    tree_writer::{Destination, write_tree},
};
use crate::port::{BackupStoreError, OnProgress, RestoredTree};
use mainstay_domain::{
    archive::{ContentHash, DocumentKey, DocumentKind, Entry, KeyPrefix, Mode, Selection, State},
    id::BackupId,
    name::JobName,
};
use std::{cell::Cell, collections::HashSet, io, path::Path};
use tokio_util::sync::CancellationToken;

/// Restores, reads again, compares, removes.
pub(super) fn drill(
    layout: &Layout,
    stop: &CancellationToken,
    job: &JobName,
    chain: &[BackupId],
    progress: &OnProgress,
) -> Result<RestoredTree, BackupStoreError> {
    let scratch = layout.scratch(job);
    remove_tree(&scratch)?;
    create_private_dir(&scratch)?;
    let compared = restore_and_compare(layout, stop, job, chain, &scratch, progress);
    let removed = remove_tree(&scratch);
    let restored = compared?;
    if let Err(error) = removed {
        tracing::error!(%error, "the drill passed, and what it wrote is still there");
    }
    Ok(restored)
}

fn restore_and_compare(
    layout: &Layout,
    stop: &CancellationToken,
    job: &JobName,
    chain: &[BackupId],
    scratch: &Path,
    progress: &OnProgress,
) -> Result<RestoredTree, BackupStoreError> {
    let everything =
        KeyPrefix::parse("").map_err(|error| BackupStoreError::Unavailable(error.to_string()))?;
    let to = Destination {
        roots: vec![(everything, scratch.to_owned())],
        ignored: HashSet::new(),
        only: Selection::default(),
    };
    let (mut restored, expected) = write_tree(layout, stop, job, chain, to, progress)?;
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
    Ok(restored)
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
