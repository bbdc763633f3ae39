//! Who holds a backup, noted beside its manifest as `ID.hold`: so that a hold is known where the journal is lost.
//!
//! Nobody signs it: who can write there can delete the backup too.
//!
//! Invariant: what cannot be read as a hold is one without an end: nothing is let go because of what nobody understands.

use super::{
    error::unavailable,
    files::Layout,
    spot::{Spot, is_of_the_way},
    tier,
};
use crate::port::BackupStoreError;
use mainstay_domain::{
    backup::Hold,
    id::BackupId,
    name::JobName,
    text::{excerpt, printable},
};
use std::io::ErrorKind;

/// Of what somebody gave as a reason so many characters are shown.
const LONGEST_REASON: usize = 1000;

/// Notes a hold wherever a backup is in its place, or that there is none any more.
pub(super) fn note(
    layout: &Layout,
    job: &JobName,
    id: &BackupId,
    hold: Option<&Hold>,
) -> Result<(), BackupStoreError> {
    for place in tier::holders(layout, job, id)? {
        let manifest = place.manifest_at(job, id);
        match hold {
            None => manifest.hold().remove()?,
            Some(hold) => write(&manifest, hold)?,
        }
    }
    Ok(())
}

/// Notes a hold of the backup whose manifest this is.
pub(super) fn write(manifest: &Spot, hold: &Hold) -> Result<(), BackupStoreError> {
    let bytes = serde_json::to_vec(hold)
        .map_err(|error| BackupStoreError::Unavailable(error.to_string()))?;
    manifest.hold().replace(&bytes)
}

/// A hold of which nobody knows whose it is, and why not; a sentence for people.
pub(super) fn unknown(why: String) -> Hold {
    Hold {
        by: "unknown".to_owned(),
        reason: Some(why),
        until: None,
    }
}

/// Who holds the backup whose manifest this is; none where nobody does. The error is none of what is stored, but of the way there.
pub(super) fn noted(manifest: &Spot) -> Result<Option<Hold>, BackupStoreError> {
    let spot = manifest.hold();
    let parsed: Result<Hold, String> = match spot.read_manifest() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if is_of_the_way(&error) => {
            return Err(unavailable("cannot read", &spot.shown())(error));
        }
        // What is no file, or is far too long.
        Err(error) => Err(error.to_string()),
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| error.to_string()),
    };
    let shown = spot.shown();
    let hold =
        parsed.unwrap_or_else(|why| unknown(format!("{} cannot be read: {why}", shown.display())));
    let short = |text: &str| -> String {
        let text: String = text.chars().take(LONGEST_REASON).collect();
        printable(&text, ' ')
    };
    Ok(Some(Hold {
        by: excerpt(&hold.by),
        reason: hold.reason.as_deref().map(short),
        until: hold.until,
    }))
}
