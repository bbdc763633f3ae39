//! Deletions of which not every tier was told: one that was away, or in which a change that was given up may still come, may hold
//! the backup too, as one that was moved, or that fell over to another tier when an answer was lost.
//!
//! `ID.deleted` beside the backups of the job names the tiers that are still to be asked, one a line.
//!
//! Invariant: what was deleted does not come back with a tier.
//! Invariant: what a person takes out of the trash is deleted nowhere for having been noted before.

use super::{
    error::unavailable,
    files::{Layout, names_in, remove_file, sync_dir, write_create_only},
    place::Place,
    regular::read_manifest,
    tier::{check_there, noted},
};
use crate::port::BackupStoreError;
use mainstay_domain::{
    id::BackupId,
    name::{JobName, TierName},
};
use std::{collections::BTreeSet, io::ErrorKind, path::PathBuf, sync::Arc};

const SUFFIX: &str = ".deleted";

fn note(layout: &Layout, job: &JobName, id: &BackupId) -> PathBuf {
    layout.job(job).join(format!("{id}{SUFFIX}"))
}

/// Deletes a backup wherever it is. An error where it may be in a tier that is away and is in no other; else that tier is asked
/// later.
pub(super) fn delete(
    layout: &Layout,
    job: &JobName,
    id: &BackupId,
) -> Result<(), BackupStoreError> {
    let is_remembered = note(layout, job, id).try_exists().unwrap_or(true);
    let mut holders = layout.places();
    // A bucket is asked below, and only one that backups of the job were stored in; so is a directory that did not answer.
    holders.retain(|place| place.directory().is_some() && place.has(job, id).unwrap_or(false));
    let (mut away, mut why) = (Vec::new(), None);
    for tier in noted(layout, job)? {
        let asked = check_there(layout, job, &tier).and_then(|place| {
            let over = place.mark(job).check_over();
            // To delete twice is to delete once.
            if place.has(job, id)? {
                return Ok(Some(place));
            }
            // What was given up there may still bring it.
            over.map_err(unavailable("cannot tell what is in", &place.shown()))?;
            Ok(None)
        });
        match asked {
            Ok(holder) => holders.extend(holder),
            Err(error) => {
                away.push(tier);
                why = why.or(Some(error));
            }
        }
    }
    if let Some(error) = why
        && holders.is_empty()
        && !is_remembered
    {
        return Err(error);
    }
    let remember = || match away.is_empty() {
        true => Ok(()),
        false => write_note(layout, job, id, &away),
    };
    let remembered = match remember() {
        // What is deleted makes room for it.
        Err(BackupStoreError::NoRoom(_)) => false,
        remembered => {
            remembered?;
            true
        }
    };
    for place in holders {
        place.delete_here(job, id)?;
    }
    layout.delete(job, id)?;
    if !remembered {
        remember()?;
    }
    // Those of before, of tiers that are there again. What cannot be asked now is asked by the next.
    if let Err(error) = settle(layout, job) {
        tracing::warn!(%job, %error, "what was deleted while a tier was away cannot be looked for now");
    }
    Ok(())
}

/// Asks nobody any more for a backup that is to come out of the trash, where one of these holds more of it than a deletion leaves.
pub(super) fn forget(
    layout: &Layout,
    job: &JobName,
    id: &BackupId,
    holders: &[Arc<dyn Place>],
) -> Result<(), BackupStoreError> {
    let note = note(layout, job, id);
    if !note.try_exists().unwrap_or(true) {
        return Ok(());
    }
    for holder in holders {
        // A deletion begins with the manifest.
        if holder.find_here(job, id)?.is_some() {
            remove_file(&note)?;
            return sync_dir(&layout.job(job));
        }
    }
    Ok(())
}

/// Asks the tiers that are there by now. The backups that others are still to be asked for.
pub(super) fn settle(
    layout: &Layout,
    job: &JobName,
) -> Result<BTreeSet<BackupId>, BackupStoreError> {
    let mut remembered = BTreeSet::new();
    for name in names_in(&layout.job(job))? {
        let id = name.strip_suffix(SUFFIX).map(BackupId::parse);
        remembered.extend(id.and_then(Result::ok));
    }
    let settled: BTreeSet<BackupId> = remembered
        .iter()
        .filter(|id| match ask_again(layout, job, id) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%job, backup = %id, %error, "it is deleted, and a tier that may hold it is asked again later");
                false
            }
        })
        .cloned()
        .collect();
    remembered.retain(|id| !settled.contains(id));
    Ok(remembered)
}

/// Asks each tier that is still to be asked for a backup; an error where one of them could not be.
fn ask_again(layout: &Layout, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError> {
    let path = note(layout, job, id);
    let named = read_manifest(&path).unwrap_or_default();
    let named = String::from_utf8_lossy(&named).into_owned();
    // Of a tier whose store is lost for good a person removes what is noted. Where a note cannot be read, all may be meant.
    let mut tiers = noted(layout, job)?;
    tiers.retain(|tier| named.is_empty() || named.lines().any(|name| name == tier.as_str()));
    let asked = tiers
        .iter()
        .map(|tier| check_there(layout, job, tier)?.delete_here(job, id));
    let failed: Vec<BackupStoreError> = asked.filter_map(Result::err).collect();
    match failed.into_iter().next() {
        Some(error) => Err(error),
        None => remove_file(&path),
    }
}

/// Notes these, beside those that were noted before.
fn write_note(
    layout: &Layout,
    job: &JobName,
    id: &BackupId,
    tiers: &[TierName],
) -> Result<(), BackupStoreError> {
    let path = note(layout, job, id);
    let before = match read_manifest(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        // Where it cannot be read, all are meant.
        before => Some(String::from_utf8_lossy(&before.unwrap_or_default()).into_owned()),
    };
    let mut names: BTreeSet<&str> = tiers.iter().map(TierName::as_str).collect();
    if let Some(before) = &before {
        let noted: BTreeSet<&str> = before.lines().collect();
        if noted.is_empty() || names.is_subset(&noted) {
            return Ok(());
        }
        names.extend(noted);
        // A crash after this forgets nothing: what is to be deleted is known until it is.
        remove_file(&path)?;
    }
    let names: Vec<&str> = names.into_iter().collect();
    // A crash may have left it half written.
    remove_file(&path.with_extension("deleted.partial"))?;
    write_create_only(&path, names.join("\n").as_bytes())
}
