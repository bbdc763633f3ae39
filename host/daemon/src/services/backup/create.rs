//! One backup, from its record in progress to its record verified or failed.

use super::{BackupError, BackupService, words};
use crate::ports::{BackupStoreError, OnProgress, TakeBackup, TakenBackup, Unreadable};
use mainstay_domain::{
    backup::{BackupRecord, BackupStatus, BackupType},
    backup_chain::{join, suspects},
    checkpoint::Checkpoint,
    event::{BackupTaken, EventKind},
    name::JobName,
    record::Change,
    severity::Severity,
    shrink::expected_mounts,
    spec::JobSpec,
    tier_order::tier_order,
    time::Timestamp,
};

/// So many of the things to know of a backup are kept with it.
const WARNINGS_KEPT: usize = 20;

/// What is to be taken.
pub(super) struct Wanted {
    pub(super) backup_type: BackupType,
    pub(super) unreadable: Unreadable,
    /// The slots that it takes.
    pub(super) slots: Vec<(BackupType, Timestamp)>,
    /// The first slot that was missed, where it catches up.
    pub(super) missed_since: Option<Timestamp>,
    /// The key of the effect that asks for it.
    pub(super) key: Option<String>,
    /// What makes it a checkpoint.
    pub(super) checkpoint: Option<Checkpoint>,
}

impl Wanted {
    /// Of no slot, asked for by no effect, and no checkpoint.
    pub(super) fn of(backup_type: BackupType, unreadable: Unreadable) -> Self {
        Self {
            backup_type,
            unreadable,
            slots: Vec::new(),
            missed_since: None,
            key: None,
            checkpoint: None,
        }
    }
}

impl BackupService {
    /// Takes a backup; one that an effect asks for carries its key.
    pub(super) async fn create_now(
        self,
        job: JobName,
        (backup_type, key): (BackupType, Option<String>),
        progress: OnProgress,
    ) -> Result<BackupRecord, BackupError> {
        let spec = self.job(&job)?;
        // A handler that asks is no person, who would have seen what the sources hold.
        if key.is_none() {
            self.job_state(&job, |state| state.waiting.goes_on());
        }
        // Of what is about to be lost, some is better than none.
        let unreadable = match backup_type {
            BackupType::Emergency => Unreadable::IsLeftOut,
            _ => spec.reading.on_unreadable.into(),
        };
        let wanted = Wanted {
            key,
            ..Wanted::of(backup_type, unreadable)
        };
        self.take(&spec, wanted, progress).await
    }

    /// Takes a backup; the caller has the job's turn. A difference that has nothing to build on, or whose chain turns
    /// out to be damaged, becomes a full backup.
    pub(super) async fn take(
        &self,
        job: &JobSpec,
        wanted: Wanted,
        progress: OnProgress,
    ) -> Result<BackupRecord, BackupError> {
        self.settle_unfinished(Some(&job.name)).await?;
        let taken = self.take_once(job, &wanted, &progress).await;
        match taken {
            Err(BackupError::Store(BackupStoreError::Corrupted { id, what }))
                if self.mark_corrupted(&id, &what).await? =>
            {
                let full = Wanted {
                    backup_type: BackupType::Full,
                    ..wanted
                };
                self.take_once(job, &full, &progress).await
            }
            // The index is gone and what is stored is not opened here, or nobody who is trusted stands for it.
            Err(BackupError::Store(
                error @ (BackupStoreError::Locked(_) | BackupStoreError::Untrusted { .. }),
            )) if matches!(
                wanted.backup_type,
                BackupType::Differential | BackupType::Incremental
            ) =>
            {
                tracing::warn!(job = %job.name, %error, "a full backup is taken in place of a difference");
                let full = Wanted {
                    backup_type: BackupType::Full,
                    ..wanted
                };
                self.take_once(job, &full, &progress).await
            }
            taken => taken,
        }
    }

    async fn take_once(
        &self,
        job: &JobSpec,
        wanted: &Wanted,
        progress: &OnProgress,
    ) -> Result<BackupRecord, BackupError> {
        let asked = wanted.backup_type;
        let created_at = self.now();
        let records = self.core.catalog.lock().of(Some(&job.name));
        let (backup_type, chain) = match join(&records, &job.name, asked, created_at) {
            // Of what a parent holds nothing is known here.
            Some(chain) if !chain.is_empty() && job.sealing.hides_parents() => {
                tracing::warn!(job = %job.name, "a full backup is taken in place of a difference: what came before is encrypted, and the job has neither an identity nor an index");
                (BackupType::Full, Vec::new())
            }
            Some(chain) => (asked, chain),
            None => (BackupType::Full, Vec::new()),
        };
        let id = self.core.catalog.lock().new_id(backup_type, created_at);
        let mut record = BackupRecord {
            parent: chain.last().map(|parent| parent.id.clone()),
            base: chain
                .first()
                .map_or_else(|| id.clone(), |base| base.id.clone()),
            key: wanted.key.clone(),
            checkpoint: wanted.checkpoint.clone(),
            ..BackupRecord::begun(id.clone(), job.name.clone(), backup_type, created_at)
        };
        let message = words::began(&id, &job.name, backup_type, asked);
        let started = self
            .event(EventKind::BackupStarted, Severity::Low, message)
            .with_backup(&job.name, &id);
        self.commit(vec![record.clone()], vec![Change::Event(started)])
            .await?;

        let request = TakeBackup {
            id,
            job: job.name.clone(),
            backup_type,
            sources: job.sources.clone(),
            reading: job.reading.clone(),
            unreadable: wanted.unreadable,
            mounts: expected_mounts(&records),
            compression: job.compression,
            sealing: job.sealing.clone(),
            is_known: records.iter().any(|record| record.status.is_stored()),
            chain: chain.into_iter().map(|link| link.id).collect(),
            created_at,
            tiers: tier_order(job, &self.core.spec.borrow().tiers, backup_type),
        };
        let progress = progress.clone();
        let taken = match self.run_before(job, &record).await {
            Ok(()) => self.take_unless_cancelled(request, progress).await,
            Err(error) => Err(error),
        };
        self.note_room(&taken);
        match taken {
            Ok(taken) => self.record_success(job, taken, wanted).await,
            Err(error @ BackupStoreError::InDoubt(_)) => self.doubt(job, record, error).await,
            Err(error) => {
                record.status = BackupStatus::Failed;
                record.reason = Some(self.reason_after(job, &record, &error).await);
                self.record_failure(record, &error).await?;
                Err(error.into())
            }
        }
    }

