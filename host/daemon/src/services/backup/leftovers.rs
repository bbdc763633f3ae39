//! Reconciles the backups that a killed daemon left, and those of which nobody could tell whether they were stored.
//!
//! Invariant: no backup is called failed that may be in the store.

use super::{BackupError, BackupService, trial::keys_of, words};
use crate::ports::BackupStoreError;
use mainstay_domain::{
    archive::Manifest,
    backup::{BackupRecord, BackupStatus},
    event::EventKind,
    id::BackupId,
    name::JobName,
    record::Change,
    severity::Severity,
    spec::{BackupSource, JobSpec},
};
use std::collections::BTreeMap;

impl BackupService {
    /// Ends the restores that a killed daemon left: where they were to, something may run as soon as targets are started. No tier
    /// beside the one of this machine is asked.
    pub(super) async fn end_restores(&self) {
        let jobs = self.core.spec.borrow().jobs.clone();
        let sources = jobs.into_iter().flat_map(|job| job.sources);
        let sources: Vec<BackupSource> = sources.collect();
        let ended = self.with_store(move |store| Ok(store.end_restores(&sources)));
        for error in ended.await.unwrap_or_else(|error| vec![error]) {
            tracing::error!(%error, "what an interrupted restore left stays for now");
        }
    }

    /// Removes pieces, and makes their records say so; what the catalog knows stays, and is corrupted where its manifest is
    /// lost. Records what was committed and not recorded, and what is stored and not known; moves to the trash what had
    /// expired.
    pub(super) async fn reconcile_leftovers(&self) -> Result<(), BackupError> {
        // Before anything is removed: an archive that nothing is known of may be all that is left of a backup.
        self.take_up_stored().await?;
        // Before the trees go that it serves.
        let left = self.with_store(|store| Ok(store.left_drills())).await;
        for id in left.unwrap_or_default() {
            self.end_trial(&keys_of(&id)).await;
        }
        let known = self.core.catalog.lock().stored();
        let swept = self.with_store(move |store| Ok(store.sweep(&known)));
        for error in swept.await.unwrap_or_else(|error| vec![error]) {
            if let BackupStoreError::Corrupted { id, what } = &error {
                tracing::error!(%error, "what is left of a stored backup stays where it is");
                self.mark_corrupted(id, what).await?;
            } else {
                tracing::error!(%error, "what an interrupted backup left stays for now");
            }
        }
        self.look_for_stored().await?;
        self.settle_unfinished(None).await?;
        let expired = self.core.catalog.lock().expired();
        for record in expired {
            // A crash may have come between the record and the move; moving twice is moving once.
            let moved = self.with_store(move |store| store.trash(&record.job, &record.id));
            if let Err(error) = moved.await {
                tracing::error!(%error, "an expired backup is not in the trash for now");
            }
        }
        self.wait_on();
        Ok(())
    }

    /// Of what a killed daemon left unfinished, or is in doubt, records what was committed, and fails the rest; what is there and
    /// is not what was written is corrupted. Where that cannot be told now, as of a tier or a store that is away, it stays as it
    /// is until it can. All of it, or that of one job, whose turn the caller has.
    pub(super) async fn settle_unfinished(&self, job: Option<&JobName>) -> Result<(), BackupError> {
        let unfinished = self.core.catalog.lock().unfinished(job);
        for record in unfinished {
            let (job, id) = (record.job.clone(), record.id.clone());
            let records = self.core.catalog.lock().of(Some(&job));
            let is_known = records.iter().any(|record| record.status.is_stored());
            let committed = self
                .with_store(move |store| match store.committed(&job, &id)? {
                    // Nothing is there where the whole store is not; of a job without any there may be none yet.
                    None if is_known => match store.lost(&job, &[]).pop() {
                        Some(error) => Err(error),
                        None => Ok(None),
                    },
                    committed => Ok(committed),
                })
                .await;
            match committed {
                Ok(Some(manifest)) => self.record_committed(record, &manifest).await?,
                Ok(None) => self.record_interrupted(record).await?,
                Err(BackupStoreError::Corrupted { what, .. }) => {
                    self.record_damaged(record, what).await?;
                }
                Err(error) => {
                    tracing::error!(
                        backup = %record.id, %error,
                        "whether it was stored is asked again before the next backup of its job"
                    );
                }
            }
        }
        Ok(())
    }

