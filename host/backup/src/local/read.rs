//! Reads archives back: one, or a whole chain from its newest link to its oldest.
//!
//! Invariant: whatever is read is checked: the stored bytes against the manifest, each manifest against its child, each
//! document against its hash, and the state that the chain gives against the root hash.
//!
//! Length: one archive and one chain are read by the same rules, and the rules are easier to trust on one page.

use super::{
    check_stop,
    compose::Composing,
    error::unavailable,
    files::Layout,
    hashes::Hashes,
    listing::Listing,
    rows,
    seal::{OpenedReader, Opening},
    sink::Sink,
    spot::{Spot, is_of_the_way},
    table::{Aside, Sorter, Table, unreadable},
    tier::{check_noted, unless_away},
    write::{Hashing, Stored},
};
use crate::port::{BackupStoreError, OnProgress, Progress};
use mainstay_domain::{
    archive::{
        ArchiveItem, ArchiveParser, ContentHash, DocumentContent, DocumentKey, End, Header,
        MAX_LINE_BYTES, Manifest,
    },
    id::BackupId,
    name::JobName,
};
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use tokio_util::sync::CancellationToken;

/// The first format whose content can be referred to by its hash.
const REFERABLE: u32 = 2;

/// Reads one archive from the disk, past the page cache where the system allows it, and hands on its items.
pub(super) fn read_archive(
    spot: &Spot,
    id: &BackupId,
    (expected, opening): (Stored, &Opening),
    stop: &CancellationToken,
    on_item: &mut dyn FnMut(ArchiveItem) -> Result<(), BackupStoreError>,
) -> Result<(Header, End), BackupStoreError> {
    let corrupted = |what: String| BackupStoreError::Corrupted {
        id: id.clone(),
        what,
    };
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::NotFound => corrupted("its archive is missing".to_owned()),
        _ if is_of_the_way(&error) => unavailable("cannot read", &spot.shown())(error),
        _ if matches!(opening, Opening::With(_)) => corrupted(format!(
            "its archive cannot be decrypted and decompressed: {error}"
        )),
        _ => corrupted(format!("its archive cannot be decompressed: {error}")),
    };
    let file = spot.open(stop).map_err(failed)?;
    let mut raw = BufReader::with_capacity(1 << 18, Hashing::new(file));
    let mut parser = ArchiveParser::new();
    let (mut header, mut end) = (None, None);
    {
        let opened = OpenedReader::new(&mut raw, opening).map_err(failed)?;
        let decoder = zstd::Decoder::with_buffer(opened).map_err(failed)?;
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

/// Whether the stored bytes of a backup are those that its manifest names. Of what is missing where a tier is not there nothing
/// is known, which is the error.
pub(super) fn stored_bytes_match(
    layout: &Layout,
    stop: &CancellationToken,
    manifest: &Manifest,
) -> Result<bool, BackupStoreError> {
    let (archive, _) = layout.find(&manifest.job, &manifest.id)?;
    let is_stored = is_stored_at(&archive, Stored::of(manifest), stop)?;
    if !is_stored && !archive.try_exists()? {
        check_noted(layout, &manifest.job)?;
    }
    Ok(is_stored)
}

/// Whether a file holds these bytes; they are read past the page cache where the system allows it.
pub(super) fn is_stored_at(
    spot: &Spot,
    expected: Stored,
    stop: &CancellationToken,
) -> Result<bool, BackupStoreError> {
    let path = spot.shown();
    let mut file = match spot.open(stop) {
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
    Ok(file.stored() == expected)
}

/// The manifest of a backup that is known, which counts; none where it is not there, and every tier is.
pub(super) fn known_manifest(
    layout: &Layout,
    job: &JobName,
    id: &BackupId,
) -> Result<Option<Manifest>, BackupStoreError> {
    let (_, spot) = layout.find(job, id)?;
    match manifest_at(layout, &spot, (job, id))? {
        None => check_noted(layout, job).map(|()| None),
        found => Ok(found),
    }
}

/// The manifest of a backup that lies there, which counts; none where nothing does.
pub(super) fn manifest_at(
    layout: &Layout,
    spot: &Spot,
    (job, id): (&JobName, &BackupId),
) -> Result<Option<Manifest>, BackupStoreError> {
    let bytes = match spot.read_manifest() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(unavailable("cannot read", &spot.shown()))?,
    };
    let corrupted = |what| BackupStoreError::Corrupted {
        id: id.clone(),
        what,
    };
    let manifest = Manifest::from_bytes(&bytes).map_err(|error| corrupted(error.to_string()))?;
    if manifest.job != *job || manifest.id != *id {
        return Err(corrupted(format!(
            "its manifest is that of backup {} of job {}",
            manifest.id, manifest.job
        )));
    }
    layout.keys().check(&manifest)?;
    Ok(Some(manifest))
}

/// What opens the archive of a manifest.
pub(super) fn opening(layout: &Layout, manifest: &Manifest) -> Result<Opening, BackupStoreError> {
    let Manifest {
        job,
        id,
        encryption,
        ..
    } = manifest;
    layout.keys().opening(job, id, encryption)
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
        let Some(manifest) = known_manifest(layout, job, id)? else {
            return Err(corrupted("its manifest is missing".to_owned()));
        };
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
        if link != above {
            return Err(corrupted(
                "its manifest does not belong to this place in the chain".to_owned(),
            ));
        }
        manifests.push(manifest);
    }
    Ok(manifests)
}

