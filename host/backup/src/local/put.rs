//! Puts an archive that was written into the first tier that takes it: there it is read back, and committed by its manifest.
//!
//! Invariant: what a tier did not take leaves nothing in it that looks like a backup.
//! Invariant: a tier that failed again and again delays no backup that another takes.
//! Invariant: no other tier is asked where the one before may have committed: a backup is in one tier.
//! Invariant: what failed while it was committed is looked at afresh: it is stored, is not, or is told to be in doubt.

use super::{
    committed::is_there_after_all,
    durable,
    error::unavailable,
    files::{Layout, remove_file, sync_dir},
    place::{Coming, Place},
    regular::open_regular,
    spot::Spot,
    store, tier,
};
use crate::port::{BackupStoreError, TakeBackup, WallClock};
use mainstay_domain::{
    archive::{Encryption, Manifest},
    name::TierName,
};
use std::path::Path;
use tokio_util::sync::CancellationToken;

/// An archive that was written, whole and durable.
pub(super) struct Written<'a> {
    pub(super) layout: &'a Layout,
    pub(super) stop: &'a CancellationToken,
    pub(super) request: &'a TakeBackup,
    pub(super) now: &'a WallClock,
    /// Where it is.
    pub(super) partial: &'a Path,
    /// How it is encrypted, which is in its name.
    pub(super) encryption: &'a Encryption,
    /// Reads what lies somewhere, and says whether it is what was written.
    pub(super) check: &'a dyn Fn(&Spot) -> Result<(), BackupStoreError>,
    /// Its manifest, signed, where it is right in a tier.
    pub(super) manifest: &'a dyn Fn(&TierName) -> Result<Manifest, BackupStoreError>,
}

/// Why a tier did not take it.
enum Refusal {
    /// It has nothing of it.
    Clean(BackupStoreError),
    /// It may have it.
    InDoubt(BackupStoreError),
}

impl From<BackupStoreError> for Refusal {
    fn from(error: BackupStoreError) -> Self {
        Self::Clean(error)
    }
}

/// Its manifest in the tier that took it, and the tiers that were wanted before it with what they said. A tier that failed
/// again and again is tried where no other takes it.
pub(super) fn put(
    written: &Written<'_>,
) -> Result<(Manifest, Vec<(TierName, String)>), BackupStoreError> {
    let tiers = &written.request.tiers;
    let resting: Vec<(&TierName, String)> = tiers
        .iter()
        .filter_map(|tier| Some((tier, rests(written, tier)?)))
        .collect();
    let is_resting = |tier: &TierName| resting.iter().any(|(it, _)| *it == tier);
    let (later, first): (Vec<&TierName>, Vec<&TierName>) =
        tiers.iter().partition(|&tier| is_resting(tier));
    let mut refused: Vec<(TierName, String)> = Vec::new();
    let mut last = BackupStoreError::Unavailable("no tier is named for the backup".to_owned());
    for tier in first.into_iter().chain(later) {
        match put_in(written, tier) {
            Ok(manifest) => {
                written.layout.circuits().lock().remove(tier);
                let why_not = |before: &TierName| {
                    let tried = refused.iter().find(|(it, _)| it == before);
                    let rested = resting.iter().find(|(it, _)| *it == before);
                    let tried = tried.map(|(_, why)| why);
                    let why = tried.or(rested.map(|(_, why)| why))?;
                    Some((before.clone(), why.clone()))
                };
                let wanted = tiers.iter().take_while(|it| *it != tier);
                return Ok((manifest, wanted.filter_map(why_not).collect()));
            }
            Err(Refusal::Clean(error @ BackupStoreError::Interrupted)) => return Err(error),
            Err(Refusal::InDoubt(error)) => {
                note_failure(written, tier, &error);
                return Err(error);
            }
            Err(Refusal::Clean(error)) => {
                note_failure(written, tier, &error);
                refused.push((tier.clone(), error.to_string()));
                last = error;
            }
        }
    }
    if refused.len() < 2 {
        return Err(last);
    }
    let all = refused.iter().map(|(tier, why)| format!("{tier}: {why}"));
    let all = format!("no tier took it: {}", all.collect::<Vec<_>>().join("; "));
    Err(match last {
        BackupStoreError::NoRoom(_) => BackupStoreError::NoRoom(all),
        _ => BackupStoreError::Unavailable(all),
    })
}

