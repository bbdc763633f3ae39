//! Reads archives back: one, or a whole chain from its newest link to its oldest.
//!
//! Invariant: whatever is read is checked: the stored bytes against the manifest, each manifest against its child, each
//! document against its hash, and the state that the chain gives against the root hash.
//!
//! Length: one archive and one chain are read by the same rules, and the rules are easier to trust on one page.

use super::{
    check_stop,
    error::unavailable,
    files::Layout,
    regular::{open_regular, read_manifest},
    write::{Hashing, Stored},
};
use crate::port::{BackupStoreError, OnProgress, Progress};
use mainstay_domain::{
    archive::{
        ArchiveItem, ArchiveParser, ContentHash, DocumentContent, DocumentKey, DocumentKind, End,
        Entry, Header, MAX_LINE_BYTES, Manifest, State,
    },
    backup_chain::Composer,
    id::BackupId,
    name::JobName,
};
use rustix::fs::{Advice, fadvise};
use std::{
    io::{self, BufRead, BufReader, ErrorKind, Read},
    path::Path,
};
use tokio_util::sync::CancellationToken;

/// Where the content of a composed state goes.
pub(super) trait Sink {
    /// The whole content of a document.
    fn document(
        &mut self,
        key: &DocumentKey,
        kind: DocumentKind,
        bytes: &[u8],
    ) -> Result<(), BackupStoreError>;
    /// Some of it; `first` begins it, perhaps anew.
    fn part(
        &mut self,
        key: &DocumentKey,
        first: bool,
        bytes: &[u8],
    ) -> Result<(), BackupStoreError>;
}

/// For reading that only checks.
pub(super) struct DiscardSink;

impl Sink for DiscardSink {
    fn document(
        &mut self,
        _: &DocumentKey,
        _: DocumentKind,
        _: &[u8],
    ) -> Result<(), BackupStoreError> {
        Ok(())
    }

    fn part(&mut self, _: &DocumentKey, _: bool, _: &[u8]) -> Result<(), BackupStoreError> {
        Ok(())
    }
}

/// Reads one archive from the disk, past the page cache where the system allows it, and hands on its items.
pub(super) fn read_archive(
    path: &Path,
    id: &BackupId,
    expected: Stored,
    stop: &CancellationToken,
    on_item: &mut dyn FnMut(ArchiveItem) -> Result<(), BackupStoreError>,
) -> Result<(Header, End), BackupStoreError> {
    let corrupted = |what: String| BackupStoreError::Corrupted {
        id: id.clone(),
        what,
    };
    let failed = |error: io::Error| match (error.kind(), error.raw_os_error()) {
        (ErrorKind::NotFound, _) => corrupted("its archive is missing".to_owned()),
        (_, Some(_)) => unavailable("cannot read", path)(error),
        _ => corrupted(format!("its archive cannot be decompressed: {error}")),
    };
    let file = open_regular(path).map_err(failed)?;
    // Only a hint: what cannot be dropped from the cache is read from there.
    let _ = fadvise(&file, 0, None, Advice::DontNeed);
    let mut raw = BufReader::with_capacity(1 << 18, Hashing::new(file));
    let mut parser = ArchiveParser::new();
    let (mut header, mut end) = (None, None);
    {
        let decoder = zstd::Decoder::with_buffer(&mut raw).map_err(failed)?;
        let mut lines = BufReader::with_capacity(1 << 18, decoder);
        let mut line = Vec::new();
        loop {
            check_stop(stop)?;
            line.clear();
            let limit = MAX_LINE_BYTES as u64 + 1;
            let count = lines
                .by_ref()
                .take(limit)
                .read_until(b'\n', &mut line)
                .map_err(failed)?;
            if count == 0 {
                break;
            }
            if line.pop() != Some(b'\n') {
                return Err(corrupted(format!(
                    "a line is longer than {MAX_LINE_BYTES} bytes or cut off"
                )));
            }
            match parser
                .line(&line)
                .map_err(|error| corrupted(error.to_string()))?
            {
                ArchiveItem::Header(found) => header = Some(found),
                ArchiveItem::End(found) => end = Some(found),
                item => on_item(item)?,
            }
        }
    }
    parser
        .finish()
        .map_err(|error| corrupted(error.to_string()))?;
    io::copy(&mut raw, &mut io::sink()).map_err(failed)?;
    let found = raw.get_ref().stored();
    if found != expected {
        return Err(corrupted(format!(
            "its archive has {} bytes with hash {}, and {} bytes with hash {} were stored",
            found.bytes, found.hash, expected.bytes, expected.hash
        )));
    }
    let (Some(header), Some(end)) = (header, end) else {
        return Err(corrupted("it has no header or no end".to_owned()));
    };
    if &header.id != id {
        return Err(corrupted(format!("its archive is that of {}", header.id)));
    }
    Ok((header, end))
}

/// Whether the stored bytes of a backup are those that its manifest names.
pub(super) fn stored_bytes_match(
    layout: &Layout,
    stop: &CancellationToken,
    manifest: &Manifest,
) -> Result<bool, BackupStoreError> {
    let (path, _) = layout.find(&manifest.job, &manifest.id);
    let mut file = match open_regular(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        file => Hashing::new(file.map_err(unavailable("cannot open", &path))?),
    };
    let mut buffer = vec![0; 1 << 18];
    while file
        .read(&mut buffer)
        .map_err(unavailable("cannot read", &path))?
        > 0
    {
        check_stop(stop)?;
    }
    Ok(file.stored()
        == Stored {
            bytes: manifest.stored_bytes,
            hash: manifest.stored_hash,
        })
}

