//! Whether a backup was committed, looked at afresh: where the answer of what wrote its manifest was an error, or was lost.
//!
//! Invariant: what is said to be committed is durable.

use super::{
    files::{Layout, sync_dir},
    read::known_manifest,
    regular::read_manifest,
    store,
};
use crate::port::BackupStoreError;
use mainstay_domain::{archive::Manifest, id::BackupId, name::JobName};
use std::{io::ErrorKind, path::Path};

/// The manifest of a backup that is committed; none where it is not.
pub(super) fn committed(
    layout: &Layout,
    job: &JobName,
    id: &BackupId,
) -> Result<Option<Manifest>, BackupStoreError> {
    let found = known_manifest(layout, job, id)?;
    if found.is_some() {
        let (_, path) = layout.find(job, id);
        path.parent().map_or(Ok(()), sync_dir)?;
    }
    Ok(found)
}

/// Whether a manifest that could not be written into this place is there all the same; none where nobody can tell now.
pub(super) fn is_there_after_all(
    place: &Layout,
    job: &JobName,
    (path, bytes): (&Path, &[u8]),
) -> Option<bool> {
    match read_manifest(path) {
        Ok(found) if found == bytes => {
            let durable = path.parent().map_or(Ok(()), sync_dir);
            durable.ok().map(|()| true)
        }
        // It is not there; not so where all of the store is not.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            store::path(place, job).exists().then_some(false)
        }
        Ok(_) | Err(_) => None,
    }
}
