//! Checkpoints: taken when they are due or asked for, and let go when they are too old or too many.
//!
//! Invariant: whoever takes one has the job's turn.
//! Invariant: none is let go by a wall clock that has not settled.

use super::{BackupError, BackupService, create::Wanted};
use crate::ports::{CheckpointRequest, OnProgress, Unreadable};
use mainstay_domain::{
    actor::Actor,
    backup::{BackupRecord, BackupStatus},
    checkpoint::{Checkpoint, CheckpointKind},
    checkpoint_rules,
    event::{CheckpointTaken, EventKind},
    name::JobName,
    retention::is_immutable,
    severity::Severity,
    shrink::stands_still,
    spec::{CheckpointSpec, JobSpec},
    time::Timestamp,
};
use std::time::Duration;

/// What goes without a policy lies in the trash so long, where the job's retention says nothing else.
pub(super) const TRASH_FOR: Duration = Duration::from_secs(86_400);

/// How a job keeps its checkpoints.
pub(super) fn kept_by(job: &JobSpec) -> Result<CheckpointSpec, BackupError> {
    job.checkpoints.clone().ok_or_else(|| {
        BackupError::Refused(format!(
            "job {} keeps no checkpoints; give it `checkpoints = {{}}` in the config, or take a backup with `mainstay backup create {}`",
            job.name, job.name
        ))
    })
}

/// The records of a job as a policy is asked about them. Where the job keeps no checkpoints any more, nothing else lets go of
/// those that need not stay for ever, and they are judged as any other backup.
pub(super) fn as_judged(job: &JobSpec, records: &[BackupRecord]) -> Vec<BackupRecord> {
    let mut judged_as = records.to_vec();
    for record in &mut judged_as {
        let checkpoint = record.checkpoint.as_ref();
        if checkpoint.is_some_and(|it| job.checkpoints.is_none() && !it.kind.is_never_pruned()) {
            record.checkpoint = None;
        }
    }
    judged_as
}

impl BackupService {
    /// Takes one that somebody asks for.
    pub(super) async fn take_checkpoint_now(
        self,
        request: CheckpointRequest,
        progress: OnProgress,
    ) -> Result<BackupRecord, BackupError> {
        let CheckpointRequest {
            job,
            kind,
            name,
            by,
        } = request;
        let job = self.job(&job)?;
        kept_by(&job)?;
        self.job_state(&job.name, |state| state.waiting.goes_on());
        // Of what is about to be lost, some is better than none.
        let unreadable = match kind {
            CheckpointKind::Emergency => Unreadable::IsLeftOut,
            CheckpointKind::Manual
            | CheckpointKind::Automatic
            | CheckpointKind::PreUpgrade
            | CheckpointKind::Daily => Unreadable::Fails,
        };
        let checkpoint = Checkpoint::new(kind, name);
        self.take_one(&job, checkpoint, Some(&by), unreadable, progress)
            .await
    }

    /// Takes one, tells of it, and lets go of those that are too much then.
    pub(super) async fn take_one(
        &self,
        job: &JobSpec,
        checkpoint: Checkpoint,
        by: Option<&Actor>,
        unreadable: Unreadable,
        progress: OnProgress,
    ) -> Result<BackupRecord, BackupError> {
        let wanted = Wanted {
            checkpoint: Some(checkpoint.clone()),
            ..Wanted::of(checkpoint.kind.backup_type(), unreadable)
        };
        // It is whole, whatever else of its type is.
        let mut whole = job.clone();
        whole.reading.include.clear();
        let taken = self.take(&whole, wanted, progress).await?;
        let message = format!(
            "{} checkpoint {} of job {} was taken",
            checkpoint.kind, taken.id, job.name
        );
        let event = self
            .event(EventKind::CheckpointTaken, Severity::Low, message)
            .with_backup(&job.name, &taken.id)
            .with_data(CheckpointTaken {
                kind: checkpoint.kind,
                name: checkpoint.name,
                by: by.map(|by| by.name.clone()),
                note: by.and_then(|by| by.note.clone()),
            });
        self.record_done(event).await;
        self.let_go_of_checkpoints(&job.name).await;
        Ok(taken)
    }

    /// What is too old, or too many, goes to the trash. What cannot is tried again after the next one.
    async fn let_go_of_checkpoints(&self, job: &JobName) {
        let Ok(spec) = self.job(job) else { return };
        let Some(rules) = &spec.checkpoints else {
            return;
        };
        let records = self.core.catalog.lock().of(Some(job));
        if stands_still(&records).is_some() {
            return;
        }
        let now = self.settled_now();
        let excess = checkpoint_rules::excess(rules, &records, now);
        let retention = spec.retention.as_ref();
        let trash_for = retention.map_or(TRASH_FOR, |it| it.trash_for);
        let immutable_for = retention.map_or(Duration::ZERO, |it| it.immutable_for);
        let until = self.now() + trash_for;
        let expired = excess.into_iter().filter_map(|excess| {
            let found = records.iter().find(|it| it.id == excess.id);
            let mut record = found
                .filter(|it| !is_immutable(it, immutable_for, now))?
                .clone();
            record.status = BackupStatus::Expired;
            record.expires = Some(until);
            record.reason = Some(excess.reason);
            Some(record)
        });
        let expired: Vec<BackupRecord> = expired.collect();
        if let Err(error) = self.expire(&expired).await {
            tracing::error!(%job, %error, "checkpoints that are too old or too many stay for now");
        }
    }

    /// Whether a job needs one because the program was upgraded.
    pub(super) fn is_upgraded(&self, job: &JobSpec, now: Timestamp) -> bool {
        let Some(upgraded) = self.core.upgraded.filter(|_| job.checkpoints.is_some()) else {
            return false;
        };
        let records = self.core.catalog.lock().of(Some(&job.name));
        checkpoint_rules::is_due_for_upgrade(&records, upgraded, now)
    }

    /// The checkpoint of a job that is due, if any.
    pub(super) fn due_checkpoint(&self, job: &JobSpec, now: Timestamp) -> Option<CheckpointKind> {
        let rules = job.checkpoints.as_ref()?;
        let records = self.core.catalog.lock().of(Some(&job.name));
        checkpoint_rules::due(rules, &records, now).unwrap_or_else(|error| {
            tracing::error!(job = %job.name, %error, "its checkpoints have no schedule that can be kept");
            None
        })
    }

    /// When the next one of a job is due; none where it keeps none.
    pub(super) fn next_checkpoint(&self, job: &JobSpec, now: Timestamp) -> Option<Timestamp> {
        let rules = job.checkpoints.as_ref()?;
        let records = self.core.catalog.lock().of(Some(&job.name));
        let next = match self.is_upgraded(job, now) {
            true => now,
            false => checkpoint_rules::next_due(rules, &records, now).ok()?,
        };
        let backoff = self.backoff_until(&job.name, now);
        Some(backoff.map_or(next, |until| until.max(next)))
    }
}
