//! Rollbacks: a job's state becomes that of a checkpoint, or stays what it was.
//!
//! Invariant: whoever calls has the job's turn.
//! Invariant: a step stands in the journal before it is begun, so that a daemon that is killed leaves the next one to end it.
//! What comes next is decided in [`mainstay_domain::checkpoint_rollback`].

mod running;
mod words;

use super::{BackupError, BackupService, checkpoints::kept_by};
use crate::ports::{BackupStoreError, OnProgress, Restored};
use mainstay_domain::{
    actor::Actor,
    backup::BackupRecord,
    backup_chain::{BackupChainError, plan_restore},
    checkpoint::{Checkpoint, Rollback, RollbackStep},
    checkpoint_rollback::{StepEnd, after, after_cut_off},
    event::{EventKind, RollbackFacts},
    id::BackupId,
    name::{CommandName, JobName},
    record::Change,
    severity::Severity,
};
use running::{PutBack, Running, facts_of};

impl BackupService {
    /// Rolls a job back to a checkpoint. What makes no sense is refused before anything is begun.
    pub(super) async fn roll_back_now(
        self,
        id: BackupId,
        by: Actor,
        progress: OnProgress,
    ) -> Result<Restored, BackupError> {
        let found = self.core.catalog.lock().get(&id);
        let record = found.ok_or_else(|| BackupChainError::Unknown(id.clone()))?;
        if record.checkpoint.is_none() {
            return Err(BackupError::Refused(format!(
                "backup {id} is no checkpoint; `mainstay checkpoint list` lists them, and `mainstay backup restore {} --id {id}` restores it",
                record.job
            )));
        }
        let job = self.job(&record.job)?;
        let rules = kept_by(&job)?;
        if !job.is_restorable_in_place() {
            return Err(BackupError::Refused(format!(
                "job {} has no directory among its sources, and nothing else is put back in place; `mainstay backup restore {} --id {id} --into DIRECTORY` gives it",
                job.name, job.name
            )));
        }
        let records = self.core.catalog.lock().of(Some(&job.name));
        let chain = plan_restore(&records, &id)?;
        // Before anything is paused for it.
        let links: Vec<BackupId> = chain.iter().map(|link| link.id.clone()).collect();
        let (of_job, sources) = (job.name.clone(), job.sources.clone());
        let judged = self
            .with_store(move |store| store.judge_in_place(&of_job, &links, &sources))
            .await;
        self.mark_if_corrupted(judged).await?;
        let rollback = Rollback {
            begun_at: self.now(),
            by: by.name,
            note: by.note,
            step: RollbackStep::Pausing,
            saved: None,
            error: None,
        };
        let mut running = Running {
            started: self.core.clock.monotonic(),
            service: self,
            job,
            rules,
            id,
            chain,
            rollback,
            staged: None,
            placed: None,
            put_back: PutBack::NotNeeded,
            progress,
        };
        let message = words::began(&running.job.name, &running.id, &running.rollback);
        let event = running.event(EventKind::RollbackStarted, Severity::Medium, message);
        running.record(vec![Change::Event(event)]).await?;
        running.run().await
    }

    /// Resumes what a rollback that failed has left paused.
    pub(super) async fn resume_now(self, job: JobName, by: Actor) -> Result<(), BackupError> {
        let rules = kept_by(&self.job(&job)?)?;
        let key = format!("rollback-{job}-{}-resume", self.now().as_millis());
        self.run_hook(rules.resume.as_ref(), key).await?;
        let message = format!("{by} had resumed what the rollback of job {job} had paused");
        let event = self
            .event(EventKind::RollbackResumed, Severity::Medium, message)
            .with_job(&job)
            .with_data(RollbackFacts {
                by: by.name,
                note: by.note,
                saved: None,
                error: None,
            });
        self.record_done(event).await;
        Ok(())
    }

    /// Ends the rollbacks that the end of the daemon before cut off, each before anything else of its job.
    pub(super) fn settle_rollbacks(&self) {
        let mut records = self.core.catalog.lock().of(None);
        records.retain(|record| {
            let checkpoint = record.checkpoint.as_ref();
            checkpoint.is_some_and(Checkpoint::is_rolled_back_to)
        });
        for record in records {
            let free = self.lock_of(&record.job).try_lock_owned().ok();
            let free = free.map(|held| self.turn(held));
            let service = self.clone();
            self.core.tasks.spawn(async move {
                let turn = match free {
                    Some(turn) => turn,
                    None => service.turn_of(&record.job).await,
                };
                let (job, id) = (record.job.clone(), record.id.clone());
                if let Err(error) = service.settle(record).await {
                    tracing::error!(%job, checkpoint = %id, %error, "the rollback that was cut off is not ended");
                }
                drop(turn);
            });
        }
    }

    async fn settle(&self, record: BackupRecord) -> Result<(), BackupError> {
        let Some(mut rollback) = record.checkpoint.and_then(|it| it.rollback) else {
            return Ok(());
        };
        let cut_off = rollback.step;
        let why = || "the daemon ended while it ran".to_owned();
        rollback.error.get_or_insert_with(why);
        let spec = self.job(&record.job).and_then(|job| {
            let rules = kept_by(&job)?;
            Ok((job, rules))
        });
        let (job, rules) = match spec {
            Ok(found) => found,
            // Nobody knows any more where it was put, and which command resumes.
            Err(error) => {
                rollback.step = after(after_cut_off(cut_off, false), StepEnd::Failed);
                let put_back = PutBack::Failed(error.to_string());
                let facts = (&record.job, &record.id, &rollback, &put_back, None);
                let event = self
                    .event(
                        EventKind::RollbackFailed,
                        Severity::Critical,
                        words::failed(facts),
                    )
                    .with_backup(&record.job, &record.id)
                    .with_data(facts_of(&rollback));
                return self
                    .record_rollback(&record.id, rollback, vec![Change::Event(event)])
                    .await;
            }
        };
        let resume = rules.resume.as_ref();
        let may_resume_again = resume.is_none_or(|resume| self.is_idempotent(resume));
        rollback.step = after_cut_off(cut_off, may_resume_again);
        let mut running = Running {
            started: self.core.clock.monotonic(),
            service: self.clone(),
            job,
            rules,
            id: record.id,
            chain: Vec::new(),
            rollback,
            staged: None,
            placed: None,
            put_back: PutBack::NotNeeded,
            progress: super::no_progress(),
        };
        // What the command of that step left running would go on beside what comes now.
        let key = running.key(cut_off);
        self.core.commands.end(key).await;
        if !running.rollback.step.is_end() {
            running.record(Vec::new()).await?;
        }
        match running.run().await {
            Err(error @ BackupError::Store(BackupStoreError::Interrupted)) => Err(error),
            // It is told by its event.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Whether to run a command twice with one key is to run it once.
    fn is_idempotent(&self, name: &CommandName) -> bool {
        let spec = self.core.spec.borrow();
        spec.commands.get(name).is_some_and(|it| it.idempotent)
    }

    /// Puts on record how a rollback to this checkpoint goes.
    pub(super) async fn record_rollback(
        &self,
        id: &BackupId,
        rollback: Rollback,
        events: Vec<Change>,
    ) -> Result<(), BackupError> {
        let found = self.core.catalog.lock().get(id);
        let mut record = found.ok_or_else(|| BackupChainError::Unknown(id.clone()))?;
        if let Some(checkpoint) = &mut record.checkpoint {
            checkpoint.rollback = Some(rollback);
        }
        self.commit(vec![record], events).await
    }
}
