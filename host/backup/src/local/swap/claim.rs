//! Which places a restore is under way to.
//!
//! Invariant: of the restores to one place one is under way at a time.

use crate::port::BackupStoreError;
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// The targets of the restores that are under way. A job's turn keeps no other job from the same target, and the names
/// beside it are the same for all.
static CLAIMED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// The right to a target, until it is dropped.
pub(super) struct Claim(PathBuf);

impl Claim {
    pub(super) fn on(target: &Path) -> Result<Self, BackupStoreError> {
        if claimed().insert(target.to_owned()) {
            return Ok(Self(target.to_owned()));
        }
        Err(BackupStoreError::Unavailable(format!(
            "another restore to {} is under way; wait until it has ended, or restore into another directory",
            target.display()
        )))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        claimed().remove(&self.0);
    }
}

fn claimed() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    CLAIMED.lock()
}