    async fn record_success(
        &self,
        job: &JobSpec,
        taken: TakenBackup,
        wanted: &Wanted,
    ) -> Result<BackupRecord, BackupError> {
        let TakenBackup {
            manifest,
            mut warnings,
            refused,
            mounts,
        } = taken;
        let slots = &wanted.slots;
        let mut record = manifest.to_record();
        // Before all others, of which some may be too many to be kept.
        if let Some(failed) = self.run_after(job, &record).await {
            warnings.insert(0, failed);
        }
        record.key.clone_from(&wanted.key);
        record.checkpoint.clone_from(&wanted.checkpoint);
        record.mounts = mounts;
        record.warnings = words::first_of(&warnings, WARNINGS_KEPT);
        for warning in &warnings {
            tracing::warn!(backup = %record.id, "{warning}");
        }
        let shrunk = self.suspect(job, &record, manifest.format).await;
        record.suspicious = shrunk.as_ref().map(|found| found.why.clone());
        let mut message = words::verified(&record, manifest.elapsed_ms, &warnings);
        message.push_str(&words::caught_up(wanted.missed_since));
        let severity = if warnings.is_empty() {
            Severity::Low
        } else {
            Severity::Medium
        };
        let data = BackupTaken {
            documents: record.documents,
            tombstones: record.tombstones,
            size_bytes: record.size_bytes,
            stored_bytes: record.stored_bytes,
            elapsed_ms: manifest.elapsed_ms,
            warnings: record.warnings.clone(),
            incomplete: !record.is_whole(),
            tiers: self.tiers_from(job, &record),
        };
        let event = self
            .event(EventKind::BackupVerified, severity, message)
            .with_backup(&record.job, &record.id)
            .with_data(data);
        let mut changes = vec![Change::Event(event)];
        let fell_over = refused.iter().map(|it| self.fell_over(&record, it));
        changes.extend(fell_over.map(Change::Event));
        let told = shrunk.map(|found| self.told_suspicious(&record, found));
        changes.extend(told.map(Change::Event));
        changes.extend(
            slots
                .iter()
                .map(|(backup_type, slot)| Change::Slot(record.job.clone(), *backup_type, *slot)),
        );
        self.commit(vec![record.clone()], changes).await?;
        self.core.catalog.lock().take_slots(&record.job, slots);
        let records = self.core.catalog.lock().of(Some(&record.job));
        let is_suspect = suspects(&records).contains(&record.id);
        if record.backup_type != BackupType::Emergency && record.is_whole() && !is_suspect {
            self.objective_is_met(&manifest);
        }
        Ok(record)
    }

    async fn record_failure(
        &self,
        record: BackupRecord,
        error: &BackupStoreError,
    ) -> Result<(), BackupError> {
        let severity = match error {
            BackupStoreError::Interrupted | BackupStoreError::Cancelled => Severity::Low,
            _ => Severity::High,
        };
        let message = format!(
            "backup {} of job {} was not taken: {}",
            record.id,
            record.job,
            record.reason.as_deref().unwrap_or("nobody knows why")
        );
        let event = self
            .event(EventKind::BackupFailed, severity, message)
            .with_backup(&record.job, &record.id);
        let job = record.job.clone();
        self.commit(vec![record], vec![Change::Event(event)])
            .await?;
        let forgotten = self.core.catalog.lock().too_many_failed(&job);
        self.forget(forgotten).await
    }

    /// Drops records of which nothing is stored.
    pub(super) async fn forget(
        &self,
        ids: Vec<mainstay_domain::id::BackupId>,
    ) -> Result<(), BackupError> {
        if ids.is_empty() {
            return Ok(());
        }
        let written = self.core.journal.commit(
            ids.iter()
                .cloned()
                .map(Change::BackupRemoved)
                .collect::<Vec<_>>()
                .into(),
        );
        written.await?;
        let mut catalog = self.core.catalog.lock();
        ids.iter().for_each(|id| catalog.remove(id));
        Ok(())
    }
}
