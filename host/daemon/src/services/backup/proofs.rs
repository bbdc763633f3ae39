//! Scheduled proofs: each stored backup is read back, and the newest is restored in a drill.
//!
//! Invariant: a backup that is due goes before a proof, also between two.
//! Invariant: a proof that fails is not tried again before its next slot.
//! Invariant: damage, drills, and that nobody who is trusted stands for a backup are events. That a backup was read back and is
//! right is none, and ends no alert: its record says when.

use super::{BackupError, BackupService, no_progress, restore::Told, turns::Turn};
use crate::ports::BackupStoreError;
use mainstay_domain::{
    backup_proofs::{DueProof, Proofs},
    backup_schedule::{ScheduleError, may_begin},
    event::EventKind,
    id::BackupId,
    name::JobName,
    record::Change,
    severity::Severity,
    spec::{JobSpec, ProofSchedules, Spec},
    time::Timestamp,
};
use std::{collections::BTreeMap, time::Duration};

/// The records of a job are gone through no more often than this where nothing is due, but for what ends in between.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// How the proofs of one job go.
#[derive(Debug, Default)]
pub(super) struct Proven {
    /// Backups that were to be read back in this life of the daemon, and when that was last begun.
    tried: BTreeMap<BackupId, Timestamp>,
    /// The last slot of its drills that was used.
    drilled: Option<Timestamp>,
    /// When it was looked at and nothing was due, by which schedules, and until when that holds.
    nothing_due: Option<(Timestamp, ProofSchedules, Timestamp)>,
}

impl Proven {
    /// A slot of its drills is used.
    pub(super) fn drilled(&mut self, slot: Timestamp) {
        self.drilled = Some(slot);
        self.nothing_due = None;
    }

    fn tried(&mut self, id: BackupId, at: Timestamp) {
        self.tried.insert(id, at);
        self.nothing_due = None;
    }

    /// Until when nothing is due, as far as that is known.
    fn rests_until(&self, schedules: &ProofSchedules, now: Timestamp) -> Option<Timestamp> {
        let (looked_at, by, until) = self.nothing_due.as_ref()?;
        // Else the clock went back.
        let holds = by == schedules && *looked_at <= now && now < *until;
        holds.then_some(*until)
    }
}

impl BackupService {
    /// The proof of a job that is due, if any.
    pub(super) fn due_proof(&self, job: &JobSpec, now: Timestamp) -> Option<DueProof> {
        let schedules = &job.proofs;
        if *schedules == ProofSchedules::default() {
            return None;
        }
        // Looked at again in a minute.
        if !may_begin(&job.starts, now).unwrap_or(false) {
            return None;
        }
        let rests = self.job_state(&job.name, |state| state.proofs.rests_until(schedules, now));
        if rests.is_some() {
            return None;
        }
        let looked = self.look_at_proofs(job, now).unwrap_or_else(|error| {
            tracing::error!(job = %job.name, %error, "its proofs have no schedule that can be kept");
            (None, Some(now + LOOK_AGAIN))
        });
        match looked {
            (Some(due), _) => Some(due),
            (None, next) => {
                // Without a backup there is nothing to go through, and the first may be due soon.
                self.job_state(&job.name, |state| {
                    state.proofs.nothing_due =
                        next.map(|next| (now, schedules.clone(), next.min(now + LOOK_AGAIN)));
                });
                None
            }
        }
    }

    /// What is due, and when something is where nothing is.
    fn look_at_proofs(
        &self,
        job: &JobSpec,
        now: Timestamp,
    ) -> Result<(Option<DueProof>, Option<Timestamp>), ScheduleError> {
        let records = self.core.catalog.lock().of(Some(&job.name));
        let (tried, drilled) = self.job_state(&job.name, |state| {
            let Proven { tried, drilled, .. } = &mut state.proofs;
            tried.retain(|id, _| records.iter().any(|record| record.id == *id));
            (tried.clone(), *drilled)
        });
        let proofs = Proofs {
            schedules: &job.proofs,
            records: &records,
            tried: &tried,
            drilled,
        };
        Ok((proofs.due(now)?, proofs.next(now)?))
    }

    /// When one of the jobs of which nothing was due has to be looked at again.
    pub(super) fn next_proof(&self, spec: &Spec, now: Timestamp) -> Option<Timestamp> {
        let jobs = self.core.jobs.lock();
        let rests = spec.jobs.iter().filter_map(|job| {
            let proven = &jobs.get(&job.name)?.proofs;
            proven.rests_until(&job.proofs, now)
        });
        rests.min()
    }

    pub(super) fn spawn_proof(&self, job: JobName, proof: DueProof, turn: Turn) {
        let service = self.clone();
        self.core.tasks.spawn(async move {
            if let Err(error) = service.prove(&job, proof).await {
                tracing::warn!(%job, %error, "a scheduled proof of what is stored failed");
            }
            drop(turn);
        });
    }

    pub(super) async fn prove(&self, job: &JobName, proof: DueProof) -> Result<(), BackupError> {
        match proof {
            DueProof::Verify(id) => {
                let read = self.read_back(job, &id, Told::Nobody, no_progress()).await;
                let now = self.now();
                self.job_state(job, |state| state.proofs.tried(id, now));
                let untrusted = match &read {
                    Err(BackupError::Store(error @ BackupStoreError::Untrusted { .. })) => {
                        Some(format!("backups of job {job} cannot be used: {error}"))
                    }
                    _ => None,
                };
                if let Some(message) = untrusted {
                    let event = self.event(EventKind::BackupFailed, Severity::High, message);
                    self.record_done(event.with_job(job)).await;
                }
                read.map(drop)
            }
            DueProof::Drill(slot) => {
                let drilled = self.clone().drill_now(job.clone(), no_progress()).await;
                self.job_state(job, |state| state.proofs.drilled(slot));
                // A drill that the end of the daemon interrupted is caught up by the next one.
                if !matches!(
                    drilled,
                    Err(BackupError::Store(BackupStoreError::Interrupted))
                ) {
                    let used = vec![Change::DrillSlot(job.clone(), slot)];
                    self.commit(Vec::new(), used).await?;
                }
                drilled.map(drop)
            }
        }
    }
}
