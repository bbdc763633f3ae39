//! Moves a stored backup to another tier: it is copied there, read back, committed there by its manifest, and only then
//! removed from where it was.
//!
//! Length: which of two copies counts, and how one takes the place of the other, are one agreement.
//!
//! Invariant: at every moment it is whole in one of both, and who holds it is noted beside that.
//! Invariant: its manifest is the same in both, for what builds on it holds the hash of that. Where it really is, is where it
//! lies.
//! Invariant: a move that was cut off is gone on with by the same move.
//! Invariant: what is found where it is to go counts only where it stays: it is durable, and nothing that was given up removes it.
//! Invariant: what is found first counts, and stays: another copy may be of before a rekey.
//! Invariant: what was deleted is moved no more, also where a tier that was away holds it.
//! Invariant: where nobody can tell whether it was committed it stays where it was, and in the other tier too.

use super::{
    committed::is_there_after_all,
    deletions,
    error::unavailable,
    files::Layout,
    holds, no_manifest,
    place::{Coming, Place},
    read::{is_stored_at, manifest_at},
    spot::Spot,
    store, tier,
    write::{Hashing, Stored},
};
use crate::port::{BackupStoreError, WallClock};
use mainstay_domain::{
    archive::Manifest,
    id::BackupId,
    name::{JobName, TierName},
};
use std::{
    io::{self, ErrorKind, Read},
    sync::Arc,
};
use tokio_util::sync::CancellationToken;

/// Whose fault it is that a backup was not moved.
enum Fault {
    /// That of where it is.
    OfSource(BackupStoreError),
    /// That of where it is to go.
    OfTarget(BackupStoreError),
}

/// Moves a backup to a tier; one that is there already, and nowhere else, stays as it is. A tier that fails is noted as one
/// that did not take a backup.
pub(super) fn move_to(
    layout: &Layout,
    stop: &CancellationToken,
    now: &WallClock,
    (job, id): (&JobName, &BackupId),
    tier: &TierName,
) -> Result<(), BackupStoreError> {
    let moved = move_between(layout, stop, (job, id), tier);
    match moved {
        Ok(()) => {
            layout.circuits().lock().remove(tier);
            Ok(())
        }
        Err(Fault::OfSource(error) | Fault::OfTarget(error @ BackupStoreError::Interrupted)) => {
            Err(error)
        }
        Err(Fault::OfTarget(error)) => {
            if !tier.is_local() {
                let mut circuits = layout.circuits().lock();
                let circuit = circuits.entry(tier.clone()).or_default();
                circuit.failed(error.to_string(), now());
            }
            Err(error)
        }
    }
}

fn move_between(
    layout: &Layout,
    stop: &CancellationToken,
    (job, id): (&JobName, &BackupId),
    tier: &TierName,
) -> Result<(), Fault> {
    let deleted = deletions::settle(layout, job).map_err(Fault::OfSource)?;
    if deleted.contains(id) {
        return Err(Fault::OfSource(BackupStoreError::Unavailable(format!(
            "backup {id} was deleted, and a tier that may hold it is asked for it once it is there"
        ))));
    }
    let target = target(layout, (job, id), tier).map_err(Fault::OfTarget)?;
    let copies = copies(layout, (job, id), tier)?;
    let counts = copies.first();
    if !counts.is_some_and(|first| first.is_in_place) {
        return Err(Fault::OfSource(not_found(layout, (job, id), counts)));
    }
    // A rekey changes what counts, and leaves another copy as it was.
    let counts_there = counts.is_some_and(|first| first.tier == *tier);
    // Also in the trash: a bucket has one archive for both.
    let is_there = copies.iter().any(|copy| copy.tier == *tier);
    let in_place = copies.into_iter().filter(|copy| copy.is_in_place);
    let (there, before): (Vec<Lying>, Vec<Lying>) = in_place.partition(|copy| copy.tier == *tier);
    let Some(source) = before.first() else {
        return Ok(());
    };
    let found = match there.is_empty() {
        true => None,
        false => {
            // A move that was cut off may have left it not durable, and one that was given up may still take it away.
            let is_kept = target.manifest_at(job, id).make_durable();
            is_kept
                .and_then(|()| found_at(layout, target.as_ref(), (job, id), stop))
                .map_err(Fault::OfTarget)?
        }
    };
    if !matches!(found, Some((_, true)) if counts_there) {
        let manifest = manifest_at(layout, &source.place.manifest_at(job, id), (job, id))
            .and_then(|manifest| manifest.ok_or_else(|| no_manifest(id.clone())))
            .map_err(Fault::OfSource)?;
        match found {
            Some((found, true)) if found == manifest => {}
            Some((found, false)) if counts_there && found != manifest => {
                return Err(Fault::OfSource(BackupStoreError::Corrupted {
                    id: id.clone(),
                    what: format!(
                        "its archive is not what its manifest in the tier {tier} says, and what lies of it in another tier has \
                         another manifest"
                    ),
                }));
            }
            _ => {
                let between = (source.place.as_ref(), target.as_ref());
                bring(between, (&manifest, is_there), tier, stop)?;
            }
        }
    }
    if let Some(hold) = holds::noted(&source.place.manifest_at(job, id)).map_err(Fault::OfSource)? {
        holds::write(&target.manifest_at(job, id), &hold).map_err(Fault::OfTarget)?;
    }
    before
        .iter()
        .try_for_each(|copy| copy.place.clear_here(job, id))
        .map_err(Fault::OfSource)
}

