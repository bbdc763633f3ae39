//! Backups that are much smaller than the one before, or lack what was mounted then, and what a person says of them.

use super::{BackupError, BackupService};
use mainstay_domain::{
    actor::Actor,
    backup::BackupRecord,
    event::{BackupAccepted, BackupSuspected, Event, EventKind},
    id::BackupId,
    record::Change,
    severity::Severity,
    shrink::{self, Suspicion},
    spec::JobSpec,
};

impl BackupService {
    /// Whether a backup that was taken, in this format, is suspicious, and why.
    pub(super) async fn suspect(
        &self,
        job: &JobSpec,
        record: &BackupRecord,
        format: u32,
    ) -> Option<Suspicion> {
        let records = self.core.catalog.lock().of(Some(&job.name));
        let found = shrink::suspicion(&records, record, job.shrink_guard)?;
        if !found.of_bytes_alone {
            return Some(found);
        }
        let (of_job, before) = (job.name.clone(), found.before.clone());
        let before = self.with_store(move |store| store.committed(&of_job, &before));
        match before.await {
            Ok(Some(before)) if before.format != format => None,
            // Where nobody can tell, people look.
            _ => Some(found),
        }
    }

    /// What is told of a backup that is suspicious.
    pub(super) fn told_suspicious(&self, record: &BackupRecord, found: Suspicion) -> Event {
        let (id, job) = (&record.id, &record.job);
        let Suspicion { before, why, .. } = found;
        let message = format!(
            "backup {id} of job {job} is suspicious: {why}; it is not taken as the newest, and retention of the job stands still, until `mainstay backup accept {id}`"
        );
        let event = self.event(EventKind::BackupSuspicious, Severity::High, message);
        event
            .with_backup(job, id)
            .with_data(BackupSuspected { before })
    }

    /// Takes a backup as it is; the caller has the job's turn.
    pub(super) async fn accept_now(
        self,
        id: BackupId,
        by: Actor,
    ) -> Result<BackupRecord, BackupError> {
        let mut record = self.known(&id)?;
        if record.suspicious.take().is_none() {
            return Err(BackupError::Refused(format!(
                "backup {id} is not suspicious, so there is nothing to accept; `mainstay backup list` shows those that are"
            )));
        }
        let job = record.job.clone();
        let least = self.job(&job).ok().and_then(|job| job.shrink_guard);
        let records = self.core.catalog.lock().of(Some(&job));
        let changed = shrink::accept(&records, &id, least);
        let message = format!("{by} accepts backup {id} of job {job} as it is");
        let event = self
            .event(EventKind::BackupAccepted, Severity::Low, message)
            .with_backup(&job, &id)
            .with_data(BackupAccepted {
                by: by.name,
                note: by.note,
            });
        self.commit(changed, vec![Change::Event(event)]).await?;
        self.job_state(&job, |state| state.objective.look_again());
        Ok(record)
    }
}
