//! Archives whose manifest is gone.

use super::{files::Layout, place::Place, tier};
use crate::port::BackupStoreError;
use mainstay_domain::{id::BackupId, name::JobName};
use std::sync::Arc;

/// Those of a job, each with its length. One whose manifest cannot be looked for may have it.
pub(super) fn orphans(
    layout: &Layout,
    job: &JobName,
) -> Result<Vec<(BackupId, u64)>, BackupStoreError> {
    let mut places: Vec<Arc<dyn Place>> = vec![Arc::new(layout.clone())];
    for tier in tier::noted(layout, job)? {
        // Of one that is not there nothing is known.
        places.extend(tier::check_there(layout, job, &tier).ok());
    }
    let mut found = Vec::new();
    for place in places {
        for (id, bytes) in place.archives(job)? {
            let manifest = layout.find(job, &id).and_then(|(_, it)| it.try_exists());
            if !manifest.unwrap_or(true) {
                found.push((id, bytes));
            }
        }
    }
    Ok(found)
}
