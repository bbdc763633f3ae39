//! The operator's commands around a backup, and in a rollback.
//!
//! Invariant: nothing is read where the command before a backup failed.
//! Invariant: what becomes of a backup is not for the commands after it to say; where one fails, that is told with it.
//! Invariant: an emergency backup runs none: it is taken of what is there, in whatever state that is.

use super::{BackupError, BackupService};
use crate::ports::BackupStoreError;
use mainstay_domain::{
    backup::{BackupRecord, BackupStatus, BackupType},
    name::CommandName,
    spec::JobSpec,
};
use std::sync::Arc;

/// So much of what a command prints is taken from it; nobody reads it.
const MOST_OUTPUT: u64 = 64 << 10;

impl BackupService {
    /// Runs what is to run before the sources of a job are read.
    pub(super) async fn run_before(
        &self,
        job: &JobSpec,
        record: &BackupRecord,
    ) -> Result<(), BackupStoreError> {
        let command = job.hooks.before.as_ref();
        let ran = self.run_around(("before", "in-progress"), command, record);
        ran.await.map_err(|error| {
            BackupStoreError::Source(format!("nothing was read, for `before` failed: {error}"))
        })
    }

    /// Runs what is to run after a backup, which the record says the end of. A sentence where that failed.
    pub(super) async fn run_after(&self, job: &JobSpec, record: &BackupRecord) -> Option<String> {
        let (key, status, command) = match record.status {
            BackupStatus::Verified => ("after_success", "verified", &job.hooks.after_success),
            _ => ("after_failure", "failed", &job.hooks.after_failure),
        };
        let ran = self
            .run_around((key, status), command.as_ref(), record)
            .await;
        let error = ran.err()?;
        Some(format!("`{key}` failed: {error}"))
    }

    /// Runs what is to run after a backup that failed. Why it failed, and that this did too.
    pub(super) async fn reason_after(
        &self,
        job: &JobSpec,
        record: &BackupRecord,
        error: &BackupStoreError,
    ) -> String {
        match self.run_after(job, record).await {
            Some(failed_too) => format!("{error}; and {failed_too}"),
            None => error.to_string(),
        }
    }

    async fn run_around(
        &self,
        (key, status): (&str, &str),
        command: Option<&CommandName>,
        record: &BackupRecord,
    ) -> Result<(), BackupError> {
        let Some(command) = command.filter(|_| record.backup_type != BackupType::Emergency) else {
            return Ok(());
        };
        let told = [
            ("MAINSTAY_JOB", record.job.to_string()),
            ("MAINSTAY_BACKUP", record.id.to_string()),
            ("MAINSTAY_BACKUP_TYPE", record.backup_type.to_string()),
            ("MAINSTAY_BACKUP_STATUS", status.to_owned()),
        ];
        let id = format!("backup-{}-{key}", record.id);
        self.run_command(command, id, &told).await
    }

    /// Runs a command of the operator's to its end; where there is none, all is well.
    pub(super) async fn run_hook(
        &self,
        name: Option<&CommandName>,
        key: String,
    ) -> Result<(), BackupError> {
        match name {
            Some(name) => self.run_command(name, key, &[]).await,
            None => Ok(()),
        }
    }

    async fn run_command(
        &self,
        name: &CommandName,
        key: String,
        told: &[(&str, String)],
    ) -> Result<(), BackupError> {
        let spec = Arc::clone(&self.core.spec.borrow());
        let command = spec.commands.get(name).cloned();
        let mut command = command.ok_or_else(|| {
            BackupError::Refused(format!("the config has no command `{name}` any more"))
        })?;
        let told = told.iter().cloned();
        let told = told.map(|(variable, value)| (variable.to_owned(), value));
        command.env.extend(told);
        let commands = &self.core.commands;
        let ran = commands.run(name.clone(), command, Vec::new(), key, MOST_OUTPUT);
        match ran.await {
            Ok(output) if output.exit_code == 0 => Ok(()),
            Ok(output) => Err(BackupError::Refused(format!(
                "the command `{name}` ended with exit code {}",
                output.exit_code
            ))),
            Err(error) => Err(BackupError::Refused(format!(
                "the command `{name}` failed: {error}"
            ))),
        }
    }
}