/// Where a manifest of it lies.
struct Lying {
    tier: TierName,
    place: Arc<dyn Place>,
    /// Or in the trash.
    is_in_place: bool,
}

/// Where it lies, what counts first. A tier that cannot be asked is an error where it is to go there, or where no other has it.
fn copies(
    layout: &Layout,
    (job, id): (&JobName, &BackupId),
    to: &TierName,
) -> Result<Vec<Lying>, Fault> {
    let (mut copies, mut away) = (Vec::new(), None);
    for (tier, place) in layout.places_of(job) {
        match place.find_here(job, id) {
            Ok(Some((_, manifest))) => {
                let is_in_place = manifest.shown() == place.manifest_at(job, id).shown();
                copies.push(Lying {
                    tier,
                    place,
                    is_in_place,
                });
            }
            Ok(None) => {}
            Err(error) if tier == *to => return Err(Fault::OfTarget(error)),
            Err(error) => away = away.or(Some(error)),
        }
    }
    match away {
        Some(error) if copies.is_empty() => Err(Fault::OfSource(error)),
        _ => Ok(copies),
    }
}

/// Brings it to where it is to go, and commits it there. Where something of it is there already, that goes only if what is to
/// come is whole.
fn bring(
    (source, target): (&dyn Place, &dyn Place),
    (manifest, is_there): (&Manifest, bool),
    tier: &TierName,
    stop: &CancellationToken,
) -> Result<(), Fault> {
    let Manifest {
        job,
        id,
        encryption,
        ..
    } = manifest;
    let from = source.archive_at(job, id, encryption);
    let is_whole = || is_stored_at(&from, Stored::of(manifest), stop).map_err(Fault::OfSource);
    if is_there && !is_whole()? {
        return Err(is_wrong(manifest));
    }
    // A crash may have left half of it too.
    target.clear_here(job, id).map_err(Fault::OfTarget)?;
    let put = copy(&from, target, manifest, stop)
        .and_then(|()| commit(target, manifest, tier, stop).map_err(Fault::OfTarget));
    let Err(fault) = put else {
        return Ok(());
    };
    // Where it may be committed all the same, it is in both, and the next move goes on with that.
    if !matches!(fault, Fault::OfTarget(BackupStoreError::InDoubt(_)))
        && let Err(error) = target.take_back((job, id, encryption))
    {
        tracing::warn!(backup = %id, %tier, %error, "what is left of it is removed at the next start");
    }
    Err(fault)
}

/// Where it is to go.
fn target(
    layout: &Layout,
    (job, id): (&JobName, &BackupId),
    tier: &TierName,
) -> Result<Arc<dyn Place>, BackupStoreError> {
    if tier.is_local() {
        return Ok(Arc::new(layout.clone()));
    }
    store::mark(layout, job, id)?;
    tier::begin(layout, job, tier, id)
}

/// No tier that is there has it in its place; `found` is where it lies in the trash.
fn not_found(
    layout: &Layout,
    (job, id): (&JobName, &BackupId),
    found: Option<&Lying>,
) -> BackupStoreError {
    if found.is_some() {
        return BackupStoreError::Unavailable(format!(
            "backup {id} lies in the trash, and stays in its tier"
        ));
    }
    match tier::check_noted(layout, job) {
        Ok(()) => no_manifest(id.clone()),
        Err(away) => away,
    }
}

