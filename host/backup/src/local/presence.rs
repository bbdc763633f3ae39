//! Whether the files of a backup are there, as long as they were stored: a look that reads nothing.

use super::{
    error::unavailable, files::Layout, no_manifest, read::known_manifest, tier::unless_away,
};
use crate::port::BackupStoreError;
use mainstay_domain::{archive::Manifest, id::BackupId, name::JobName};
use std::io::ErrorKind;

/// Whether the archive of a manifest is there, as long as it was stored.
pub(super) fn is_there(layout: &Layout, manifest: &Manifest) -> Result<bool, BackupStoreError> {
    match look(layout, &manifest.job, &manifest.id, manifest.stored_bytes) {
        Ok(()) => Ok(true),
        Err(BackupStoreError::Corrupted { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// As [`look`], of what the catalog knows. Where a crash came after it was encrypted anew, it is as long as its manifest says.
pub(super) fn look_for(
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
