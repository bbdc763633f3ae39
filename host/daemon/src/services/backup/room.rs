//! Room in the store. Where there is none, the trash is a luxury: what has expired is deleted at once.
//!
//! Invariant: a full store deletes nothing that has not expired by a policy, and by the guard.

use super::{BackupError, BackupService};
use crate::ports::BackupStoreError;
use mainstay_domain::{backup::BackupRecord, id::BackupId, name::JobName, time::Timestamp};
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

/// Whether the store had room for what was last to be stored.
#[derive(Debug, Default)]
pub(super) struct Room {
    is_short: AtomicBool,
}

impl BackupService {
    /// Something was to be stored.
    pub(super) fn note_room<T>(&self, stored: &Result<T, BackupStoreError>) {
        match stored {
            Ok(_) => self.core.room.is_short.store(false, Relaxed),
            Err(error) => self.note_if_short(error),
        }
    }

    pub(super) fn note_if_short(&self, error: &BackupStoreError) {
        if matches!(error, BackupStoreError::NoRoom(_)) {
            self.core.room.is_short.store(true, Relaxed);
        }
    }

    /// Whether there was no room when something was last to be stored.
    pub(super) fn is_short_of_room(&self) -> bool {
        self.core.room.is_short.load(Relaxed)
    }

    /// Deletes what has expired of a job where there is no room for a trash; the caller has the job's turn.
    pub(super) async fn make_room(&self, job: &JobName) -> Result<(), BackupError> {
        let has_room = self.with_store(|store| Ok(store.has_room())).await?;
        if has_room && !self.is_short_of_room() {
            return Ok(());
        }
        let mut expired = self.core.catalog.lock().expired();
        expired.retain(|record| &record.job == job);
        self.delete_for_good(expired).await.map(drop)
    }
}

/// Whether its time in the trash is over.
pub(super) fn is_over(record: &BackupRecord, settled: Timestamp) -> bool {
    record.expires.is_none_or(|at| at <= settled)
}

/// Those of which it is not.
pub(super) fn early(records: &[BackupRecord], settled: Timestamp) -> BTreeSet<BackupId> {
    let early = records.iter().filter(|record| !is_over(record, settled));
    early.map(|record| record.id.clone()).collect()
}

/// What is said of a backup that was deleted, perhaps before its time in the trash was over.
pub(super) fn deleted(id: &BackupId, job: &JobName, is_early: bool) -> String {
    let why = match is_early {
        true => ", before its time there was over, for the store has no room",
        false => "",
    };
    format!("backup {id} of job {job} was deleted from the trash{why}")
}
