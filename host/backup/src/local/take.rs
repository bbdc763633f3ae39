//! Takes one backup: reads the sources, writes what differs, reads it back, commits it.
//!
//! Length: all that is known of a backup by its manifest comes together here.

use super::{
    apart::{Whereabouts, one_in_another, whereabouts},
    chunks::ChunkSizes,
    documents::{BrokenOff, SourceReader, check_given, check_together},
    files::{Layout, create_private_dir, remove_file},
    hashes::Hashes,
    index::{Index, Over},
    keys::encryption_of,
    pieces::PieceWriter,
    presence,
    put::{Written, put},
    read,
    seal::Opening,
    sink::DiscardSink,
    spot::Spot,
    store,
    table::Aside,
    write::ArchiveWriter,
};
use crate::port::{
    BackupStoreError, OnProgress, SourcePrograms, TakeBackup, TakenBackup, WallClock,
};
use mainstay_domain::{
    archive::{
        Compression, Encryption, FORMAT, Header, Manifest, ParentLink, SourceNote, faulty_sources,
    },
    backup::BackupType,
    id::BackupId,
    name::{JobName, TierName},
    spec::BackupSource,
    time::millis,
};
use std::{mem, path::Path, sync::Arc, time::Instant};
use tokio_util::sync::CancellationToken;

/// How often a backup begins anew at most where a source changes while it is read.
const RUNS: usize = 3;

/// Takes a backup. Whatever fails, nothing is left of it; but where its manifest is there all the same, so is its archive.
pub(super) fn take(
    layout: &Layout,
    programs: &dyn SourcePrograms,
    now: &WallClock,
    stop: &CancellationToken,
    request: &TakeBackup,
    progress: &OnProgress,
    sizes: ChunkSizes,
) -> Result<TakenBackup, BackupStoreError> {
    if request.is_known {
        store::check_there(layout, &request.job)?;
    }
    store::check_own(layout, &request.job)?;
    create_private_dir(&layout.job(&request.job))?;
    let broken_off = BrokenOff::default();
    let run = || -> Result<TakenBackup, BackupStoreError> {
        let how = (sizes, &broken_off);
        let taken = write_and_verify(layout, programs, now, stop, request, progress, how);
        if taken.is_err() {
            remove_pieces(layout, request)?;
        }
        taken
    };
    let mut changes = 0;
    loop {
        let known = broken_off.borrow().len();
        let taken = run();
        let Err(BackupStoreError::SourceChanged(what)) = &taken else {
            return taken;
        };
        // Of those there is a bound, above which a file that breaks off is only missed.
        let has_broken_off = broken_off.borrow().len() > known;
        if !has_broken_off {
            changes += 1;
        }
        if changes == RUNS {
            return taken;
        }
        tracing::info!(backup = %request.id, "it begins anew: {what}");
    }
}

/// Removes what there is of a backup that was not taken.
fn remove_pieces(layout: &Layout, request: &TakeBackup) -> Result<(), BackupStoreError> {
    for what in ["archive", "index", "spool", "copy"] {
        remove_file(&layout.partial(&request.job, &request.id, what))?;
    }
    let manifest = layout.manifest(&request.job, &request.id);
    if !manifest.try_exists().unwrap_or(true) {
        remove_file(&layout.archive(&request.job, &request.id, &request.sealing.encryption))?;
    }
    Ok(())
}

