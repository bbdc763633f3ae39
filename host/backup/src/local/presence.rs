//! Whether the files of a backup are there, as long as they were stored: a look that reads nothing.

use super::{
    error::unavailable, files::Layout, no_manifest, place::Place, read::known_manifest,
    tier::unless_away,
};
use crate::port::BackupStoreError;
use mainstay_domain::{archive::Manifest, id::BackupId, name::JobName};
use std::{
    cell::LazyCell,
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
    sync::Arc,
};

/// Whether the archive of a manifest is there, as long as it was stored.
pub(super) fn is_there(layout: &Layout, manifest: &Manifest) -> Result<bool, BackupStoreError> {
    match look(layout, &manifest.job, &manifest.id, manifest.stored_bytes) {
        Ok(()) => Ok(true),
        Err(BackupStoreError::Corrupted { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What is not there, or not as long as it was stored, of what the catalog knows of a job, each with so many bytes. Each question
/// goes over a network where a bucket has it; so what buckets list as it was stored is not asked for by itself.
pub(super) fn lost(
    layout: &Layout,
    job: &JobName,
    stored: &[(BackupId, u64)],
) -> Vec<BackupStoreError> {
    let places = layout.places_of(job);
    let (directories, buckets): (Vec<_>, Vec<_>) = places
        .into_iter()
        .map(|(_, place)| place)
        .partition(|place| place.directory().is_some());
    let listed = LazyCell::new(|| listed(&buckets, job));
    let is_listed = |id: &BackupId, bytes: u64| {
        let mut directories = directories.iter();
        // A directory is asked first, and may have it as it is not to be.
        directories.all(|place| matches!(place.has(job, id), Ok(false)))
            && listed.get(id) == Some(&bytes)
    };
    let others = stored.iter().filter(|(id, bytes)| !is_listed(id, *bytes));
    let looks = others.map(|(id, bytes)| look_for(layout, job, id, *bytes));
    looks.filter_map(Result::err).collect()
}

/// The backups of which buckets have archive and manifest, with the lengths of the archives. Of one that cannot be listed none.
fn listed(buckets: &[Arc<dyn Place>], job: &JobName) -> BTreeMap<BackupId, u64> {
    let mut found = BTreeMap::new();
    for bucket in buckets {
        let (Ok(manifests), Ok(archives)) = (bucket.manifests_here(job), bucket.archives(job))
        else {
            continue;
        };
        let names = manifests.iter().map(|(spot, _)| spot.shown());
        let ids: BTreeSet<BackupId> = names
            .filter_map(|name| BackupId::parse(name.file_stem()?.to_str()?).ok())
            .collect();
        found.extend(archives.into_iter().filter(|(id, _)| ids.contains(id)));
    }
    found
}

/// As [`look`], of what the catalog knows. Where a crash came after it was encrypted anew, it is as long as its manifest says.
fn look_for(
    layout: &Layout,
    job: &JobName,
    id: &BackupId,
    known_bytes: u64,
) -> Result<(), BackupStoreError> {
    let looked = look(layout, job, id, known_bytes);
    if !matches!(looked, Err(BackupStoreError::Corrupted { .. })) {
        return looked;
    }
    match known_manifest(layout, job, id) {
        Ok(Some(manifest)) if manifest.stored_bytes != known_bytes => {
            look(layout, job, id, manifest.stored_bytes)
        }
        _ => looked,
    }
}

/// Looks for archive and manifest of a backup, of which so many bytes were stored.
pub(super) fn look(
    layout: &Layout,
    job: &JobName,
    id: &BackupId,
    stored_bytes: u64,
) -> Result<(), BackupStoreError> {
    let (archive, manifest) = layout.find(job, id)?;
    let what = match archive.length() {
        Ok(found) if found == stored_bytes => match manifest.try_exists()? {
            true => return Ok(()),
            false => return Err(unless_away(layout, job, no_manifest(id.clone()))),
        },
        Ok(found) => format!("its archive has {found} bytes, and {stored_bytes} were stored"),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let (id, what) = (id.clone(), "its archive is missing".to_owned());
            let missing = BackupStoreError::Corrupted { id, what };
            return Err(unless_away(layout, job, missing));
        }
        Err(error) => return Err(unavailable("cannot read", &archive.shown())(error)),
    };
    let id = id.clone();
    Err(BackupStoreError::Corrupted { id, what })
}
