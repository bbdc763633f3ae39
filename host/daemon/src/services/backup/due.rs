//! Which backups are due, or proofs where none is, and how long nothing is.

use super::{BackupService, LONGEST_BACKOFF, create::Wanted, no_progress, turns::Turn};
use crate::ports::Unreadable;
use mainstay_domain::{
    backoff::Backoff,
    backup_schedule::{DueBackup, LastSlots, due_backup, next_backup},
    checkpoint::{Checkpoint, CheckpointKind},
    name::JobName,
    spec::JobSpec,
    time::Timestamp,
};
use std::{sync::Arc, time::Duration};

/// The loop looks again after this even where nothing is due, for the wall clock may have been set.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// And after this where a backup waits for a target.
const LOOK_AT_TARGETS: Duration = Duration::from_millis(500);
/// The backoff after a failed backup; doubled for each further one up to [`LONGEST_BACKOFF`].
pub(super) const FIRST_BACKOFF: Duration = Duration::from_secs(60);
const BACKOFF: Backoff = Backoff::doubled(FIRST_BACKOFF, LONGEST_BACKOFF);

/// What a job's turn is taken for.
enum DueWork {
    Backup(DueBackup),
    Checkpoint(CheckpointKind),
}

impl BackupService {
    /// Starts what is due in every job whose turn it is; gives the time by which it judged that.
    pub(super) fn start_due(&self) -> Timestamp {
        let now = self.now();
        let spec = Arc::clone(&self.core.spec.borrow());
        for job in &spec.jobs {
            // Take the turn first, so that due slots are judged after the previous run of the job has recorded its
            // own.
            let Ok(held) = self.lock_of(&job.name).try_lock_owned() else {
                continue;
            };
            if self.backoff_until(&job.name, now).is_none() {
                match self.due_work(job, now) {
                    Some(due) if self.may_be_taken(job) => {
                        self.spawn_due(job.clone(), due, self.turn(held));
                        continue;
                    }
                    Some(_) => {}
                    None => self.waits_no_more(job),
                }
            }
            // What is stored can be proven while nothing can be taken.
            if let Some(proof) = self.due_proof(job, now) {
                self.spawn_proof(job.name.clone(), proof, self.turn(held));
            } else if let Some((record, tier)) = self.due_move(job, now) {
                self.spawn_move(record, tier, self.turn(held));
            }
        }
        self.start_retention(&spec, now);
        self.look_at_objectives(&spec);
        now
    }

    /// What an upgrade is gone back to before all else, but where the last try failed: then backups first, and a checkpoint that
    /// is due stays so.
    fn due_work(&self, job: &JobSpec, now: Timestamp) -> Option<DueWork> {
        let pre_upgrade = self.is_upgraded(job, now);
        let pre_upgrade = pre_upgrade.then_some(DueWork::Checkpoint(CheckpointKind::PreUpgrade));
        if pre_upgrade.is_some() && self.job_state(&job.name, |state| state.failures()) == 0 {
            return pre_upgrade;
        }
        let backup = self.due(job, now).map(DueWork::Backup);
        backup
            .or(pre_upgrade)
            .or_else(|| self.due_checkpoint(job, now).map(DueWork::Checkpoint))
    }

    fn spawn_due(&self, job: JobSpec, due: DueWork, turn: Turn) {
        let service = self.clone();
        self.core.tasks.spawn(async move {
            let taken = match due {
                DueWork::Backup(due) => {
                    let wanted = Wanted {
                        slots: due.slots,
                        missed_since: due.missed_since,
                        ..Wanted::of(due.backup_type, job.reading.on_unreadable.into())
                    };
                    service.take(&job, wanted, no_progress()).await
                }
                DueWork::Checkpoint(kind) => {
                    let checkpoint = Checkpoint::new(kind, None);
                    let taking = service.take_one(&job, checkpoint, None, Unreadable::Fails, no_progress());
                    taking.await
                }
            };
            service.job_state(&job.name, |state| match taken {
                Ok(_) => state.backup_succeeded(),
                Err(error) => {
                    let wait = BACKOFF.after(state.failures().saturating_add(1));
                    state.backup_failed(service.now() + wait);
                    tracing::warn!(job = %job.name, %error, ?wait, "the backup is tried again after a wait");
                }
            });
            drop(turn);
        });
    }

    pub(super) fn due(&self, job: &JobSpec, now: Timestamp) -> Option<DueBackup> {
        let slots = self.slots(&job.name);
        due_backup(job, &slots, now).unwrap_or_else(|error| {
            tracing::error!(job = %job.name, %error, "the job has no schedule that can be kept");
            None
        })
    }

    fn slots(&self, job: &JobName) -> LastSlots {
        self.core.catalog.lock().slots(job)
    }

    pub(super) fn backoff_until(&self, job: &JobName, now: Timestamp) -> Option<Timestamp> {
        self.job_state(job, |state| state.backoff_until(now))
    }

    pub(super) fn next_due(&self, job: &JobSpec, now: Timestamp) -> Option<Timestamp> {
        let next = next_backup(job, &self.slots(&job.name), now).ok()??;
        Some(
            self.backoff_until(&job.name, now)
                .map_or(next, |until| until.max(next)),
        )
    }

    /// How long until something is due. A job or a judgement that runs wakes the loop when it ends.
    pub(super) fn time_to_next_due(&self, looked_at: Timestamp) -> Duration {
        let now = self.now();
        let spec = Arc::clone(&self.core.spec.borrow());
        let waiting = spec
            .jobs
            .iter()
            .filter(|job| self.lock_of(&job.name).try_lock().is_ok());
        let (held_back, free): (Vec<&JobSpec>, Vec<&JobSpec>) =
            waiting.partition(|job| self.waits_for(job).is_some());
        let next = free
            .into_iter()
            .flat_map(|job| [self.next_due(job, now), self.next_checkpoint(job, now)])
            .flatten()
            .chain(self.next_proof(&spec, now))
            .chain(self.next_moves(&spec, now))
            .chain(self.next_retention(&spec, looked_at))
            .min();
        let objective = self.time_to_next_objective(&spec).unwrap_or(LOOK_AGAIN);
        let next = next.map_or(LOOK_AGAIN, |next| next.since(now));
        let longest = match held_back.is_empty() {
            true => LOOK_AGAIN,
            false => LOOK_AT_TARGETS,
        };
        next.min(objective).min(longest)
    }
}