    /// Notes that nobody can tell whether a backup was stored, which is the error; it stays unfinished until it can be told.
    pub(super) async fn doubt(
        &self,
        job: &JobSpec,
        record: BackupRecord,
        error: BackupStoreError,
    ) -> Result<BackupRecord, BackupError> {
        let reason = self.reason_after(job, &record, &error).await;
        let event = self
            .event(
                EventKind::BackupFailed,
                Severity::High,
                format!("backup {} of job {}: {reason}", record.id, record.job),
            )
            .with_backup(&record.job, &record.id);
        let doubted = BackupRecord {
            reason: Some(reason),
            ..record
        };
        self.commit(vec![doubted], vec![Change::Event(event)])
            .await?;
        Err(error.into())
    }

    async fn record_damaged(
        &self,
        mut record: BackupRecord,
        what: String,
    ) -> Result<(), BackupError> {
        record.status = BackupStatus::Corrupted;
        let message = words::corrupted(&record.id, &record.job, &what);
        let event = self
            .event(EventKind::BackupCorrupted, Severity::Critical, message)
            .with_backup(&record.job, &record.id);
        record.reason = Some(what);
        self.commit(vec![record], vec![Change::Event(event)]).await
    }

    async fn record_committed(
        &self,
        record: BackupRecord,
        manifest: &Manifest,
    ) -> Result<(), BackupError> {
        let message = format!(
            "backup {} of job {} was stored and verified, which is known only now",
            record.id, record.job
        );
        let event = self
            .event(EventKind::BackupVerified, Severity::Low, message)
            .with_backup(&record.job, &record.id);
        let stored = BackupRecord {
            key: record.key,
            checkpoint: record.checkpoint,
            ..manifest.to_record()
        };
        self.commit(vec![stored], vec![Change::Event(event)]).await
    }

    async fn record_interrupted(&self, mut record: BackupRecord) -> Result<(), BackupError> {
        record.status = BackupStatus::Failed;
        let reason = match record.reason.take() {
            Some(doubt) => format!("it was looked for, and is not stored; before that: {doubt}"),
            None => "the host stopped while it was taken; its pieces are removed".to_owned(),
        };
        let event = self
            .event(
                EventKind::BackupFailed,
                Severity::Medium,
                format!("backup {} of job {}: {reason}", record.id, record.job),
            )
            .with_backup(&record.job, &record.id);
        record.reason = Some(reason);
        self.commit(vec![record], vec![Change::Event(event)]).await
    }

    /// What is not there any more, or not as long as it was stored, is corrupted: nothing is built on it, and people hear of
    /// it before they need it. Of what cannot be looked at they hear too, and it is not wrong for that.
    async fn look_for_stored(&self) -> Result<(), BackupError> {
        let mut of_jobs: BTreeMap<JobName, Vec<(BackupId, u64)>> = BTreeMap::new();
        let records = self.core.catalog.lock().of(None);
        for record in records {
            if matches!(
                record.status,
                BackupStatus::Completed | BackupStatus::Verified
            ) {
                let of_job = of_jobs.entry(record.job).or_default();
                of_job.push((record.id, record.stored_bytes));
            }
        }
        for (job, stored) in of_jobs {
            let of_job = job.clone();
            let looked = self.with_store(move |store| Ok(store.lost(&of_job, &stored)));
            let mut unreachable = None;
            for error in looked.await.unwrap_or_else(|error| vec![error]) {
                if let BackupStoreError::Corrupted { id, what } = &error {
                    self.mark_corrupted(id, what).await?;
                } else if error == BackupStoreError::Interrupted {
                    // The next start looks for it.
                    return Ok(());
                } else {
                    tracing::error!(%error, "whether a stored backup is there cannot be told now");
                    unreachable = Some(error);
                }
            }
            if let Some(error) = unreachable {
                let message =
                    format!("backups of job {job} cannot be looked at, taken or restored: {error}");
                let event = self
                    .event(EventKind::BackupFailed, Severity::High, message)
                    .with_job(&job);
                self.commit(Vec::new(), vec![Change::Event(event)]).await?;
            }
        }
        Ok(())
    }
}
