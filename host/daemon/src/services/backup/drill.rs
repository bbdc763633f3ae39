//! Drills: the newest backup is restored into a scratch directory, compared, and tried where the job says how.
//!
//! Invariant: whoever calls has the job's turn.
//! Invariant: a drill that came to its end is in the record of the backup, whatever came of it.

use super::{
    BackupError, BackupService,
    blocking::on_blocking_thread,
    plan::{Plan, ids},
    trial::{Trial, TrialError, keys_of},
};
use crate::ports::{BackupStore, BackupStoreError, OnProgress, Restored, RestoredTree};
use mainstay_domain::{
    backup::BackupRecord, drilled::Drilled, event::EventKind, id::BackupId, name::JobName,
    severity::Severity, time::millis,
};
use std::{sync::Arc, time::Duration};

impl BackupService {
    /// Restores the newest chain into a scratch directory, compares, and tries it.
    pub(super) async fn drill_now(
        self,
        job: JobName,
        progress: OnProgress,
    ) -> Result<Restored, BackupError> {
        let plan = self.plan(&job, None, (None, None))?;
        let newest = plan.chain.last().map(|record| record.id.clone());
        let drilled = self.timed_drill(&job, plan, progress).await;
        let event = match &drilled {
            Ok(restored) => self.event_of(
                EventKind::DrillPassed,
                Severity::Low,
                &job,
                restored,
                "was restored in a drill and is the same as what was read",
            ),
            Err(error) => {
                let severity = match error {
                    BackupError::Store(BackupStoreError::Interrupted)
                    | BackupError::DrillCancelled(_) => Severity::Low,
                    BackupError::Untried(_) => Severity::Medium,
                    BackupError::TooSlow(_) => Severity::High,
                    _ => Severity::Critical,
                };
                let message = format!("the drill of job {job} failed: {error}");
                let event = self
                    .event(EventKind::DrillFailed, severity, message)
                    .with_job(&job);
                match &newest {
                    Some(id) => event.with_backup(&job, id),
                    None => event,
                }
            }
        };
        self.record_done(event).await;
        drilled
    }

    async fn timed_drill(
        &self,
        job: &JobName,
        plan: Plan,
        progress: OnProgress,
    ) -> Result<Restored, BackupError> {
        let Plan { mut chain, skipped } = plan;
        let spec = Arc::clone(&self.core.spec.borrow());
        let trial = Trial::of(&spec, job)?;
        let started = self.core.clock.monotonic();
        let (store, stop) = self.store().cancellable();
        let running = self.may_be_cancelled(job, stop.clone());
        let (of_job, of_chain, scratch) = (job.clone(), ids(&chain), trial.scratch.clone());
        let restore = move |store: &dyn BackupStore| {
            store.drill(&of_job, &of_chain, scratch.as_deref(), &progress)
        };
        let tree = match on_blocking_thread(store, restore).await {
            Err(BackupStoreError::Interrupted) if running.is_cancelled() => {
                running.end();
                return Err(BackupError::DrillCancelled(job.clone()));
            }
            tree => self.mark_if_corrupted(tree).await?,
        };
        let (path, restoring) = (tree.path().to_owned(), tree.took());
        let RestoredTree {
            documents,
            bytes,
            not_put_back,
            mut notes,
        } = tree.restored().clone();
        let tried = match chain.last() {
            Some(newest) => {
                let keys = keys_of(&newest.id);
                self.try_out(&trial, &keys, &path, &stop).await
            }
            None => Ok(None),
        };
        let removed = self.with_store(move |_| {
            drop(tree);
            Ok(())
        });
        removed.await?;
        let was_cancelled = match &tried {
            Err(TrialError::Stopped) => running.end(),
            _ => running.end_by_itself(format!(
                "it came too late: the drill of job {job} had come to its end before it could be cancelled, and what it found is told"
            )),
        };
        let outcome = match tried {
            Err(TrialError::Stopped) if was_cancelled => {
                return Err(BackupError::DrillCancelled(job.clone()));
            }
            Err(TrialError::Stopped) => {
                return Err(BackupError::Store(BackupStoreError::Interrupted));
            }
            Err(TrialError::Host(why)) => return Err(BackupError::Untried(why)),
            Err(TrialError::Failed(why)) => Err(why),
            Ok(healthy) => Ok(healthy),
        };
        let (drilled, outcome) = self.measured(&trial, restoring, outcome);
        if drilled.target.is_some() || drilled.healthy_ms.is_some() {
            notes.push(drilled.words());
        }
        if let Some(newest) = chain.last_mut() {
            newest.drilled = Some(drilled.clone());
            self.record_drilled(&newest.id, drilled).await;
        }
        outcome?;
        Ok(Restored {
            chain,
            skipped,
            documents,
            bytes,
            not_put_back,
            notes,
            elapsed: self.core.clock.monotonic().since(started),
        })
    }

    /// What goes into the record, and whether the drill passed.
    fn measured(
        &self,
        trial: &Trial,
        restoring: Duration,
        outcome: Result<Option<Duration>, String>,
    ) -> (Drilled, Result<(), BackupError>) {
        let target = trial.target.as_ref();
        let mut drilled = Drilled {
            target: target.map(|target| target.name.clone()),
            rto_ms: target.map(|target| millis(target.rto)),
            ..Drilled::restored(self.now(), restoring)
        };
        let outcome = match outcome {
            Ok(healthy) => {
                drilled.healthy_ms = healthy.map(millis);
                match drilled.exceeds_rto() {
                    true => Err(BackupError::TooSlow(drilled.words())),
                    false => Ok(()),
                }
            }
            Err(why) => Err(BackupError::DrillFailed(why)),
        };
        drilled.error = outcome.as_ref().err().map(ToString::to_string);
        (drilled, outcome)
    }

    async fn record_drilled(&self, id: &BackupId, drilled: Drilled) {
        let known = self.core.catalog.lock().get(id);
        let Some(record) = known else { return };
        let record = BackupRecord {
            drilled: Some(drilled),
            ..record
        };
        if let Err(error) = self.commit(vec![record], Vec::new()).await {
            tracing::error!(%error, "what a drill has measured is not in the journal");
        }
    }
}
