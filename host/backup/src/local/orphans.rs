//! Archives whose manifest is gone.

use super::{files::Layout, holds, place::Place, tier};
use crate::port::{BackupStoreError, OrphanedArchive};
use mainstay_domain::{id::BackupId, name::JobName};

/// Those of a job. One whose manifest cannot be looked for may have it. A tier that cannot list keeps nobody from those of the
/// others.
pub(super) fn orphans(
    layout: &Layout,
    job: &JobName,
) -> Result<Vec<OrphanedArchive>, BackupStoreError> {
    let mut found = among(layout, job, layout, layout.archives(job)?);
    for tier in tier::noted(layout, job)? {
        // Of one that is not there nothing is known.
        let Ok(place) = tier::check_there(layout, job, &tier) else {
            continue;
        };
        match place.archives(job) {
            Ok(archives) => found.extend(among(layout, job, place.as_ref(), archives)),
            Err(error) => {
                tracing::error!(%job, %tier, %error, "archives without their manifests are not looked for in a tier");
            }
        }
    }
    Ok(found)
}

/// Those among the archives of a tier, each with its length. What is held where that cannot be read is held without an end: who
/// does not know of an archive lets it go.
fn among(
    layout: &Layout,
    job: &JobName,
    place: &dyn Place,
    archives: Vec<(BackupId, u64)>,
) -> Vec<OrphanedArchive> {
    let orphans = archives.into_iter().filter_map(|(id, stored_bytes)| {
        let manifest = layout.find(job, &id).and_then(|(_, it)| it.try_exists());
        if manifest.unwrap_or(true) {
            return None;
        }
        let hold = holds::noted(&place.manifest_at(job, &id));
        let hold = hold.unwrap_or_else(|error| Some(holds::unknown(error.to_string())));
        Some(OrphanedArchive {
            id,
            stored_bytes,
            hold,
        })
    });
    orphans.collect()
}