fn write_and_verify(
    layout: &Layout,
    programs: &dyn SourcePrograms,
    now: &WallClock,
    stop: &CancellationToken,
    request: &TakeBackup,
    progress: &OnProgress,
    (sizes, broken_off): (ChunkSizes, &BrokenOff),
) -> Result<TakenBackup, BackupStoreError> {
    let started = Instant::now();
    check_sources(layout, &request.sources)?;
    let (job, id) = (&request.job, &request.id);
    let encryption = &encryption_of(&request.sealing)?;
    // Known before anything is written: what cannot be signed is not committed.
    layout.keys().host().public()?;
    let manifests = read::read_manifests(layout, job, &request.chain)?;
    check_archives(layout, &manifests)?;
    let aside = Aside::new(layout, job, id);
    let mut baseline = match manifests.last() {
        None => Index::empty(&aside),
        Some(parent) => match Index::load(layout, job, &parent.id, parent.root_hash) {
            Some(index) => index,
            None => composed_index(layout, stop, job, &request.chain, &aside)?,
        },
    };
    let base = manifests.first().map_or(id, |base| &base.id).clone();
    let parent = match manifests.last() {
        None => None,
        Some(parent) => {
            let manifest_hash = parent
                .hash()
                .map_err(|error| BackupStoreError::Unavailable(error.to_string()))?;
            Some(ParentLink {
                id: parent.id.clone(),
                manifest_hash,
            })
        }
    };
    let partial = layout.partial(job, id, "archive");
    let header = Header {
        format: FORMAT,
        id: id.clone(),
        job: job.clone(),
        backup_type: request.backup_type,
        parent: parent.as_ref().map(|parent| parent.id.clone()),
        base: base.clone(),
        created_at: request.created_at,
    };
    let writer = ArchiveWriter::create(&partial, header, request.compression, encryption)?;
    let held = mem::replace(&mut baseline.held, Hashes::new(&aside));
    let mut writer = PieceWriter::new(writer, held);
    if baseline.can_be_referred_to && baseline.read_over().is_some() {
        writer = writer.telling_added(&aside);
    }
    let mut reader = SourceReader::new(
        layout,
        programs,
        stop,
        request,
        progress,
        &baseline,
        (writer, sizes, broken_off),
    );
    reader.read_sources()?;
    let SourceReader {
        writer,
        found,
        given,
        mut warnings,
        incomplete,
        mounts,
        ..
    } = reader;
    let (mut writer, held, added) = writer.finish();
    let found = found.finish(held, baseline.can_be_referred_to)?;
    check_given(&given, &found)?;
    check_together(&request.sources, &found)?;
    baseline.for_each_gone_in(&found, &mut |key| writer.tombstone(key))?;
    let (end, stored) = writer.finish(found.listing.root_hash()?)?;

    let over = found.over(&baseline, &added)?;
    let read_over = baseline.read_over();
    let corrupted = |what| BackupStoreError::Corrupted {
        id: id.clone(),
        what,
    };
    let opening = opening(layout, (request, encryption), &mut warnings)?;
    let check = |spot: &Spot| {
        let Some(opening) = &opening else {
            return match read::is_stored_at(spot, stored, stop)? {
                true => Ok(()),
                false => Err(corrupted(
                    "its stored bytes are not those that were written".to_owned(),
                )),
            };
        };
        let from = (stored, opening);
        let changes = read::read_changes(spot, id, from, (&found.held, &aside), stop)?;
        let read_back = baseline.root_hash_with(&changes)?;
        read::check_root(read_back, end.root_hash).map_err(corrupted)
    };
    let unsigned = |tier: &TierName| Manifest {
        format: FORMAT,
        id: id.clone(),
        job: job.clone(),
        backup_type: request.backup_type,
        parent: parent.clone(),
        base: base.clone(),
        created_at: request.created_at,
        verified_at: now(),
        elapsed_ms: millis(started.elapsed()),
        root_hash: end.root_hash,
        documents: end.documents,
        tombstones: end.tombstones,
        size_bytes: end.size_bytes,
        stored_bytes: stored.bytes,
        stored_hash: stored.hash,
        tier: tier.to_string(),
        compression: Compression::Zstd {
            level: request.compression,
        },
        encryption: encryption.clone(),
        sources: request.sources.iter().map(note).collect(),
        incomplete,
        stored_only: opening.is_none(),
        selection: request.reading.include.contains_key(&request.backup_type),
        signature: None,
    };
    let manifest = |tier: &TierName| layout.keys().host().sign(unsigned(tier));
    let (manifest, refused) = put(&Written {
        layout,
        stop,
        request,
        now,
        partial: &partial,
        encryption,
        check: &check,
        manifest: &manifest,
    })?;
    keep_index(layout, request, &found, over.as_ref(), read_over);
    Ok(TakenBackup {
        manifest,
        warnings,
        refused,
        mounts: mounts.into_found(incomplete),
    })
}

/// What reads back what is stored now. None where nothing here opens it: then its bytes are compared with what was written. That
/// it should be opened here and cannot be is warned about.
fn opening(
    layout: &Layout,
    (request, encryption): (&TakeBackup, &Encryption),
    warnings: &mut Vec<String>,
) -> Result<Option<Opening>, BackupStoreError> {
    let (job, id, sealing) = (&request.job, &request.id, &request.sealing);
    match layout.keys().opening(job, id, encryption) {
        Err(BackupStoreError::Locked(why)) => {
            if sealing.identity.is_some() {
                warnings.push(format!("only its stored bytes were read back: {why}"));
            }
            Ok(None)
        }
        opening => opening.map(Some),
    }
}