/// Why a tier is left alone for now.
fn rests(written: &Written<'_>, tier: &TierName) -> Option<String> {
    let circuits = written.layout.circuits().lock();
    let (until, why) = circuits.get(tier)?.open_until((written.now)())?;
    Some(format!(
        "it failed again and again, and is left alone until {until}: {why}"
    ))
}

fn note_failure(written: &Written<'_>, tier: &TierName, error: &BackupStoreError) {
    if !tier.is_local() {
        let mut circuits = written.layout.circuits().lock();
        let circuit = circuits.entry(tier.clone()).or_default();
        circuit.failed(error.to_string(), (written.now)());
    }
}

fn put_in(written: &Written<'_>, tier: &TierName) -> Result<Manifest, Refusal> {
    let Written {
        layout, request, ..
    } = written;
    let (job, id) = (&request.job, &request.id);
    if tier.is_local() {
        let committed = move_here(written)
            .map_err(Refusal::Clean)
            .and_then(|()| commit(written, tier, *layout));
        if let Err(Refusal::Clean(_)) = &committed {
            // For the next tier, which copies it from there; where it cannot be, that one finds nothing to copy.
            let _ = durable::rename(
                &layout.archive(job, id, written.encryption),
                written.partial,
            );
        }
        return committed;
    }
    store::mark(layout, job, id)?;
    let place = tier::begin(layout, job, tier, id)?;
    let backup = (job, id, written.encryption);
    let committed = bring(written, place.as_ref())
        .map_err(Refusal::Clean)
        .and_then(|()| commit(written, tier, place.as_ref()));
    let removed = match &committed {
        Ok(_) => remove_file(written.partial),
        Err(Refusal::Clean(_)) => place.take_back(backup),
        Err(Refusal::InDoubt(_)) => Ok(()),
    };
    if let Err(error) = removed {
        tracing::warn!(backup = %id, %tier, %error, "what is left of it is removed at the next start");
    }
    committed
}

/// To another tier it is copied.
fn bring(written: &Written<'_>, place: &dyn Place) -> Result<(), BackupStoreError> {
    let from = written.partial;
    let mut file = open_regular(from).map_err(unavailable("cannot read", from))?;
    let found = file.metadata().map_err(unavailable("cannot read", from))?;
    let coming = Coming {
        bytes: &mut file,
        length: found.len(),
        from,
    };
    let request = written.request;
    let backup = (&request.job, &request.id, written.encryption);
    place.bring(coming, backup, written.stop)
}

/// In the state directory it is moved into its place.
fn move_here(written: &Written<'_>) -> Result<(), BackupStoreError> {
    let (job, id) = (&written.request.job, &written.request.id);
    let path = written.layout.archive(job, id, written.encryption);
    durable::rename(written.partial, &path).map_err(unavailable("cannot make", &path))?;
    sync_dir(&written.layout.job(job))
}

/// Reads back what is in its place, and writes the manifest.
fn commit(written: &Written<'_>, tier: &TierName, place: &dyn Place) -> Result<Manifest, Refusal> {
    let (job, id) = (&written.request.job, &written.request.id);
    (written.check)(&place.archive_at(job, id, written.encryption))?;
    let manifest = (written.manifest)(tier)?;
    let bytes = manifest
        .to_bytes()
        .map_err(|error| BackupStoreError::Unavailable(error.to_string()))?;
    store::mark(written.layout, job, id)?;
    let spot = place.manifest_at(job, id);
    let Err(error) = spot.create(&bytes) else {
        return Ok(manifest);
    };
    match is_there_after_all(place, job, (&spot, &bytes)) {
        Some(true) => {
            tracing::warn!(backup = %id, %tier, %error, "it is stored all the same");
            Ok(manifest)
        }
        Some(false) => Err(Refusal::Clean(error)),
        None => Err(Refusal::InDoubt(BackupStoreError::InDoubt(format!(
            "whether backup {id} is stored in the tier {tier} cannot be told now: {error}; it is looked for again before the next \
             backup of job {job} is taken, and at the next start"
        )))),
    }
}
