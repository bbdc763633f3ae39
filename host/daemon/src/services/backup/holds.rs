//! Holds: what a person holds is let go by nothing, until it is released or the hold is over.

use super::{BackupError, BackupService};
use crate::ports::HoldRequest;
use mainstay_domain::{
    actor::Actor,
    backup::{BackupRecord, BackupStatus, Hold},
    backup_chain::BackupChainError,
    event::{BackupHeld, BackupReleased, EventKind},
    id::BackupId,
    name::JobName,
    record::Change,
    severity::Severity,
    time::Timestamp,
};

/// The records without the holds that are over by then, in their order.
pub(super) fn without_holds_that_are_over(
    stored: &[BackupRecord],
    now: Timestamp,
) -> Vec<BackupRecord> {
    let records = stored.iter().cloned();
    records
        .map(|record| record.without_hold_that_is_over(now))
        .collect()
}

impl BackupService {
    /// The job of a backup that is known.
    pub(super) fn job_of(&self, id: &BackupId) -> Result<JobName, BackupError> {
        Ok(self.known(id)?.job)
    }

    /// What is on record of a backup.
    pub(super) fn known(&self, id: &BackupId) -> Result<BackupRecord, BackupError> {
        let known = self.core.catalog.lock().get(id);
        known.ok_or_else(|| BackupChainError::Unknown(id.clone()).into())
    }

    /// Holds a backup; the caller has the job's turn, so that no judgement of before is written over it.
    pub(super) async fn hold_now(self, request: HoldRequest) -> Result<BackupRecord, BackupError> {
        let HoldRequest {
            id,
            until,
            reason,
            by,
        } = request;
        if let Some(until) = until.filter(|until| *until <= self.now()) {
            return Err(BackupError::Refused(format!(
                "a hold until {until} is over before it begins; name a time that is to come, or none to hold it until `mainstay backup release {id}`"
            )));
        }
        let mut record = self.known(&id)?;
        let why_not = match record.status {
            BackupStatus::Expired => "lies in the trash already, and is deleted after its grace",
            BackupStatus::Failed => "was not taken",
            BackupStatus::Pending
            | BackupStatus::InProgress
            | BackupStatus::Completed
            | BackupStatus::Verified
            | BackupStatus::Corrupted => "",
        };
        if !why_not.is_empty() {
            return Err(BackupError::Refused(format!(
                "backup {id} {why_not}, and cannot be held; `mainstay backup list` shows those that can be"
            )));
        }
        let until_words = until.map_or_else(String::new, |until| format!(" until {until}"));
        let why = reason.as_deref();
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        let message = format!(
            "{by} holds backup {id} of job {}{until_words}{why}",
            record.job
        );
        record.held = true;
        record.hold = Some(Hold {
            by: by.name.clone(),
            reason: reason.clone(),
            until,
        });
        let event = self
            .event(EventKind::BackupHeld, Severity::Low, message)
            .with_backup(&record.job, &id)
            .with_data(BackupHeld {
                by: by.name,
                note: by.note,
                reason,
                until,
            });
        self.commit(vec![record.clone()], vec![Change::Event(event)])
            .await?;
        self.note_hold(&record).await;
        Ok(record)
    }

    /// Notes beside a backup who holds it, for where the journal is lost. As long as there is that, a hold counts without the note.
    pub(super) async fn note_hold(&self, record: &BackupRecord) {
        let (job, id) = (record.job.clone(), record.id.clone());
        let hold = record.hold.clone().filter(|_| record.held);
        let noted = self.with_store(move |store| store.note_hold(&job, &id, hold.as_ref()));
        if let Err(error) = noted.await {
            tracing::error!(backup = %record.id, %error, "who holds it is in the journal, and could not be noted beside it; hold it again once that works, and then release it where nobody is to hold it");
        }
    }

    /// Holds a backup no more; the caller has the job's turn.
    pub(super) async fn release_now(
        self,
        id: BackupId,
        by: Actor,
    ) -> Result<BackupRecord, BackupError> {
        let mut record = self.known(&id)?;
        if !record.held {
            return Err(BackupError::Refused(format!(
                "nobody holds backup {id}; `mainstay backup list` shows those that are held"
            )));
        }
        record.held = false;
        record.hold = None;
        let message = format!("{by} holds backup {id} of job {} no more", record.job);
        let event = self
            .event(EventKind::BackupReleased, Severity::Low, message)
            .with_backup(&record.job, &id)
            .with_data(BackupReleased {
                by: by.name,
                note: by.note,
            });
        self.commit(vec![record.clone()], vec![Change::Event(event)])
            .await?;
        self.note_hold(&record).await;
        Ok(record)
    }
}
