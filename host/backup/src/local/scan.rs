//! A drill: restores into a scratch directory and reads that again from the disk.

use super::{
    apart::OwnPlaces,
    documents::entry_of,
    error::unavailable,
    files::Layout,
    hard_links::{HardLinks, Name},
    holes::{FileData, are_zeros},
    listing::Listing,
    metadata::Unset,
    read::check_root,
    reading::Reading,
    rows,
    scratch::Scratch,
    source::{Found, WalkRules, walk},
    source_mounts::SourceMounts,
    table::{Aside, Pair, Sorter, side_by_side, unreadable},
    tree::target,
    tree_writer::{Destination, write_tree},
    unread::Gaps,
    xattrs::read_xattrs,
};
use crate::port::{BackupStoreError, DrilledTree, OnProgress, RestoredTree};
use mainstay_domain::{
    archive::{
        ContentHash, DocumentKey, DocumentKind, Entry, KeyPrefix, Mode, RootHasher, Selection,
        cut_to_data,
    },
    id::BackupId,
    name::JobName,
};
use std::{
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
    let (mut restored, expected) = write_tree(layout, stop, job, chain, to, progress)?;
    let took = begun.elapsed();
    let Some(newest) = chain.last() else {
        return Err(BackupStoreError::Unavailable(
            "there is no backup to drill with".to_owned(),
        ));
    };
    let aside = Aside::new(layout, job, newest);
    let (mut found, links) = (Sorter::new(&aside), HardLinks::new(&aside));
    let like = |key: &DocumentKey| expected.get(key);
    scan_each(scratch, stop, &like, links, &mut |key, entry| {
        rows::push(&mut found, &key, (&entry, None), false).map_err(unreadable)
    })?;
    let unset = compare(&expected, &Listing::of(found.finish()), newest)?;
    // What could not be set was told of already.
    if restored.notes.is_empty() {
        restored.notes.extend(unset.note());
    }
    Ok((restored, took))
}

/// What of the metadata is not as it was expected. An error where a document is not, or there is another.
fn compare(
    expected: &Listing,
    found: &Listing,
    newest: &BackupId,
) -> Result<Unset, BackupStoreError> {
    let corrupted = |what: String| BackupStoreError::Corrupted {
        id: newest.clone(),
        what,
    };
    let (names, found_names) = (expected.names()?, found.names()?);
    let (mut unset, mut extra) = (Unset::default(), BTreeSet::new());
    let mut hasher = RootHasher::default();
    for pair in side_by_side(expected.records(), found.records()) {
        let Pair { key, left, right } = pair.map_err(unreadable)?;
        let key = rows::key_of(&key).map_err(unreadable)?;
        let (entry, found) = match (entry_in(left)?, entry_in(right)?) {
            (None, None) => continue,
            (None, Some(_)) => {
                extra.insert(key);
                continue;
            }
            (Some(entry), found) => {
                let found = found.filter(|found| found.same_content(&entry));
                (entry, found)
            }
        };
        let Some(found) = found else {
            return Err(corrupted(format!(
                "document `{key}` is not the same after a restore"
            )));
        };
        let is_same = (found.mode, found.mtime) == (entry.mode, entry.mtime)
            && found.xattrs() == entry.xattrs();
        if !is_same {
            unset.add(&key, "it is another one after a restore");
        }
        if names.of(&key, &entry) != found_names.of(&key, &found) {
            unset.add(&key, "it is not the same file as its other names");
        }
        let Entry { mode, extras, .. } = entry;
        let found = Entry {
            mode,
            extras,
            ..found
        };
        hasher.document(&key, &found, &names);
    }
    // Directories above a prefix are in no backup, and are made by a restore.
    extra.remove(&DocumentKey::root());
    if !extra.is_empty() {
        for document in expected.iter() {
            let (key, _) = document?;
            for above in key.ancestors() {
                extra.remove(above);
            }
        }
    }
    if let Some(extra) = extra.first() {
        return Err(corrupted(format!(
            "a restore makes `{extra}`, which is not in the backup"
        )));
    }
    check_root(hasher.finish(), expected.root_hash()?).map_err(corrupted)?;
    Ok(unset)
}

fn entry_in(value: Option<Vec<u8>>) -> Result<Option<Entry>, BackupStoreError> {
    let known = value.map_or(Ok(None), |value| rows::row_of(&value));
    Ok(known.map_err(unreadable)?.map(|known| known.entry))
}

/// The state of a directory, read from the disk.
#[cfg(test)]
pub(super) fn scan(
    root: &Path,
    stop: &CancellationToken,
) -> Result<mainstay_domain::archive::State, BackupStoreError> {
    let mut state = mainstay_domain::archive::State::default();
    let links = HardLinks::held();
    scan_each(root, stop, &|_| Ok(None), links, &mut |key, entry| {
        let taken = state.insert(key, entry);
        taken.map_err(|error| BackupStoreError::Source(error.to_string()))
    })?;
    Ok(state)
}

/// Tells the documents of a directory, read from the disk. Of a file that is `like` another, holes are where that has them, if
/// there is nothing but zeros.
fn scan_each(
    root: &Path,
    stop: &CancellationToken,
    like: &dyn Fn(&DocumentKey) -> Result<Option<Entry>, BackupStoreError>,
    mut links: HardLinks,
    on_document: &mut dyn FnMut(DocumentKey, Entry) -> Result<(), BackupStoreError>,
) -> Result<(), BackupStoreError> {
    let rules = WalkRules {
        except: &OwnPlaces::default(),
        tolerant: false,
        gaps: &Gaps::default(),
        mounts: &SourceMounts::default(),
        reading: &Reading::default(),
        stop,
    };
    walk(root, &rules, &mut Vec::new(), &mut |found, _| {
        let key = DocumentKey::from_bytes(&found.relative)
            .map_err(|error| BackupStoreError::Source(error.to_string()))?;
        let like = like(&key)?;
        let entry = read_found(&found, &key, &mut links, like.as_ref())
            .map_err(unavailable("cannot read", &found.path))?;
        on_document(key, entry)
    })
}

/// What was found as a document with this key, with the hash of what it holds, which is read for it; its holes are where
/// another entry has them, if there is nothing but zeros.
pub(super) fn read_found(
    found: &Found<'_>,
    key: &DocumentKey,
    links: &mut HardLinks,
    like: Option<&Entry>,
) -> io::Result<Entry> {
    if let Name::Another(entry) = links.look(&found.metadata)? {
        return Ok(entry);
    }
    let (xattrs, _) = read_xattrs(&found.place)?;
    let entry = read_content(found, like)?.with_xattrs(xattrs);
    links.note(&found.metadata, key, &entry)?;
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
