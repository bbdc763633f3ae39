//! What is there before a restore in place, saved.

use super::{BackupError, BackupService, create::Wanted};
use crate::ports::Unreadable;
use mainstay_domain::{
    backup::BackupType,
    code::ErrorCode,
    spec::{BackupSource, JobSpec},
};

impl BackupService {
    /// Takes an emergency backup of what a restore is about to replace: of all of it, or the restore does not go on, for
    /// what is not saved would be lost.
    pub(super) async fn save_before_restore(&self, job: &JobSpec) -> Result<(), BackupError> {
        let mut directories = job.clone();
        directories
            .sources
            .retain(|source| matches!(source, BackupSource::Directory { .. }));
        directories.reading.include.clear();
        let saved = self.take(
            &directories,
            Wanted::of(BackupType::Emergency, Unreadable::Fails),
            super::no_progress(),
        );
        saved.await.map(drop).map_err(|error| {
            BackupError::Refused(ErrorCode::RestoreRefused.mark(format!(
                "nothing was restored, for the emergency backup of what is there now failed: {error}; restore --into another directory, or make that work"
            )))
        })
    }
}