/// What could be verified and never be put back is not taken. The config is refused for it too; but only here it is known
/// where links lead.
pub(super) fn check_sources(
    layout: &Layout,
    sources: &[BackupSource],
) -> Result<(), BackupStoreError> {
    let resolved = sources.iter().cloned().map(|source| match source {
        BackupSource::Directory { path, prefix } => BackupSource::Directory {
            path: path.canonicalize().unwrap_or(path),
            prefix,
        },
        other => other,
    });
    let resolved: Vec<BackupSource> = resolved.collect();
    if let Some(faulty) = faulty_sources(&resolved).into_iter().next() {
        return Err(BackupStoreError::Source(format!(
            "a backup of these sources could not be restored: {}",
            faulty.fault
        )));
    }
    let directories = resolved.iter().filter_map(|source| match source {
        BackupSource::Directory { path, .. } => Some(path.as_path()),
        _ => None,
    });
    let directories: Vec<&Path> = directories.collect();
    if let Some((inner, outer)) = one_in_another(&directories) {
        return Err(BackupStoreError::Source(format!(
            "a backup of these sources could not be restored: {} is {}, or lies in it, by a mount, so that it would be stored twice and each \
             restored over the other; name one of them",
            inner.display(),
            outer.display()
        )));
    }
    for source in &resolved {
        if let BackupSource::Directory { path, .. } = source
            && whereabouts(layout, path).is_ok_and(|found| found == Whereabouts::InStore)
        {
            return Err(BackupStoreError::Source(format!(
                "the source {} lies in {}, where backups are stored: each backup would hold those before it; name what \
                 is to be backed up itself",
                path.display(),
                layout.root().display()
            )));
        }
    }
    Ok(())
}

/// Whether the archives of a chain are there as long as they were stored. With a good index none of them is read, and
/// what builds on a lost one cannot be restored.
fn check_archives(layout: &Layout, manifests: &[Manifest]) -> Result<(), BackupStoreError> {
    for manifest in manifests {
        presence::look(layout, &manifest.job, &manifest.id, manifest.stored_bytes)?;
    }
    Ok(())
}

/// The index of a chain that has none any more, without stamps.
fn composed_index(
    layout: &Layout,
    stop: &CancellationToken,
    job: &JobName,
    chain: &[BackupId],
    aside: &Aside,
) -> Result<Index, BackupStoreError> {
    let silent: OnProgress = Arc::new(|_| ());
    let composed = read::read_chain(layout, stop, job, chain, &silent, &mut DiscardSink)?;
    Ok(Index::of(composed, aside))
}

/// Stores the index of what was taken, and drops those that nothing needs now: that of a parent, and the whole one that it
/// was read over. That of the full backup stays for the next differential. The backup is committed by now, and an index is
/// only a cache: a failure costs time at the next backup, and is logged.
fn keep_index(
    layout: &Layout,
    request: &TakeBackup,
    found: &Index,
    over: Option<&Over<'_>>,
    read_over: Option<&BackupId>,
) {
    if matches!(
        request.backup_type,
        BackupType::Snapshot | BackupType::Emergency
    ) {
        return;
    }
    let needed = [request.chain.first(), over.map(|over| over.whole)];
    let mut before = [request.chain.last(), read_over].into_iter().flatten();
    let (stored, dropped) = match request.sealing.index {
        true => (
            found.store(layout, &request.job, &request.id, over),
            before.try_for_each(|id| match needed.contains(&Some(id)) {
                true => Ok(()),
                false => remove_file(&layout.index(&request.job, id)),
            }),
        ),
        // None is kept, nor what those before left.
        false => (Ok(()), layout.remove_indexes(&request.job)),
    };
    if let Err(error) = stored.and(dropped) {
        tracing::warn!(backup = %request.id, %error, "the index is not stored; the next backup reads the chain instead");
    }
}

fn note(source: &BackupSource) -> SourceNote {
    match source {
        BackupSource::Directory { path, prefix } => SourceNote::Directory {
            path: path.display().to_string(),
            prefix: prefix.clone(),
        },
        BackupSource::Command { run, key, .. } => SourceNote::Command {
            program: run.first().cloned().unwrap_or_default(),
            key: key.clone(),
        },
        BackupSource::Http(source) => SourceNote::Command {
            program: source.url.clone(),
            key: source.key.clone(),
        },
        BackupSource::Plugin(source) => SourceNote::Command {
            program: source.plugin.to_string(),
            key: source.prefix.clone(),
        },
        BackupSource::Redis(source) => SourceNote::Command {
            program: source.at.to_string(),
            key: source.key.clone(),
        },
        BackupSource::File { path, key } | BackupSource::Sqlite { path, key } => {
            SourceNote::Command {
                program: path.display().to_string(),
                key: key.clone(),
            }
        }
    }
}
