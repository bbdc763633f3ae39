//! Archives whose manifest is gone.

use super::{
    error::unavailable,
    files::{Layout, names_in},
};
use crate::port::BackupStoreError;
use mainstay_domain::{id::BackupId, name::JobName};
use std::fs;

/// Those of a job, each with its length. One whose manifest cannot be looked for may have it.
pub(super) fn orphans(
    layout: &Layout,
    job: &JobName,
) -> Result<Vec<(BackupId, u64)>, BackupStoreError> {
    let place = layout.job(job);
    let mut found = Vec::new();
    for directory in [place.join("trash"), place] {
        for name in names_in(&directory)? {
            let id = name
                .strip_suffix(".jsonl.zst")
                .and_then(|id| BackupId::parse(id).ok());
            let Some(id) = id else { continue };
            let (_, manifest) = layout.find(job, &id);
            if manifest.try_exists().unwrap_or(true) {
                continue;
            }
            let path = directory.join(&name);
            let archive = fs::metadata(&path).map_err(unavailable("cannot look at", &path))?;
            found.push((id, archive.len()));
        }
    }
    Ok(found)
}
