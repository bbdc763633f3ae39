//! Archives whose manifest is gone.

use super::{
    files::{ARCHIVES, Layout, names_in},
    tier,
};
use crate::port::BackupStoreError;
use mainstay_domain::{id::BackupId, name::JobName};
use std::fs;

/// Those of a job, each with its length. One whose manifest cannot be looked for may have it.
pub(super) fn orphans(
    layout: &Layout,
    job: &JobName,
) -> Result<Vec<(BackupId, u64)>, BackupStoreError> {
    let mut directories = vec![layout.trash_of(job), layout.job(job)];
    for tier in tier::noted(layout, job)? {
        // Of one that is not there nothing is known.
        if let Ok(other) = tier::check_there(layout, job, &tier) {
            directories.extend([other.trash_of(job), other.job(job)]);
        }
    }
    let mut found = Vec::new();
    for directory in directories {
        for name in names_in(&directory)? {
            let id = ARCHIVES
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix))
                .and_then(|id| BackupId::parse(id).ok());
            let Some(id) = id else { continue };
            let (_, manifest) = layout.find(job, &id);
            if manifest.try_exists().unwrap_or(true) {
                continue;
            }
            let path = directory.join(&name);
            // Of one that cannot be looked at nothing else is known, and it keeps nobody from the others.
            let bytes = fs::metadata(&path).map_or(0, |archive| archive.len());
            found.push((id, bytes));
        }
    }
    Ok(found)
}
