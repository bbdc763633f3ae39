//! One rollback, step by step to its end.
//!
//! Invariant: what is not on record is not begun, as long as nothing was put in place.

use super::words;
use crate::{
    ports::{
        BackupStoreError, OnProgress, RestorePlace, RestoreRules, Restored, RestoredTree,
        StagedRestore, Unreadable,
    },
    services::backup::{BackupError, BackupService, no_progress},
};
use mainstay_domain::{
    actor::Actor,
    backup::BackupRecord,
    backup_chain::plan_restore,
    checkpoint::{Checkpoint, CheckpointKind, Rollback, RollbackStep},
    checkpoint_rollback::{StepEnd, after},
    event::{Event, EventKind, RollbackFacts},
    id::BackupId,
    record::Change,
    severity::Severity,
    spec::{BackupSource, CheckpointSpec, JobSpec},
    time::Monotonic,
};

/// A rollback that runs.
pub(super) struct Running {
    pub(super) service: BackupService,
    pub(super) job: JobSpec,
    pub(super) rules: CheckpointSpec,
    /// The checkpoint that it goes back to.
    pub(super) id: BackupId,
    pub(super) chain: Vec<BackupRecord>,
    pub(super) rollback: Rollback,
    pub(super) staged: Option<Box<dyn StagedRestore>>,
    pub(super) placed: Option<RestoredTree>,
    /// How what was there before came to be there again.
    pub(super) put_back: PutBack,
    pub(super) started: Monotonic,
    pub(super) progress: OnProgress,
}

/// Whether the emergency checkpoint was put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PutBack {
    /// It was not needed: nothing had been put in its place.
    NotNeeded,
    /// It was.
    Done,
    /// It could not be; why, for people.
    Failed(String),
}

impl Running {
    /// Step by step to its end. An error where the state is not the checkpoint's then, or it is not resumed; and where the
    /// daemon is stopped, when the next one ends it.
    pub(super) async fn run(mut self) -> Result<Restored, BackupError> {
        while !self.rollback.step.is_end() {
            let step = self.rollback.step;
            let end = match self.does(step).await {
                Ok(()) => StepEnd::Done,
                Err(error @ BackupError::Store(BackupStoreError::Interrupted)) => {
                    return Err(error);
                }
                Err(error) => {
                    let error = error.to_string();
                    if step == RollbackStep::PuttingBack {
                        self.put_back = PutBack::Failed(error.clone());
                    }
                    self.rollback.error.get_or_insert(error);
                    StepEnd::Failed
                }
            };
            if step == RollbackStep::PuttingBack && end == StepEnd::Done {
                self.put_back = PutBack::Done;
            }
            self.rollback.step = after(step, end);
            if !self.rollback.step.is_end() {
                self.record_step().await;
            }
        }
        self.ended().await
    }

    async fn does(&mut self, step: RollbackStep) -> Result<(), BackupError> {
        let key = self.key(step);
        match step {
            RollbackStep::Pausing => self.service.run_hook(self.rules.pause.as_ref(), key).await,
            RollbackStep::Saving => self.save().await,
            RollbackStep::Staging => {
                let chain = self.chain.iter().map(|link| link.id.clone()).collect();
                self.staged = Some(self.stage(chain).await?);
                Ok(())
            }
            RollbackStep::Placing => {
                let staged = self.staged.take().ok_or_else(|| {
                    BackupError::Refused("there is nothing to put in place".to_owned())
                })?;
                self.placed = Some(self.service.with_store(move |_| staged.place()).await?);
                Ok(())
            }
            RollbackStep::Checking => self.service.run_hook(self.rules.check.as_ref(), key).await,
            RollbackStep::Resuming => self.service.run_hook(self.rules.resume.as_ref(), key).await,
            RollbackStep::PuttingBack => {
                let saved = self.rollback.saved.clone().ok_or_else(|| {
                    BackupError::Refused("there is no emergency checkpoint".to_owned())
                })?;
                let records = self.service.core.catalog.lock().of(Some(&self.job.name));
                let chain = plan_restore(&records, &saved)?;
                let chain = chain.into_iter().map(|link| link.id).collect();
                let staged = self.stage(chain).await?;
                self.service.with_store(move |_| staged.place()).await?;
                Ok(())
            }
            RollbackStep::Succeeded
            | RollbackStep::Failed
            | RollbackStep::Unresumed
            | RollbackStep::Stranded => Ok(()),
        }
    }

