//! Reads backups back: to verify them, and to restore them.
//!
//! Invariant: whoever calls has the job's turn.

use super::{
    BackupError, BackupService,
    blocking::on_blocking_thread,
    plan::{Plan, check_place, check_whole, ids},
    words,
};
use crate::ports::{
    BackupStore, BackupStoreError, OnProgress, ReadBack, RestorePlace, RestoreRequest, Restored,
    RestoredTree, STORED_ONLY,
};
use mainstay_domain::{
    backup::BackupStatus,
    backup_chain::{BackupChainError, plan_restore},
    event::{BackupRestored, Event, EventKind},
    id::BackupId,
    measure::{length, size},
    name::JobName,
    record::Change,
    severity::Severity,
    text::counted,
    time::millis,
};

/// Who hears that a backup is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Who asked, by an event: it is the end of what was wrong with backups of the job.
    Asker,
    /// Nobody: it was looked at by the clock, and says nothing of the others.
    Nobody,
}

impl BackupService {
    /// Reads a backup and all that it needs back from the tier, and tells who asked for it that it is right.
    pub(super) async fn verify_now(
        self,
        job: JobName,
        id: BackupId,
        progress: OnProgress,
    ) -> Result<ReadBack, BackupError> {
        self.read_back(&job, &id, Told::Asker, progress).await
    }

    /// Reads a backup and all that it needs back from the tier.
    pub(super) async fn read_back(
        &self,
        job: &JobName,
        id: &BackupId,
        told: Told,
        progress: OnProgress,
    ) -> Result<ReadBack, BackupError> {
        let mut records = self.core.catalog.lock().of(Some(job));
        // What was once found wrong may be looked at again: a disk can be mended.
        for record in records
            .iter_mut()
            .filter(|record| record.status == BackupStatus::Corrupted)
        {
            record.status = BackupStatus::Completed;
        }
        let mut plan = plan_restore(&records, id)?;
        let chain = ids(&plan);
        let of_job = job.clone();
        let read = self
            .with_store(move |store| store.verify(&of_job, &chain, &progress))
            .await;
        let notes = self.mark_if_corrupted(read).await?;
        let now = self.now();
        for record in &mut plan {
            record.verified_at = Some(now);
            record.stored_only = notes.iter().any(|note| note.starts_with(STORED_ONLY));
            if record.status == BackupStatus::Completed {
                record.status = BackupStatus::Verified;
                record.reason = None;
            }
        }
        let mut told_of = Vec::new();
        if told == Told::Asker {
            let message = words::read_back(id, job, plan.len().saturating_sub(1), &notes);
            let event = self.event(EventKind::BackupVerified, Severity::Low, message);
            told_of.push(Change::Event(event.with_backup(job, id)));
        }
        let verified = plan.last().cloned();
        if let Err(error) = self.commit(plan, told_of).await {
            tracing::error!(%error, "it was read back and is right, and that is not in the journal");
        }
        let backup = verified.ok_or_else(|| BackupChainError::Unknown(id.clone()))?;
        Ok(ReadBack { backup, notes })
    }

    /// Restores into a directory, or in place. In place, an emergency backup is taken after the new tree is complete,
    /// so only changes made during that backup are lost.
    pub(super) async fn restore_now(
        self,
        request: RestoreRequest,
        progress: OnProgress,
    ) -> Result<Restored, BackupError> {
        check_place(&request)?;
        let RestoreRequest {
            job,
            id,
            backup_type,
            at,
            mut rules,
            into,
            replace,
        } = request;
        let Plan {
            chain: plan,
            skipped,
        } = self.plan(&job, id, (backup_type, at))?;
        let (place, replaced) = match into {
            Some(path) => (RestorePlace::Into { path, replace }, None),
            None => {
                let spec = self.job(&job)?;
                if !rules.merge {
                    check_whole(&job, plan.last())?;
                }
                rules.left_alone = spec.reading.clone();
                (RestorePlace::InPlace(spec.sources.clone()), Some(spec))
            }
        };
        let what = match rules.only.is_everything() {
            true => "was restored",
            false => "was restored in part",
        };
        let started = self.core.clock.monotonic();
        let (chain, of_job) = (ids(&plan), job.clone());
        let (store, stop) = self.store().cancellable();
        let running = self.may_be_cancelled(&job, stop);
        let stage =
            move |store: &dyn BackupStore| store.stage(&of_job, &chain, &place, &rules, &progress);
        let staged = match on_blocking_thread(store, stage).await {
            Err(BackupStoreError::Interrupted) if running.is_cancelled() => {
                running.end();
                return Err(BackupError::Cancelled(job));
            }
            staged => self.mark_if_corrupted(staged).await?,
        };
        // As late as can be: what is written after it was read is lost when the trees are exchanged.
        let saved = match &replaced {
            Some(spec) => self.save_before_restore(spec).await,
            None => Ok(()),
        };
        let saved = match running.end() {
            true => Err(BackupError::Cancelled(job.clone())),
            false => saved,
        };
        if let Err(error) = saved {
            self.with_store(move |_| {
                drop(staged);
                Ok(())
            })
            .await?;
            return Err(error);
        }
        let RestoredTree {
            documents,
            bytes,
            not_put_back,
            notes,
        } = self.with_store(move |_| staged.place()).await?;
        let restored = Restored {
            chain: plan,
            skipped,
            documents,
            bytes,
            not_put_back,
            notes,
            elapsed: self.core.clock.monotonic().since(started),
        };
        let event = self.event_of(
            EventKind::BackupRestored,
            Severity::Medium,
            &job,
            &restored,
            what,
        );
        self.record_done(event).await;
        Ok(restored)
    }

    /// Notes damage where that is what went wrong.
    pub(super) async fn mark_if_corrupted<T>(
        &self,
        result: Result<T, BackupStoreError>,
    ) -> Result<T, BackupError> {
        if let Err(BackupStoreError::Corrupted { id, what }) = &result {
            self.mark_corrupted(id, what).await?;
        }
        Ok(result?)
    }

    pub(super) fn event_of(
        &self,
        kind: EventKind,
        severity: Severity,
        job: &JobName,
        restored: &Restored,
        what: &str,
    ) -> Event {
        let Restored {
            chain,
            skipped,
            documents,
            bytes,
            not_put_back,
            notes,
            elapsed,
        } = restored;
        let elapsed_ms = millis(*elapsed);
        let id = chain
            .last()
            .map_or_else(String::new, |record| record.id.to_string());
        let message = format!(
            "backup {id} of job {job} {what}: {}, {}, {}{}{}{}{}",
            counted(*documents, "document"),
            size(*bytes),
            length(*elapsed),
            words::incomplete(chain.last()),
            words::not_put_back(not_put_back, job, &id),
            words::skipped(skipped),
            words::noted(notes)
        );
        let data = BackupRestored {
            documents: *documents,
            bytes: *bytes,
            elapsed_ms,
            chain: ids(chain),
            drilled: match kind {
                EventKind::DrillPassed => chain.last().and_then(|newest| newest.drilled.clone()),
                _ => None,
            },
        };
        let event = self.event(kind, severity, message).with_data(data);
        match chain.last() {
            Some(record) => event.with_backup(job, &record.id),
            None => event.with_job(job),
        }
    }
}