/// The manifests of a chain, each checked against its child.
pub(super) fn read_manifests(
    layout: &Layout,
    job: &JobName,
    chain: &[BackupId],
) -> Result<Vec<Manifest>, BackupStoreError> {
    let mut manifests: Vec<Manifest> = Vec::new();
    for id in chain {
        let corrupted = |what: String| BackupStoreError::Corrupted {
            id: id.clone(),
            what,
        };
        let (_, path) = layout.find(job, id);
        let bytes = match read_manifest(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(corrupted("its manifest is missing".to_owned()));
            }
            bytes => bytes.map_err(unavailable("cannot read", &path))?,
        };
        let manifest =
            Manifest::from_bytes(&bytes).map_err(|error| corrupted(error.to_string()))?;
        let link = manifest
            .parent
            .as_ref()
            .map(|parent| (parent.id.clone(), parent.manifest_hash));
        let above = match manifests.last() {
            Some(above) => Some((
                above.id.clone(),
                above.hash().map_err(|error| corrupted(error.to_string()))?,
            )),
            None => None,
        };
        if &manifest.id != id || &manifest.job != job || link != above {
            return Err(corrupted(
                "its manifest does not belong to this place in the chain".to_owned(),
            ));
        }
        manifests.push(manifest);
    }
    Ok(manifests)
}

/// Reads a whole chain, hands the content of the state that it gives to `sink`, and answers with that state.
pub(super) fn read_chain(
    layout: &Layout,
    stop: &CancellationToken,
    job: &JobName,
    chain: &[BackupId],
    progress: &OnProgress,
    sink: &mut dyn Sink,
) -> Result<State, BackupStoreError> {
    let manifests = read_manifests(layout, job, chain)?;
    let total = manifests.iter().map(|manifest| manifest.documents).sum();
    let total_bytes = manifests.iter().map(|manifest| manifest.size_bytes).sum();
    let mut done = Progress {
        total: Some(total),
        total_bytes: Some(total_bytes),
        ..Progress::default()
    };
    let mut composer = Composer::new();
    for manifest in manifests.iter().rev() {
        let corrupted =
            |error: mainstay_domain::backup_chain::ComposeError| BackupStoreError::Corrupted {
                id: manifest.id.clone(),
                what: error.to_string(),
            };
        let (path, _) = layout.find(job, &manifest.id);
        let expected = Stored {
            bytes: manifest.stored_bytes,
            hash: manifest.stored_hash,
        };
        let (header, end) = read_archive(&path, &manifest.id, expected, stop, &mut |item| {
            match item {
                ArchiveItem::Part { key, first, bytes } => {
                    done.bytes += bytes.len() as u64;
                    if composer.wants(&key) {
                        sink.part(&key, first, &bytes)?;
                    }
                }
                ArchiveItem::Document {
                    key,
                    entry,
                    content,
                } => {
                    done.documents += 1;
                    let kind = entry.kind;
                    let inherited = content == DocumentContent::Inherited;
                    let wanted = composer
                        .document(&key, entry, inherited)
                        .map_err(corrupted)?;
                    if let DocumentContent::Inline(bytes) = content {
                        done.bytes += bytes.len() as u64;
                        if wanted {
                            sink.document(&key, kind, &bytes)?;
                        }
                    }
                }
                ArchiveItem::Tombstone(key) => composer.tombstone(&key).map_err(corrupted)?,
                ArchiveItem::Header(_) | ArchiveItem::End(_) => {}
            }
            progress(done);
            Ok(())
        })?;
        let same = header.parent.as_ref() == manifest.parent.as_ref().map(|parent| &parent.id)
            && end.root_hash == manifest.root_hash
            && (end.documents, end.tombstones) == (manifest.documents, manifest.tombstones);
        if !same {
            let what = "its archive and its manifest contradict each other".to_owned();
            return Err(BackupStoreError::Corrupted {
                id: manifest.id.clone(),
                what,
            });
        }
        composer.next_link();
    }
    let Some(newest) = manifests.last() else {
        return Err(BackupStoreError::Unavailable(
            "there is no backup to read".to_owned(),
        ));
    };
    let corrupted = |what: String| BackupStoreError::Corrupted {
        id: newest.id.clone(),
        what,
    };
    let state = composer
        .finish()
        .map_err(|error| corrupted(error.to_string()))?;
    check_root(&state, newest.root_hash).map_err(corrupted)?;
    state
        .check_tree()
        .map_err(|error| corrupted(error.to_string()))?;
    Ok(state)
}

/// Whether a state is the one with this root hash.
pub(super) fn check_root(state: &State, expected: ContentHash) -> Result<(), String> {
    let found = state.root_hash();
    if found == expected {
        Ok(())
    } else {
        Err(format!(
            "the state that it gives has root hash {found}, and {expected} was read from the sources"
        ))
    }
}

/// What an archive changes, without the content.
pub(super) fn read_difference(
    path: &Path,
    id: &BackupId,
    expected: Stored,
    stop: &CancellationToken,
) -> Result<(mainstay_domain::backup_chain::Difference, End), BackupStoreError> {
    let mut difference = mainstay_domain::backup_chain::Difference::default();
    let twice = |key: &DocumentKey| BackupStoreError::Corrupted {
        id: id.clone(),
        what: format!("it names `{key}` twice"),
    };
    let (_, end) = read_archive(path, id, expected, stop, &mut |item| match item {
        ArchiveItem::Document { key, entry, .. } => {
            let known: Option<Entry> = difference.changed.insert(key.clone(), entry);
            known.map_or(Ok(()), |_| Err(twice(&key)))
        }
        ArchiveItem::Tombstone(key) => {
            let new = difference.tombstones.insert(key.clone());
            if new { Ok(()) } else { Err(twice(&key)) }
        }
        ArchiveItem::Header(_) | ArchiveItem::Part { .. } | ArchiveItem::End(_) => Ok(()),
    })?;
    Ok((difference, end))
}
