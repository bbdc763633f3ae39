//! What people delete, and take out of the trash again.
//!
//! Invariant: whoever calls has the job's turn.
//! Invariant: what was taken out of the trash is right only once it was read back.

use super::{
    BackupError, BackupService, checkpoints::TRASH_FOR, holds::without_holds_that_are_over,
    restore::Told, wishes::limits_of,
};
use crate::ports::{BackupStoreError, OnProgress, TrashRequest, Undeleted};
use mainstay_domain::{
    backup::{BackupRecord, BackupStatus},
    deletion,
    event::{BackupTrashed, BackupUndeleted, Event, EventKind},
    name::JobName,
    record::Change,
    retention::RetentionLimits,
    severity::Severity,
};
use std::time::Duration;

impl BackupService {
    /// What nobody may undercut who lets go of backups of a job, and how long they lie in the trash.
    fn lets_go_by(&self, job: &JobName) -> (RetentionLimits, Duration) {
        match self.job(job).ok().and_then(|job| job.retention) {
            Some(retention) => (limits_of(&retention), retention.trash_for),
            None => {
                let limits = RetentionLimits {
                    min_redundancy: 1,
                    immutable_for: Duration::ZERO,
                };
                (limits, TRASH_FOR)
            }
        }
    }

    /// Moves a backup to the trash because a person wants it; in a dry run nothing changes. Where the store has no room for a trash
    /// it is gone, and expires at no time.
    pub(super) async fn delete_now(
        self,
        request: TrashRequest,
    ) -> Result<BackupRecord, BackupError> {
        let TrashRequest { id, dry_run, by } = request;
        let known = self.known(&id)?;
        let job = known.job.clone();
        let (limits, trash_for) = self.lets_go_by(&job);
        let now = self.settled_now();
        let stored = self.core.catalog.lock().of(Some(&job));
        let records = without_holds_that_are_over(&stored, now);
        deletion::check(&records, &id, limits, now)
            .map_err(|why| BackupError::Refused(why.to_string()))?;
        let mut record = known.without_hold_that_is_over(now);
        let until = self.now() + trash_for;
        record.status = BackupStatus::Expired;
        record.expires = Some(until);
        record.reason = Some(format!("{by} deleted it"));
        if dry_run {
            return Ok(record);
        }
        let message = format!(
            "{by} deleted backup {id} of job {job}; it lies in the trash until {until}, and `mainstay backup undelete {id}` takes it out again"
        );
        let event = self
            .event(EventKind::BackupTrashed, Severity::Low, message)
            .with_backup(&job, &id)
            .with_data(BackupTrashed {
                by: by.name,
                note: by.note,
                until,
            });
        match self.put_into_trash(&record, event).await {
            Err(BackupError::Store(error)) => {
                return Err(BackupError::Refused(format!(
                    "backup {id} is deleted, and stays where it is for now, for it cannot be moved to the trash: {error}; the next start \
                     moves it"
                )));
            }
            moved => moved?,
        }
        if let Err(error) = self.make_room(&job).await {
            tracing::error!(%job, %error, "what lies in the trash could not be deleted");
        }
        self.job_state(&job, |state| state.objective.look_again());
        if self.core.catalog.lock().get(&id).is_none() {
            record.expires = None;
        }
        Ok(record)
    }

    /// The record first: a backup that lies in the trash while its record says otherwise would be missed by a restore.
    pub(super) async fn put_into_trash(
        &self,
        record: &BackupRecord,
        event: Event,
    ) -> Result<(), BackupError> {
        self.commit(vec![record.clone()], vec![Change::Event(event)])
            .await?;
        let (job, id) = (record.job.clone(), record.id.clone());
        let moved = self.with_store(move |store| store.trash(&job, &id)).await;
        match moved {
            // It is deleted where it is.
            Err(error @ BackupStoreError::NoRoom(_)) => self.note_if_short(&error),
            moved => moved?,
        }
        Ok(())
    }

    /// Takes a backup out of the trash, with what it needs of what lies there, and reads it back; in a dry run nothing changes.
    pub(super) async fn undelete_now(
        self,
        request: TrashRequest,
        progress: OnProgress,
    ) -> Result<Undeleted, BackupError> {
        let TrashRequest { id, dry_run, by } = request;
        let job = self.job_of(&id)?;
        let records = self.core.catalog.lock().of(Some(&job));
        let mut plan = deletion::plan_undelete(&records, &id)
            .map_err(|why| BackupError::Refused(why.to_string()))?;
        for record in &mut plan {
            record.status = BackupStatus::Completed;
            record.expires = None;
            record.reason = None;
        }
        if dry_run {
            return Ok(Undeleted {
                backups: plan,
                notes: Vec::new(),
            });
        }
        for record in &plan {
            let (of_job, of_id) = (job.clone(), record.id.clone());
            // Its files first: until its record says so it is one of the trash, wherever they are.
            self.with_store(move |store| store.untrash(&of_job, &of_id))
                .await?;
            let message = format!(
                "{by} took backup {} of job {job} out of the trash",
                record.id
            );
            let event = self
                .event(EventKind::BackupUndeleted, Severity::Low, message)
                .with_backup(&job, &record.id)
                .with_data(BackupUndeleted {
                    by: by.name.clone(),
                    note: by.note.clone(),
                });
            self.commit(vec![record.clone()], vec![Change::Event(event)])
                .await?;
        }
        let read = self.read_back(&job, &id, Told::Nobody, progress).await;
        let read = read.map_err(|error| {
            BackupError::Refused(format!(
                "backup {id} is out of the trash, and counts only once it was read back, as by `mainstay backup verify {id}`: {error}"
            ))
        })?;
        self.job_state(&job, |state| state.objective.look_again());
        let mut notes = read.notes;
        if self.job(&job).is_ok_and(|job| job.retention.is_some()) {
            notes.push(format!(
                "the retention of job {job} judges it as any other at its next run; `mainstay backup hold {id}` keeps it"
            ));
        }
        let catalog = self.core.catalog.lock();
        let backups = plan.iter().filter_map(|record| catalog.get(&record.id));
        Ok(Undeleted {
            backups: backups.collect(),
            notes,
        })
    }
}