    /// Takes the emergency checkpoint: of all that is about to be replaced, or the rollback does not go on.
    async fn save(&mut self) -> Result<(), BackupError> {
        let mut directories = self.job.clone();
        let is_directory = |source: &BackupSource| matches!(source, BackupSource::Directory { .. });
        directories.sources.retain(is_directory);
        let by = Actor {
            name: self.rollback.by.clone(),
            note: self.rollback.note.clone(),
        };
        let checkpoint = Checkpoint::new(CheckpointKind::Emergency, None);
        let progress = no_progress();
        let taking = self.service.take_one(
            &directories,
            checkpoint,
            Some(&by),
            Unreadable::Fails,
            progress,
        );
        self.rollback.saved = Some(taking.await?.id);
        Ok(())
    }

    /// Writes what a chain gives beside its place.
    async fn stage(&mut self, chain: Vec<BackupId>) -> Result<Box<dyn StagedRestore>, BackupError> {
        let (job, progress) = (self.job.name.clone(), self.progress.clone());
        let place = RestorePlace::InPlace(self.job.sources.clone());
        let rules = RestoreRules {
            left_alone: self.job.reading.clone(),
            ..RestoreRules::default()
        };
        let staged = self
            .service
            .with_store(move |store| store.stage(&job, &chain, &place, &rules, &progress))
            .await;
        self.service.mark_if_corrupted(staged).await
    }

    async fn record_step(&mut self) {
        let Err(error) = self.record(Vec::new()).await else {
            return;
        };
        match self.rollback.step {
            // What is not on record is not begun: nothing was put in place so far.
            RollbackStep::Saving | RollbackStep::Staging | RollbackStep::Placing => {
                self.rollback.error.get_or_insert(error.to_string());
                self.rollback.step = RollbackStep::Failed;
            }
            _ => {
                tracing::error!(job = %self.job.name, %error, "a step of the rollback is not in the journal");
            }
        }
    }

    /// Puts on record how it ended, and tells of it.
    async fn ended(mut self) -> Result<Restored, BackupError> {
        if let Some(staged) = self.staged.take() {
            let removed = self.service.with_store(move |_| {
                drop(staged);
                Ok(())
            });
            removed.await?;
        }
        let placed = self.placed.take().unwrap_or(RestoredTree {
            documents: 0,
            bytes: 0,
            not_put_back: Default::default(),
            notes: Vec::new(),
        });
        let restored = Restored {
            chain: std::mem::take(&mut self.chain),
            skipped: Vec::new(),
            documents: placed.documents,
            bytes: placed.bytes,
            not_put_back: placed.not_put_back,
            notes: placed.notes,
            elapsed: self.service.core.clock.monotonic().since(self.started),
        };
        let (event, result) = match self.rollback.step {
            RollbackStep::Succeeded => {
                self.rollback.error = None;
                let message = words::succeeded(&self.job.name, &self.id, &self.rollback);
                let kind = EventKind::RollbackSucceeded;
                (self.event(kind, Severity::Medium, message), Ok(restored))
            }
            _ => {
                let pause = self.rules.pause.as_ref();
                let facts = (
                    &self.job.name,
                    &self.id,
                    &self.rollback,
                    &self.put_back,
                    pause,
                );
                let message = words::failed(facts);
                let refused = BackupError::Refused(message.clone());
                let kind = EventKind::RollbackFailed;
                (self.event(kind, Severity::Critical, message), Err(refused))
            }
        };
        if let Err(error) = self.record(vec![Change::Event(event)]).await {
            tracing::error!(job = %self.job.name, %error, "how the rollback ended is not in the journal");
        }
        result
    }

    pub(super) async fn record(&mut self, events: Vec<Change>) -> Result<(), BackupError> {
        let rollback = self.rollback.clone();
        self.service
            .record_rollback(&self.id, rollback, events)
            .await
    }

    /// What tells the command of a step from those of all others; the same after a crash.
    pub(super) fn key(&self, step: RollbackStep) -> String {
        format!(
            "rollback-{}-{}-{step:?}",
            self.id,
            self.rollback.begun_at.as_millis()
        )
    }

    pub(super) fn event(&self, kind: EventKind, severity: Severity, message: String) -> Event {
        self.service
            .event(kind, severity, message)
            .with_backup(&self.job.name, &self.id)
            .with_data(facts_of(&self.rollback))
    }
}

pub(super) fn facts_of(rollback: &Rollback) -> RollbackFacts {
    RollbackFacts {
        by: rollback.by.clone(),
        note: rollback.note.clone(),
        saved: rollback.saved.clone(),
        error: rollback.error.clone(),
    }
}
