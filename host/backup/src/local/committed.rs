//! Whether a backup was committed, looked at afresh: where the answer of what wrote its manifest was an error, or was lost.
//!
//! Invariant: what is said to be committed is durable.
//! Invariant: nothing is said not to be committed as long as a change that was given up may still commit it.

use super::{files::Layout, place::Place, read::known_manifest, spot::Spot, tier};
use crate::port::BackupStoreError;
use mainstay_domain::{archive::Manifest, id::BackupId, name::JobName};
use std::io::ErrorKind;

/// The manifest of a backup that is committed; none where it is not.
pub(super) fn committed(
    layout: &Layout,
    job: &JobName,
    id: &BackupId,
) -> Result<Option<Manifest>, BackupStoreError> {
    // Before the look: what ends in between is seen.
    let over = tier::check_over(layout, job);
    let found = known_manifest(layout, job, id)?;
    if found.is_some() {
        let (_, spot) = layout.find(job, id)?;
        spot.make_durable()?;
    } else {
        over?;
    }
    Ok(found)
}

/// Whether a manifest that could not be written into this place is there all the same; none where nobody can tell now.
pub(super) fn is_there_after_all(
    place: &dyn Place,
    job: &JobName,
    (spot, bytes): (&Spot, &[u8]),
) -> Option<bool> {
    // Before the look: what ends in between is seen.
    let is_over = spot.check_over().is_ok();
    match spot.read_manifest() {
        Ok(found) if found == bytes => spot.make_durable().ok().map(|()| true),
        // It is not there; not so where all of the store is not.
        Err(error) if is_over && error.kind() == ErrorKind::NotFound => {
            let is_store_there = place.mark(job).try_exists().unwrap_or(false);
            is_store_there.then_some(false)
        }
        Ok(_) | Err(_) => None,
    }
}
