//! The backups that lie there, as their manifests say.

use super::{
    deletions, error::unavailable, files::Layout, holds, place::Place, presence, read, rekey,
    spot::Spot, tier,
};
use crate::port::{BackupStoreError, StoredBackup, StoredBackups, StoredLook};
use mainstay_domain::{
    archive::Manifest,
    id::BackupId,
    name::{JobName, TierName},
};
use std::collections::BTreeSet;
use tokio_util::sync::CancellationToken;

/// Those of a job that are not known.
pub(super) fn stored(
    layout: &Layout,
    stop: &CancellationToken,
    job: &JobName,
    known: &BTreeSet<BackupId>,
    look: StoredLook,
) -> Result<StoredBackups, BackupStoreError> {
    // What is half as it is to be is whole in no way.
    rekey::finish(layout, job)?;
    // Before anything of it is taken up again.
    let deleted = deletions::settle(layout, job)?;
    let mut found = StoredBackups::default();
    // A move that was cut off left it in two tiers; it is one backup, and counts where it is found first.
    let mut seen = BTreeSet::new();
    let named = |tier: TierName, found: Vec<(Spot, bool)>| {
        let found = found.into_iter();
        found.map(move |(spot, in_trash)| (tier.clone(), spot, in_trash))
    };
    let here = named(TierName::local(), layout.manifests_here(job)?);
    let mut manifests: Vec<(TierName, Spot, bool)> = here.collect();
    for (tier, other) in tier::take_up(layout, job, known) {
        match other.manifests_here(job) {
            Ok(more) => manifests.extend(named(tier, more)),
            Err(error) => {
                tracing::error!(%job, %error, "what is stored in a tier is left out, for it cannot be listed");
                found.left_out.push(error.to_string());
            }
        }
    }
    for (tier, spot, in_trash) in manifests {
        let path = spot.shown();
        let name = path.file_stem().and_then(|name| name.to_str());
        let id = name.and_then(|name| BackupId::parse(name).ok());
        let is_new =
            |id: &BackupId| !known.contains(id) && !deleted.contains(id) && !seen.contains(id);
        let Some(id) = id.filter(is_new) else {
            continue;
        };
        match stored_at(layout, stop, (job, &id), (&tier, &spot, in_trash), look) {
            Ok(stored) => {
                seen.insert(id);
                found.stored.push(stored);
            }
            Err(BackupStoreError::Interrupted) => return Err(BackupStoreError::Interrupted),
            // It stays where it is, and keeps nobody from the others.
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "a stored backup is left out");
                let why = format!("left out {}: {error}", path.display());
                found.left_out.push(why);
            }
        }
    }
    Ok(found)
}

/// What a manifest is of, and whether that is there. One that belongs to another place is none.
fn stored_at(
    layout: &Layout,
    stop: &CancellationToken,
    (job, id): (&JobName, &BackupId),
    (tier, spot, in_trash): (&TierName, &Spot, bool),
    look: StoredLook,
) -> Result<StoredBackup, BackupStoreError> {
    let path = spot.shown();
    let bytes = spot
        .read_manifest()
        .map_err(unavailable("cannot read", &path))?;
    let manifest = Manifest::from_bytes(&bytes)
        .map_err(|error| BackupStoreError::Unavailable(error.to_string()))?;
    if manifest.job != *job || manifest.id != *id {
        return Err(BackupStoreError::Unavailable(format!(
            "{} is the manifest of backup {} of job {}; put it back where it belongs",
            path.display(),
            manifest.id,
            manifest.job
        )));
    }
    layout.keys().check_unknown(&manifest)?;
    let intact = match look {
        StoredLook::Content => read::stored_bytes_match(layout, stop, &manifest)?,
        StoredLook::Length => presence::is_there(layout, &manifest)?,
    };
    let hold = match in_trash {
        true => None,
        false => holds::noted(spot)?,
    };
    Ok(StoredBackup {
        manifest,
        tier: tier.clone(),
        intact,
        in_trash,
        hold,
    })
}
