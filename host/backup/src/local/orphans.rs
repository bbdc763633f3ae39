//! Archives whose manifest is gone.

use super::{files::Layout, place::Place, tier};
use crate::port::BackupStoreError;
use mainstay_domain::{id::BackupId, name::JobName};

/// Those of a job, each with its length. One whose manifest cannot be looked for may have it. A tier that cannot list keeps
/// nobody from those of the others.
pub(super) fn orphans(
    layout: &Layout,
    job: &JobName,
) -> Result<Vec<(BackupId, u64)>, BackupStoreError> {
    let mut archives = layout.archives(job)?;
    for tier in tier::noted(layout, job)? {
        // Of one that is not there nothing is known.
        let Ok(place) = tier::check_there(layout, job, &tier) else {
            continue;
        };
        match place.archives(job) {
            Ok(more) => archives.extend(more),
            Err(error) => {
                tracing::error!(%job, %tier, %error, "archives without their manifests are not looked for in a tier");
            }
        }
    }
    let mut found = Vec::new();
    for (id, bytes) in archives {
        let manifest = layout.find(job, &id).and_then(|(_, it)| it.try_exists());
        if !manifest.unwrap_or(true) {
            found.push((id, bytes));
        }
    }
    Ok(found)
}