/// What a chain gives.
pub(super) struct Composed {
    pub(super) listing: Listing,
    /// The content that a newer link can refer to; none where a link is of the format that knows no such thing.
    pub(super) held: Option<Hashes>,
}

/// Reads a whole chain, hands the content of the state that it gives to `sink`, and answers with that state.
pub(super) fn read_chain(
    layout: &Layout,
    stop: &CancellationToken,
    job: &JobName,
    chain: &[BackupId],
    progress: &OnProgress,
    sink: &mut dyn Sink,
) -> Result<Composed, BackupStoreError> {
    let manifests = read_manifests(layout, job, chain)?;
    let total = manifests.iter().map(|manifest| manifest.documents).sum();
    let total_bytes = manifests.iter().map(|manifest| manifest.size_bytes).sum();
    let mut done = Progress {
        total: Some(total),
        total_bytes: Some(total_bytes),
        ..Progress::default()
    };
    // Before anything is read of what can only be read in part.
    let openings: Result<Vec<Opening>, _> = manifests
        .iter()
        .map(|manifest| opening(layout, manifest))
        .collect();
    let openings = openings?;
    let Some(newest) = manifests.last() else {
        return Err(BackupStoreError::Unavailable(
            "there is no backup to read".to_owned(),
        ));
    };
    let mut composing = Composing::new(sink, &Aside::new(layout, job, &newest.id));
    let mut can_be_referred_to = true;
    for (manifest, opening) in manifests.iter().zip(&openings).rev() {
        let (archive, _) = layout.find(job, &manifest.id)?;
        let gone = |error| match archive.try_exists() {
            Ok(true) => error,
            Ok(false) | Err(_) => unless_away(layout, job, error),
        };
        let from = (Stored::of(manifest), opening);
        let read = read_archive(&archive, &manifest.id, from, stop, &mut |item| {
            match &item {
                ArchiveItem::Part { bytes, .. } => done.bytes += bytes.len() as u64,
                ArchiveItem::Document { content, .. } => {
                    done.documents += 1;
                    if let DocumentContent::Inline(bytes) = content {
                        done.bytes += bytes.len() as u64;
                    }
                }
                _ => {}
            }
            composing.item(&manifest.id, item)?;
            progress(done);
            Ok(())
        });
        let (header, end) = read.map_err(gone)?;
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
        can_be_referred_to &= header.format >= REFERABLE;
        if composing.is_behind() {
            let once_more = &mut |item| composing.once_more(item);
            read_archive(&archive, &manifest.id, from, stop, once_more).map_err(gone)?;
        }
        composing.end_link(&manifest.id)?;
    }
    let corrupted = |what: String| BackupStoreError::Corrupted {
        id: newest.id.clone(),
        what,
    };
    let (listing, held) = composing.finish(&newest.id)?;
    check_root(listing.root_hash()?, newest.root_hash).map_err(corrupted)?;
    listing
        .check_tree()?
        .map_err(|error| corrupted(error.to_string()))?;
    listing
        .check_links()?
        .map_err(|error| corrupted(error.to_string()))?;
    let held = can_be_referred_to.then_some(held);
    Ok(Composed { listing, held })
}

/// Whether the root hash of a state is this one.
pub(super) fn check_root(found: ContentHash, expected: ContentHash) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!(
            "the state that it gives has root hash {found}, and {expected} was read from the sources"
        ))
    }
}

/// What an archive changes, without the content: documents and tombstones by key. What it refers to must be `held`: by its
/// chain, or by itself.
pub(super) fn read_changes(
    spot: &Spot,
    id: &BackupId,
    expected: (Stored, &Opening),
    (held, aside): (&Hashes, &Aside),
    stop: &CancellationToken,
) -> Result<Table, BackupStoreError> {
    let corrupted = |what: String| BackupStoreError::Corrupted {
        id: id.clone(),
        what,
    };
    let mut changes = Sorter::new(aside);
    // What came in parts: what a document had that was begun anew belongs to nothing, and is there.
    let mut own = Hashes::new(aside);
    let is_there = |own: &Hashes, key: &DocumentKey, hash: ContentHash| match own
        .contains(&hash)
        .map_err(unreadable)?
        || held.contains(&hash).map_err(unreadable)?
    {
        true => Ok::<_, BackupStoreError>(()),
        false => Err(corrupted(format!(
            "it refers to content of `{key}` that nothing holds"
        ))),
    };
    read_archive(spot, id, expected, stop, &mut |item| match item {
        ArchiveItem::Document {
            key,
            entry,
            content,
        } => {
            if content == DocumentContent::Same {
                is_there(&own, &key, entry.hash)?;
            }
            rows::push(&mut changes, &key, (&entry, None), false).map_err(unreadable)
        }
        ArchiveItem::Tombstone(key) => {
            rows::push_gone(&mut changes, &key);
            Ok(())
        }
        ArchiveItem::Part { hash, .. } => {
            if let Some(hash) = hash {
                own.insert(hash).map_err(unreadable)?;
            }
            Ok(())
        }
        ArchiveItem::Held { key, hash, .. } => is_there(&own, &key, hash),
        ArchiveItem::Header(_) | ArchiveItem::End(_) => Ok(()),
    })?;
    let changes = changes.finish();
    match changes.twice().map_err(unreadable)? {
        None => Ok(changes),
        Some(key) => {
            let key = String::from_utf8_lossy(&key);
            Err(corrupted(format!("it names `{key}` twice")))
        }
    }
}