/// What a move that was cut off has committed there, and whether it is whole; none where that does not count.
fn found_at(
    layout: &Layout,
    target: &dyn Place,
    (job, id): (&JobName, &BackupId),
    stop: &CancellationToken,
) -> Result<Option<(Manifest, bool)>, BackupStoreError> {
    let manifest = match manifest_at(layout, &target.manifest_at(job, id), (job, id)) {
        Ok(Some(manifest)) => manifest,
        Ok(None) | Err(BackupStoreError::Corrupted { .. } | BackupStoreError::Untrusted { .. }) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let archive = target.archive_at(job, id, &manifest.encryption);
    let is_whole = is_stored_at(&archive, Stored::of(&manifest), stop)?;
    Ok(Some((manifest, is_whole)))
}

fn is_wrong(manifest: &Manifest) -> Fault {
    Fault::OfSource(BackupStoreError::Corrupted {
        id: manifest.id.clone(),
        what: "its stored bytes are not those that its manifest names".to_owned(),
    })
}

/// What ended the reading of an archive too early.
enum Ended {
    /// It could not be read on.
    By(io::Error),
    /// It was read, and is not what was stored.
    Wrong,
}

/// Reads an archive, and fails at its end where it is no more what was stored: then nothing comes of it.
struct Checked<T> {
    archive: Hashing<T>,
    expected: Stored,
    ended: Option<Ended>,
}

impl<T: Read> Read for Checked<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let ended = match self.archive.read(buffer) {
            Ok(0) if !buffer.is_empty() && self.archive.stored() != self.expected => Ended::Wrong,
            Err(error) if error.kind() != ErrorKind::Interrupted => Ended::By(error),
            read => return read,
        };
        self.ended = Some(ended);
        Err(io::Error::other("what is to come is not to be had"))
    }
}

/// Copies an archive, durable. What is no more what was stored is not copied.
fn copy(
    from: &Spot,
    target: &dyn Place,
    manifest: &Manifest,
    stop: &CancellationToken,
) -> Result<(), Fault> {
    let shown = from.shown();
    let archive = match from.open(stop) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Fault::OfSource(BackupStoreError::Corrupted {
                id: manifest.id.clone(),
                what: "its archive is missing".to_owned(),
            }));
        }
        archive => archive
            .map_err(unavailable("cannot read", &shown))
            .map_err(Fault::OfSource)?,
    };
    let mut checked = Checked {
        archive: Hashing::new(archive),
        expected: Stored::of(manifest),
        ended: None,
    };
    let coming = Coming {
        bytes: &mut checked,
        length: manifest.stored_bytes,
        from: &shown,
    };
    let backup = (&manifest.job, &manifest.id, &manifest.encryption);
    let Err(error) = target.bring(coming, backup, stop) else {
        return Ok(());
    };
    Err(match checked.ended {
        Some(Ended::Wrong) => is_wrong(manifest),
        Some(Ended::By(error)) => Fault::OfSource(unavailable("cannot read", &shown)(error)),
        None => Fault::OfTarget(error),
    })
}

/// Reads the copy back, and writes its manifest.
fn commit(
    target: &dyn Place,
    manifest: &Manifest,
    tier: &TierName,
    stop: &CancellationToken,
) -> Result<(), BackupStoreError> {
    let Manifest {
        job,
        id,
        encryption,
        ..
    } = manifest;
    let archive = target.archive_at(job, id, encryption);
    if !is_stored_at(&archive, Stored::of(manifest), stop)? {
        return Err(BackupStoreError::Unavailable(format!(
            "{} does not hold what was written to it; look at what keeps the tier",
            archive.shown().display()
        )));
    }
    let bytes = manifest
        .to_bytes()
        .map_err(|error| BackupStoreError::Unavailable(error.to_string()))?;
    let spot = target.manifest_at(job, id);
    let Err(error) = spot.create(&bytes) else {
        return Ok(());
    };
    match is_there_after_all(target, job, (&spot, &bytes)) {
        Some(true) => {
            tracing::warn!(backup = %id, %tier, %error, "it is stored all the same");
            Ok(())
        }
        Some(false) => Err(error),
        None => Err(BackupStoreError::InDoubt(format!(
            "whether backup {id} is in the tier {tier} too cannot be told now: {error}; it stays where it was, and moving it again \
             goes on from there"
        ))),
    }
}
