//! Backup jobs: newest, create and restore.

use super::{Backup, BackupType, EffectError, Restored, Timestamp};

/// Backup jobs that the operator named: `backup = ["state"]`.
///
/// Every function fails with `Denied` where the job is not granted, and with `Failed` where it is not configured.
pub trait Backups {
    /// One job, by its configured name.
    fn backup<'host>(&'host mut self, job: &str) -> BackupJob<'host, Self>
    where
        Self: Sized,
    {
        BackupJob {
            host: self,
            job: job.to_owned(),
        }
    }

    /// See [`BackupJob::newest`].
    #[doc(hidden)]
    fn backup_newest(
        &mut self,
        job: &str,
        before: Option<Timestamp>,
    ) -> Result<Option<Backup>, EffectError>;

    /// See [`BackupJob::create`].
    #[doc(hidden)]
    fn backup_create(&mut self, job: &str, kind: BackupType) -> Result<Backup, EffectError>;

    /// See [`BackupJob::restore`].
    #[doc(hidden)]
    fn backup_restore(&mut self, job: &str, id: &str) -> Result<Restored, EffectError>;
}

/// One backup job, as [`Backups::backup`] gives it.
pub struct BackupJob<'host, H> {
    host: &'host mut H,
    job: String,
}

impl<H: Backups> BackupJob<'_, H> {
    /// The newest verified backup; `None` where there is none.
    ///
    /// # Errors
    /// As for every function of [`Backups`].
    pub fn newest(&mut self) -> Result<Option<Backup>, EffectError> {
        self.host.backup_newest(&self.job, None)
    }

    /// The newest verified backup that was taken at or before a time; `None` where there is none.
    ///
    /// # Errors
    /// As for every function of [`Backups`].
    pub fn newest_before(&mut self, time: Timestamp) -> Result<Option<Backup>, EffectError> {
        self.host.backup_newest(&self.job, Some(time))
    }

    /// Takes a backup now and waits until it is stored and verified.
    ///
    /// # Errors
    /// As for every function of [`Backups`]; `Unavailable` while another backup of the job runs.
    pub fn create(&mut self, kind: BackupType) -> Result<Backup, EffectError> {
        self.host.backup_create(&self.job, kind)
    }

    /// Restores a backup and the chain below it in place; an emergency backup is taken first.
    ///
    /// # Errors
    /// As for every function of [`Backups`], or a hash did not match: then nothing was replaced.
    pub fn restore(&mut self, id: &str) -> Result<Restored, EffectError> {
        self.host.backup_restore(&self.job, id)
    }
}
